// A tensor on the host: a type and its bytes.

/// A value of a tensor type: its elements in row-major order, little-endian.
public struct Tensor: Sendable, Equatable {
  /// The dtype and shape.
  public var type: TensorType
  /// The elements; `type.sizeBytes` bytes.
  public var bytes: [UInt8]

  /// A tensor of the given bytes.
  ///
  /// - Precondition: There are `type.sizeBytes` bytes.
  public init(_ type: TensorType, bytes: [UInt8]) {
    precondition(bytes.count == type.sizeBytes, "\(bytes.count) bytes for \(type)")
    self.type = type
    self.bytes = bytes
  }

  /// A tensor whose bytes are all zero.
  public init(zeros type: TensorType) {
    self.init(type, bytes: Array(repeating: 0, count: type.sizeBytes))
  }
}
