// The type of a value: an element type and a static shape.

/// A dtype and a shape, such as `f32[64,784]`; a scalar has no dimensions.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  /// The type of the elements.
  public var dtype: DType
  /// The extent of each dimension; extents may be 0.
  public var shape: [Int]

  /// A type of the given dtype and shape.
  public init(_ dtype: DType, _ shape: [Int] = []) {
    self.dtype = dtype
    self.shape = shape
  }

  /// The largest size in bytes that a type may have: 1 TiB keeps every sum of sizes in an `Int`.
  public static let sizeBytesMax = 1 << 40

  /// Whether all extents are non-negative and the size in bytes is at most `sizeBytesMax`.
  public var isRepresentable: Bool {
    var size = dtype.byteCount
    for extent in shape {
      guard extent >= 0 else { return false }
      // Extents of 0 must not hide an overflow, or padding and dilation could meet it later.
      let (product, overflow) = size.multipliedReportingOverflow(by: max(extent, 1))
      guard !overflow, product <= TensorType.sizeBytesMax else { return false }
      size = product
    }
    return true
  }

  /// The number of dimensions.
  public var rank: Int { shape.count }
  /// The number of elements.
  public var elementCount: Int { shape.reduce(1, *) }
  /// The size of the elements in bytes, without alignment.
  public var sizeBytes: Int { elementCount * dtype.byteCount }
  /// The distance in elements between neighbours along each dimension, row-major.
  public var strides: [Int] {
    var strides = Array(repeating: 1, count: rank)
    for axis in stride(from: rank - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * shape[axis + 1]
    }
    return strides
  }

  /// The same shape with another dtype.
  public func with(_ dtype: DType) -> TensorType { TensorType(dtype, shape) }
  /// The same dtype with another shape.
  public func with(shape: [Int]) -> TensorType { TensorType(dtype, shape) }

  /// The spelling in the IR.
  public var description: String {
    shape.isEmpty
      ? dtype.name : "\(dtype.name)[\(shape.map(String.init).joined(separator: ","))]"
  }
}
