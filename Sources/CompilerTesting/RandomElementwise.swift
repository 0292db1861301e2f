// Random elementwise ops, generators and conversions.

import CheckpointCompiler

extension ProgramGenerator {
  /// A smooth function of one value, kept where it is tame.
  mutating func smoothUnary() {
    let x = bounded(pickFloat())
    switch random.index(below: 19) {
    case 14: emit(pick([.atan, .asinh, .cbrt]), [positive(x)], bound: 2.3, isExact: false)
    case 18:
      let large = emit(.add, [positive(x), splat(1, x.type)], bound: 5.5)
      emit(.acosh, [large], bound: 2.4, isExact: false)
    case 15: emit(pick([.sinh, .cosh, .erfc]), [x], bound: 4, isExact: false)
    case 16:
      let small = emit(.multiply, [x, splat(0.375, x.type)], bound: 0.75)
      emit(pick([.asin, .acos, .atanh, .tan]), [small], bound: 2.5, isExact: false)
    case 17:
      let y = fetch(x.type)
      emit(.atan2, [x, positive(bounded(y))], bound: 2, isExact: false)
    case 0: emit(.tanh, [x], bound: 1, isExact: false)
    case 1: emit(.logistic, [x], bound: 1, isExact: false)
    case 2: emit(.sine, [x], bound: 1, isExact: false)
    case 3: emit(.cosine, [x], bound: 1, isExact: false)
    case 4: emit(.erf, [x], bound: 1, isExact: false)
    case 5: emit(.exponential, [x], bound: 7.4, isExact: false)
    case 6: emit(.exponentialMinusOne, [x], bound: 7.4, isExact: false)
    case 7: emit(.negate, [x], bound: x.bound)
    case 8: emit(.logPlusOne, [emit(.multiply, [x, x], bound: 4)], bound: 2, isExact: false)
    case 9: emit(.log, [positive(x)], bound: 2, isExact: false)
    case 10: emit(.sqrt, [positive(x)], bound: 2.2)
    case 11: emit(.rsqrt, [positive(x)], bound: 1.5, isExact: false)
    case 12:
      emit(
        .power, [positive(x), splat(pick([2, 0.5, 1.5, 3, -1]), x.type)], bound: 92,
        isExact: false)
    default:
      let y = fetch(x.type)
      emit(.power, [positive(x), y], bound: 21, isExact: false)
    }
  }

  /// `x * x + 0.5`: at least 0.5, at most 4.5.
  mutating func positive(_ x: PoolValue) -> PoolValue {
    let square = emit(.multiply, [x, x], bound: 4)
    return emit(.add, [square, splat(0.5, x.type)], bound: 4.5)
  }

  /// A function that jumps, or whose slope does, of a value that is exact.
  mutating func jumpingUnary() {
    let x = bounded(pickFloat(exact: true))
    switch random.index(below: 10) {
    case 8: emit(.roundNearestAfz, [x], bound: 2)
    case 9:
      emit(
        .reducePrecision, [x],
        [.exponentBits: .int(number(4...9)), .mantissaBits: .int(number(1...12))], bound: 4)
    case 0: emit(.abs, [x], bound: x.bound)
    case 1: emit(.sign, [x], bound: 1)
    case 2: emit(.floor, [x], bound: 2)
    case 3: emit(.ceil, [x], bound: 2)
    case 4: emit(.roundNearestEven, [x], bound: 2)
    case 5: emit(.isFinite, [x], bound: 1)
    case 6: emit(.clamp, [splat(-0.5, x.type), x, splat(0.75, x.type)], bound: 0.75)
    default: emit(.maximum, [x, splat(0, x.type)], bound: x.bound)
    }
  }

  mutating func floatBinary() {
    let jumps = chance(1, of: 3)
    let x = bounded(pickFloat(exact: jumps))
    let y = fetch(x.type, exact: jumps)
    if jumps {
      switch random.index(below: 4) {
      case 0: emit(.maximum, [x, bounded(y)], bound: 2)
      case 1: emit(.minimum, [x, bounded(y)], bound: 2)
      case 2: emit(.remainder, [x, splat(0.75, x.type)], bound: 0.75)
      default: _ = compare(x, bounded(y))
      }
      return
    }
    switch random.index(below: 5) {
    case 0: emit(.add, [x, y], bound: x.bound + y.bound)
    case 1: emit(.subtract, [x, y], bound: x.bound + y.bound)
    case 2: emit(.multiply, [x, y], bound: x.bound * y.bound)
    case 3: emit(.multiply, [y, x], bound: x.bound * y.bound)
    default: emit(.divide, [x, positive(bounded(y))], bound: 4)
    }
  }

  private mutating func pickInteger() -> PoolValue {
    if let found = pickValue(where: { $0.type.dtype.isInteger }), chance(3, of: 4) { return found }
    let dtype: DType = pick([.i32, .i32, .i64, .i16, .i8, .ui64, .ui32, .ui16, .ui8])
    return argument(TensorType(dtype, newShape(rank: number(0...2))), role: .input)
  }

