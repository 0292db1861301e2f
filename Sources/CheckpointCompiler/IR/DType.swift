// The element types of tensors.

/// The type of a tensor's elements.
///
/// `bf16` and `f16` are storage types: arithmetic on them happens in `f32`, and every op rounds its
/// result to nearest, ties to even.
public enum DType: UInt8, CaseIterable, Sendable {
  /// IEEE 754 binary64.
  case f64
  /// IEEE 754 binary32.
  case f32
  /// The upper half of a binary32.
  case bf16
  /// IEEE 754 binary16.
  case f16
  /// Signed 64-bit integer, two's complement.
  case i64
  /// Signed 32-bit integer, two's complement.
  case i32
  /// Signed 16-bit integer, two's complement.
  case i16
  /// Signed 8-bit integer, two's complement.
  case i8
  /// Unsigned 64-bit integer.
  case ui64
  /// Unsigned 32-bit integer.
  case ui32
  /// Unsigned 16-bit integer.
  case ui16
  /// Unsigned 8-bit integer.
  case ui8
  /// A truth value, stored as one byte that is 0 or 1.
  case i1

  /// The spelling in the IR.
  public var name: String {
    switch self {
    case .f64: "f64"
    case .f32: "f32"
    case .bf16: "bf16"
    case .f16: "f16"
    case .i64: "i64"
    case .i32: "i32"
    case .i16: "i16"
    case .i8: "i8"
    case .ui64: "ui64"
    case .ui32: "ui32"
    case .ui16: "ui16"
    case .ui8: "ui8"
    case .i1: "i1"
    }
  }

  /// The dtype with the given spelling.
  public init?(name: some StringProtocol) {
    guard let match = DType.allCases.first(where: { $0.name == name }) else { return nil }
    self = match
  }

  /// The size of one element in bytes.
  public var byteCount: Int {
    switch self {
    case .f64, .i64, .ui64: 8
    case .f32, .i32, .ui32: 4
    case .bf16, .f16, .i16, .ui16: 2
    case .i8, .ui8, .i1: 1
    }
  }

  /// The unsigned integer dtype of the same size.
  public var bits: DType {
    switch byteCount {
    case 8: .ui64
    case 4: .ui32
    case 2: .ui16
    default: .ui8
    }
  }

  /// Whether it is one of `f64`, `f32`, `bf16`, `f16`.
  public var isFloatingPoint: Bool {
    switch self {
    case .f64, .f32, .bf16, .f16: true
    case .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: false
    }
  }

  /// Whether it is an integer of more than one bit.
  public var isInteger: Bool { !isFloatingPoint && self != .i1 }

  /// Whether its values are never negative.
  public var isUnsigned: Bool {
    switch self {
    case .ui64, .ui32, .ui16, .ui8, .i1: true
    case .i64, .i32, .i16, .i8, .f64, .f32, .bf16, .f16: false
    }
  }
}
