// The closed set of ops.

/// What an op does. Names and semantics follow StableHLO.
public enum Opcode: UInt8, CaseIterable, Sendable {
  // Elementwise, one operand.
  case abs, negate, sign, floor, ceil, roundNearestEven, roundNearestAfz, isFinite, not
  case exponential, exponentialMinusOne, log, logPlusOne, tanh, logistic
  case sqrt, rsqrt, cbrt, sine, cosine, tan, erf, erfc
  case asin, acos, atan, sinh, cosh, asinh, acosh, atanh
  case popcnt, countLeadingZeros, reducePrecision, convert, bitcastConvert
  // Elementwise, two operands.
  case add, subtract, multiply, divide, remainder, maximum, minimum, power, atan2
  case and, or, xor, shiftLeft, shiftRightArithmetic, shiftRightLogical, compare
  // Elementwise, three operands.
  case select, clamp
  // Values out of nothing.
  case constant, iota, random
  // Movement.
  case broadcastInDim, reshape, transpose, slice, pad, concatenate, reverse
  // Reduction, contraction, windows, indexed access.
  case reduce, dotGeneral, convolution, softmaxAttention, softmaxAttentionGradient, reduceWindow,
    selectAndScatter, gather, scatter
  case dynamicSlice, dynamicUpdateSlice
  // Control flow.
  case `while`, `case`
  // Functions applied to elements.
  case reduceWith, reduceWindowWith, scatterWith, selectAndScatterWith, sort
  // Structure.
  case call, fusion, noGrad, recompute, yield, `return`

  /// The row of this opcode in the op table; a case without a row does not compile.
  public var definition: OpDefinition {
    switch self {
    case .abs: .abs
    case .negate: .negate
    case .sign: .sign
    case .floor: .floor
    case .ceil: .ceil
    case .roundNearestEven: .roundNearestEven
    case .roundNearestAfz: .roundNearestAfz
    case .isFinite: .isFinite
    case .not: .not
    case .exponential: .exponential
    case .exponentialMinusOne: .exponentialMinusOne
    case .log: .log
    case .logPlusOne: .logPlusOne
    case .tanh: .tanh
    case .logistic: .logistic
    case .sqrt: .sqrt
    case .rsqrt: .rsqrt
    case .cbrt: .cbrt
    case .sine: .sine
    case .cosine: .cosine
    case .tan: .tan
    case .erf: .erf
    case .erfc: .erfc
    case .asin: .asin
    case .acos: .acos
    case .atan: .atan
    case .sinh: .sinh
    case .cosh: .cosh
    case .asinh: .asinh
    case .acosh: .acosh
    case .atanh: .atanh
    case .popcnt: .popcnt
    case .countLeadingZeros: .countLeadingZeros
    case .reducePrecision: .reducePrecision
    case .convert: .convert
    case .bitcastConvert: .bitcastConvert
    case .add: .add
    case .subtract: .subtract
    case .multiply: .multiply
    case .divide: .divide
    case .remainder: .remainder
    case .maximum: .maximum
    case .minimum: .minimum
    case .power: .power
    case .atan2: .atan2
    case .and: .and
    case .or: .or
    case .xor: .xor
    case .shiftLeft: .shiftLeft
    case .shiftRightArithmetic: .shiftRightArithmetic
    case .shiftRightLogical: .shiftRightLogical
    case .compare: .compare
    case .select: .select
    case .clamp: .clamp
    case .constant: .constant
    case .iota: .iota
    case .random: .random
    case .broadcastInDim: .broadcastInDim
    case .reshape: .reshape
    case .transpose: .transpose
    case .slice: .slice
    case .pad: .pad
    case .concatenate: .concatenate
    case .reverse: .reverse
    case .reduce: .reduce
    case .dotGeneral: .dotGeneral
    case .convolution: .convolution
    case .softmaxAttention: .softmaxAttention
    case .softmaxAttentionGradient: .softmaxAttentionGradient
    case .reduceWindow: .reduceWindow
    case .selectAndScatter: .selectAndScatter
    case .gather: .gather
    case .scatter: .scatter
    case .dynamicSlice: .dynamicSlice
    case .dynamicUpdateSlice: .dynamicUpdateSlice
    case .while: .while
    case .case: .case
    case .reduceWith: .reduceWith
    case .reduceWindowWith: .reduceWindowWith
    case .scatterWith: .scatterWith
    case .selectAndScatterWith: .selectAndScatterWith
    case .sort: .sort
    case .call: .call
    case .fusion: .fusion
    case .noGrad: .noGrad
    case .recompute: .recompute
    case .yield: .yield
    case .return: .return
    }
  }

  /// The spelling in the IR.
  public var name: String { definition.name }
  /// Whether it ends a block.
  public var isTerminator: Bool { self == .yield || self == .return }
  /// Whether it owns a region.
  public var hasRegion: Bool { self == .fusion || self == .noGrad || self == .recompute }
  /// Whether the result is the first operand with some windows changed, so that writing it over that
  /// operand touches the windows alone.
  var updatesWindows: Bool { self == .scatter || self == .dynamicUpdateSlice }
  /// Whether it runs functions by calling them; other functions that ops name are part of a kernel.
  var runsRoutines: Bool { self == .while || self == .case }
  /// Whether every element of the result depends on the elements at the same place only.
  public var isElementwise: Bool { definition.category == .elementwise }

  /// All opcodes by their spelling.
  static let byName: [String: Opcode] = Dictionary(
    uniqueKeysWithValues: Opcode.allCases.map { ($0.name, $0) })

  /// The opcode with the given spelling.
  public init?(name: String) {
    guard let opcode = Opcode.byName[name] else { return nil }
    self = opcode
  }
}