  mutating func integerOp() {
    let x = pickInteger()
    let y = fetch(x.type)
    switch random.index(below: 18) {
    case 14: emit(.shiftLeft, [x, y], bound: 1)
    case 17: emit(pick([.shiftRightArithmetic, .shiftRightLogical]), [x, y], bound: 1)
    case 15: emit(pick([.popcnt, .countLeadingZeros]), [x], bound: 1)
    case 16: bitcast(x)
    case 0: emit(.add, [x, y], bound: 1)
    case 1: emit(.subtract, [x, y], bound: 1)
    case 2: emit(.multiply, [x, y], bound: 1)
    case 3: emit(.divide, [x, y], bound: 1)
    case 4: emit(.remainder, [x, y], bound: 1)
    case 5: emit(.maximum, [x, y], bound: 1)
    case 6: emit(.minimum, [x, y], bound: 1)
    case 7: emit(.power, [x, emit(.and, [y, splat(3, y.type)], bound: 3)], bound: 1)
    case 8: emit(pick([.and, .or, .xor]), [x, y], bound: 1)
    case 9: emit(.not, [x], bound: 1)
    case 10: emit(pick([.negate, .abs, .sign]), [x], bound: 1)
    case 11: emit(.clamp, [splat(1, x.type), x, splat(5, x.type)], bound: 5)
    case 12:
      let small = emit(.remainder, [x, splat(17, x.type)], bound: 17)
      emit(.convert, [small], type: x.type.with(mainDType), bound: 17)
    default: _ = compare(x, y)
    }
  }

  /// The bits of integers under another integer dtype, wider or narrower.
  private mutating func bitcast(_ x: PoolValue) {
    let dtype = pick(DType.allCases.filter { $0.isInteger })
    let (size, newSize) = (x.type.dtype.byteCount, dtype.byteCount)
    if size > newSize {
      guard x.type.sizeBytes / newSize <= Self.elementCountMax else { return }
      emit(.bitcastConvert, [x], type: TensorType(dtype, x.type.shape + [size / newSize]), bound: 1)
    } else if size == newSize {
      emit(.bitcastConvert, [x], type: x.type.with(dtype), bound: 1)
    } else {
      let wider = TensorType(x.type.dtype, x.type.shape + [newSize / size])
      guard wider.elementCount <= Self.elementCountMax else { return }
      emit(.bitcastConvert, [fetch(wider)], type: TensorType(dtype, x.type.shape), bound: 1)
    }
  }

  mutating func truthOp() {
    let shape = pickFloat().type.shape
    let p = fetch(TensorType(.i1, shape))
    let q = fetch(TensorType(.i1, shape))
    switch random.index(below: 4) {
    case 0: emit(.not, [p], bound: 1)
    case 1: emit(pick([.and, .or, .xor, .add, .multiply, .maximum, .minimum]), [p, q], bound: 1)
    case 2: emit(.convert, [p], type: TensorType(pick([mainDType, .i32]), shape), bound: 1)
    default: _ = compare(p, q)
    }
  }

  mutating func selection() {
    let x = bounded(pickFloat())
    let p = fetch(TensorType(.i1, x.type.shape))
    let y = fetch(x.type)
    emit(.select, [p, x, y], bound: max(x.bound, y.bound))
  }

  mutating func conversion() {
    if chance(1, of: 3) {
      let x = bounded(pickFloat(exact: true), to: 8)
      emit(
        .convert, [x], type: x.type.with(pick(DType.allCases.filter { !$0.isFloatingPoint })),
        bound: 8)
      return
    }
    let x = bounded(pickFloat())
    emit(.convert, [x], type: x.type.with(pick([.f32, .f64, .bf16, .f16])), bound: x.bound)
  }

  mutating func randomNumbers() {
    let shape = newShape(rank: number(1...3))
    let key = randomKey()
    if chance(1, of: 4) {
      emit(
        .random, [key], [.distribution: .symbol("bits")], type: TensorType(.ui32, shape), bound: 1)
      return
    }
    let type = TensorType(mainDType == .f64 ? .f64 : .f32, shape)
    var attributes: Attributes = [.distribution: .symbol("uniform")]
    if chance(1, of: 3) { attributes[.stream] = .int(number(0...3)) }
    let uniform = emit(.random, [key], attributes, type: type, bound: 1)
    guard chance(1, of: 2) else { return }
    // Dropout of something of that shape.
    let keep = emit(
      .compare, [uniform, splat(0.75, type)], [.direction: .symbol("lt")], bound: 1)
    let x = fetch(type)
    emit(.select, [keep, x, splat(0, type)], bound: x.bound)
  }

  mutating func iota() {
    let shape = newShape(rank: number(1...3))
    let dtype: DType = pick([.i32, .i64, .i16, .i8, .ui64, .ui16, .ui8, mainDType])
    emit(
      .iota, [], [.dim: .int(random.index(below: shape.count))], type: TensorType(dtype, shape),
      bound: 5)
  }
}
