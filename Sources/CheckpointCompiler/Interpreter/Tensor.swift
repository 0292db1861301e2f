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

  /// A tensor of the given numbers, each converted as `convert` does: rounded once to a
  /// floating-point dtype, towards zero and saturated to an integer.
  ///
  /// - Precondition: There is a number for every element.
  public init(_ type: TensorType, floats: [Double]) {
    precondition(floats.count == type.elementCount, "\(floats.count) elements for \(type)")
    self.init(zeros: type)
    if type.dtype.isFloatingPoint {
      store(floats)
    } else {
      store(floats.map { type.dtype.saturated($0) })
    }
  }

  /// A tensor of the given integers; of an integer dtype, each keeps its lowest bits, and `ui64` all
  /// of them.
  ///
  /// - Precondition: There is a number for every element.
  public init(_ type: TensorType, integers: [Int64]) {
    precondition(integers.count == type.elementCount, "\(integers.count) elements for \(type)")
    self.init(zeros: type)
    switch type.dtype {
    case .f64: store(integers.map { Double($0) })
    // Through binary64 an integer would be rounded twice.
    case .f32, .bf16, .f16: store(integers.map { DType.i64.roundedToOddNumber(ofBits: $0) })
    case .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: store(integers)
    }
  }

  /// A tensor whose elements are all the same number, converted as by `init(_:floats:)`.
  public init(_ type: TensorType, repeating number: Double) {
    let element = Tensor(TensorType(type.dtype), floats: [number])
    self.init(type, repeating: element.bytes)
  }

  /// A tensor whose elements all have the same bytes.
  init(_ type: TensorType, repeating element: [UInt8]) {
    self.init(zeros: type)
    guard element.contains(where: { $0 != 0 }) else { return }
    for start in stride(from: 0, to: bytes.count, by: element.count) {
      for (index, byte) in element.enumerated() { bytes[start + index] = byte }
    }
  }

  /// The elements as numbers: exact for every dtype but `i64` and `ui64`, which are rounded.
  public var floats: [Double] {
    guard type.dtype.isFloatingPoint else {
      return integers.map { type.dtype.number(ofBits: $0) }
    }
    let count = type.elementCount
    return bytes.withUnsafeBytes { raw in
      Array(unsafeUninitializedCapacity: count) { out, initializedCount in
        initializedCount = count
        guard count > 0, let source = raw.baseAddress, let target = out.baseAddress else { return }
        var index = 0
        switch type.dtype {
        case .f64:
          let elements = source.assumingMemoryBound(to: Double.self)
          while index < count {
            target[index] = elements[index]
            index &+= 1
          }
        case .f32:
          let elements = source.assumingMemoryBound(to: Float.self)
          while index < count {
            target[index] = Double(elements[index])
            index &+= 1
          }
        case .bf16:
          let elements = source.assumingMemoryBound(to: UInt16.self)
          while index < count {
            target[index] = Double(Float(bitPattern: UInt32(elements[index]) << 16))
            index &+= 1
          }
        case .f16:
          let elements = source.assumingMemoryBound(to: UInt16.self)
          while index < count {
            target[index] = double(ofHalf: elements[index])
            index &+= 1
          }
        case .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: break
        }
      }
    }
  }

  /// The elements of an integer or `i1` tensor; of others, converted as to `i64`. A `ui64` above
  /// 2^63 - 1 is the negative number of the same bits.
  public var integers: [Int64] {
    guard !type.dtype.isFloatingPoint else { return floats.map { DType.i64.saturated($0) } }
    let count = type.elementCount
    return bytes.withUnsafeBytes { raw in
      Array(unsafeUninitializedCapacity: count) { out, initializedCount in
        initializedCount = count
        guard count > 0, let source = raw.baseAddress, let target = out.baseAddress else { return }
        var index = 0
        switch type.dtype {
        case .i64, .ui64:
          let elements = source.assumingMemoryBound(to: Int64.self)
          while index < count {
            target[index] = elements[index]
            index &+= 1
          }
        case .i32:
          let elements = source.assumingMemoryBound(to: Int32.self)
          while index < count {
            target[index] = Int64(elements[index])
            index &+= 1
          }
        case .i16:
          let elements = source.assumingMemoryBound(to: Int16.self)
          while index < count {
            target[index] = Int64(elements[index])
            index &+= 1
          }
        case .i8:
          let elements = source.assumingMemoryBound(to: Int8.self)
          while index < count {
            target[index] = Int64(elements[index])
            index &+= 1
          }
        case .ui32:
          let elements = source.assumingMemoryBound(to: UInt32.self)
          while index < count {
            target[index] = Int64(elements[index])
            index &+= 1
          }
        case .ui16:
          let elements = source.assumingMemoryBound(to: UInt16.self)
          while index < count {
            target[index] = Int64(elements[index])
            index &+= 1
          }
        case .ui8, .i1:
          let elements = source.assumingMemoryBound(to: UInt8.self)
          while index < count {
            target[index] = Int64(elements[index])
            index &+= 1
          }
        case .f64, .f32, .bf16, .f16: break
        }
      }
    }
  }

  /// Integers in the order of the elements of an integer or `i1` tensor, equal where those are.
  var orderedIntegers: [Int64] {
    // With the upper bit turned over, unsigned numbers compare as signed ones.
    type.dtype == .ui64 ? integers.map { $0 ^ .min } : integers
  }

  /// The element at a row-major position as a number.
  public subscript(position: Int) -> Double {
    let size = type.dtype.byteCount
    let element = Array(bytes[position * size..<(position + 1) * size])
    return Tensor(TensorType(type.dtype), bytes: element).floats[0]
  }

  /// Writes all elements of a floating-point tensor, each rounded once.
  private mutating func store(_ numbers: [Double]) {
    let dtype = type.dtype
    let count = numbers.count
    bytes.withUnsafeMutableBytes { raw in
      guard count > 0, let target = raw.baseAddress else { return }
      numbers.withUnsafeBufferPointer { buffer in
        guard let source = buffer.baseAddress else { return }
        var index = 0
        switch dtype {
        case .f64:
          let elements = target.assumingMemoryBound(to: Double.self)
          while index < count {
            elements[index] = source[index]
            index &+= 1
          }
        case .f32:
          let elements = target.assumingMemoryBound(to: Float.self)
          while index < count {
            elements[index] = Float(source[index])
            index &+= 1
          }
        case .bf16:
          let elements = target.assumingMemoryBound(to: UInt16.self)
          while index < count {
            elements[index] = bfloat16(of: source[index])
            index &+= 1
          }
        case .f16:
          let elements = target.assumingMemoryBound(to: UInt16.self)
          while index < count {
            elements[index] = half(of: source[index])
            index &+= 1
          }
        case .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1:
          preconditionFailure("numbers for \(dtype)")
        }
      }
    }
  }

  /// Writes the lowest bits of all elements of an integer or `i1` tensor.
  private mutating func store(_ numbers: [Int64]) {
    let dtype = type.dtype
    let count = numbers.count
    bytes.withUnsafeMutableBytes { raw in
      guard count > 0, let target = raw.baseAddress else { return }
      numbers.withUnsafeBufferPointer { buffer in
        guard let source = buffer.baseAddress else { return }
        var index = 0
        switch dtype {
        case .i64, .ui64:
          let elements = target.assumingMemoryBound(to: Int64.self)
          while index < count {
            elements[index] = source[index]
            index &+= 1
          }
        case .i32, .ui32:
          let elements = target.assumingMemoryBound(to: UInt32.self)
          while index < count {
            elements[index] = UInt32(truncatingIfNeeded: source[index])
            index &+= 1
          }
        case .i16, .ui16:
          let elements = target.assumingMemoryBound(to: UInt16.self)
          while index < count {
            elements[index] = UInt16(truncatingIfNeeded: source[index])
            index &+= 1
          }
        case .i8, .ui8:
          let elements = target.assumingMemoryBound(to: UInt8.self)
          while index < count {
            elements[index] = UInt8(truncatingIfNeeded: source[index])
            index &+= 1
          }
        case .i1:
          let elements = target.assumingMemoryBound(to: UInt8.self)
          while index < count {
            elements[index] = UInt8(truncatingIfNeeded: source[index] & 1)
            index &+= 1
          }
        case .f64, .f32, .bf16, .f16: preconditionFailure("integers for \(dtype)")
        }
      }
    }
  }
}
