// Random training programs: well typed, of all ops, and tame enough to be compared.
//
// Problem     Exercise every stage with programs nobody thought of, and still know what is right.
// Method      Ops are appended one by one to a pool of values; operands are fetched from the pool,
//             or made as arguments, constants, broadcasts. The loss is a mean of some of the values.
// Invariants  The bound of every number is known, and what exceeds it is scaled down before use: no
//             infinity, no NaN. Ops that jump (`floor`, `compare`, a maximum's gradient) are applied
//             only to values that every implementation computes to the same bits.
// Cost        A few thousand elements per program.

package import CheckpointCompiler

/// A random program.
package struct RandomProgram: Sendable {
  /// What decides it.
  package let seed: UInt64
  /// The program: one function `@main` with a loss, mostly.
  package let function: Function

  /// The program of a seed, with about `opCount` random ops.
  package init(seed: UInt64, opCount: Int = 30) {
    self.seed = seed
    var generator = ProgramGenerator(seed: seed)
    function = generator.run(opCount: opCount)
  }

  /// Its text.
  package var text: String { Printer.print(function) }
}

/// Arguments for a function, decided by the seed and the names of the arguments: multiples of 1/16 of
/// magnitude 1.5 at most, and small integers.
package func randomArguments(for function: Function, seed: UInt64) -> [Tensor] {
  function.arguments.map { argument in
    let value = function.values[argument.value]
    // FNV-1a, so that an argument keeps its numbers when others are dropped.
    var hash = value.name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01B3
    }
    hash ^= seed &* 0x9E37_79B9_7F4A_7C15
    var random = SeededGenerator(seed: hash)
    let type = value.type
    return Tensor(
      type,
      floats: (0..<type.elementCount).map { _ in
        switch type.dtype {
        case .f64, .f32, .bf16, .f16: Double(random.index(below: 49) - 24) / 16
        case .i64, .i32, .i16, .i8: Double(random.index(below: 13) - 3)
        case .ui64, .ui32, .ui16, .ui8: Double(random.index(below: 10))
        case .i1: Double(random.index(below: 2))
        }
      })
  }
}

/// A value of the program, and what the generator knows about it.
struct PoolValue {
  var value: ValueID
  var type: TensorType
  /// No element is of larger magnitude.
  var bound: Double
  /// Whether every implementation computes the same bits.
  var isExact: Bool
  /// Whether it depends on a parameter through differentiable ops.
  var isActive: Bool

  var isFloat: Bool { type.dtype.isFloatingPoint }
  var isFull: Bool { type.elementCount > 0 }
}

/// Appends random ops.
struct ProgramGenerator {
  var random: SeededGenerator
  var builder = FunctionBuilder(name: "main")
  var pool: [PoolValue] = []
  /// The dtype of most floating-point values.
  let mainDType: DType
  /// The key of random ops, where there is one.
  var key: PoolValue?
  var nameCount = 0
  /// How many functions it is inside: the function of a loop or a branch has arguments without roles.
  var depth = 0
  private var states: [(index: Int, state: PoolValue)] = []

  /// Values have at most this many elements.
  static let elementCountMax = 96

  /// A generator of a function that a loop or a branch of another one calls.
  init(inside outer: ProgramGenerator, name: String) {
    random = outer.random
    mainDType = outer.mainDType
    nameCount = outer.nameCount
    depth = outer.depth + 1
    builder = FunctionBuilder(name: name)
  }

  init(seed: UInt64) {
    random = SeededGenerator(seed: seed)
    let dtypes: [DType] = [.f32, .f32, .f32, .f32, .f32, .f32, .f32, .f64, .bf16, .f16]
    mainDType = dtypes[random.index(below: dtypes.count)]
  }

  mutating func run(opCount: Int) -> Function {
    let count = 4 + random.index(below: opCount)
    argument(TensorType(mainDType, newShape(rank: 1 + random.index(below: 3))), role: .input)
    argument(TensorType(mainDType, newShape(rank: 1 + random.index(below: 3))), role: .parameter)
    if chance(1, of: 3) { addState() }
    for _ in 0..<count { appendSomething() }
    if chance(1, of: 4) { addState() }
    return finish()
  }

  mutating func appendSomething() {
    switch random.index(below: 25) {
    case 24: controlFlow()
    case 0...2: smoothUnary()
    case 3: jumpingUnary()
    case 4...6: floatBinary()
    case 7: integerOp()
    case 8: truthOp()
    case 9: selection()
    case 10: conversion()
    case 11...12: broadcast()
    case 13...15: movement()
    case 16...17: reduction()
    case 18: product()
    case 19: chance(1, of: 3) ? attention() : product()
    case 20: convolution()
    case 21: pooling()
    case 22: chance(1, of: 3) ? elementFunctions() : indexedAccess()
    default: chance(1, of: 2) ? randomNumbers() : iota()
    }
  }

  // MARK: Choices

  mutating func chance(_ wins: Int, of all: Int) -> Bool { random.index(below: all) < wins }
  mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[random.index(below: elements.count)]
  }
  mutating func number(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + random.index(below: range.count)
  }
  mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var elements = elements
    for index in elements.indices.dropFirst() { elements.swapAt(index, number(0...index)) }
    return elements
  }
  /// A random subset, in order.
  mutating func subset(_ elements: [Int]) -> [Int] { elements.filter { _ in chance(1, of: 2) } }

  mutating func newShape(rank: Int) -> [Int] {
    var shape = (0..<rank).map { _ in number(1...5) }
    while shape.reduce(1, *) > ProgramGenerator.elementCountMax {
      shape[random.index(below: rank)] = 1
    }
    return shape
  }

  /// A value of the pool, mostly a late one; one without elements only where they are asked for.
  mutating func pickValue(where fits: (PoolValue) -> Bool) -> PoolValue? {
    let fitting = pool.filter { fits($0) && $0.isFull }
    guard !fitting.isEmpty else { return nil }
    let late = chance(3, of: 5) ? min(5, fitting.count) : fitting.count
    return fitting[fitting.count - 1 - random.index(below: late)]
  }

  /// A floating-point value; exact where asked for.
  mutating func pickFloat(exact: Bool = false) -> PoolValue {
    pickValue { $0.isFloat && ($0.isExact || !exact) }
      ?? argument(TensorType(mainDType, newShape(rank: 2)), role: .input)
  }

  // MARK: Values

  @discardableResult
  mutating func argument(_ type: TensorType, role: ArgumentRole) -> PoolValue {
    nameCount += 1
    let isActive = role == .parameter && type.dtype.isFloatingPoint
    let role = depth > 0 ? .input : role
    let letter =
      switch role {
      case .input: "x"
      case .parameter: "w"
      case .frozen: "c"
      case .state: "s"
      }
    let initializers: [Initializer] = [
      .fill(0), .fill(1), .fill(0.5), .normal(0.1), .uniform(0.25),
    ]
    // The draw comes first: what follows does not depend on whether the dtype takes it.
    let drawn = role == .input ? nil : pick(initializers)
    let value = builder.addArgument(
      name: "\(letter)\(nameCount)", type: type, role: role,
      initializer: drawn.map { $0.problem(of: type.dtype) == nil ? $0 : .fill(1) })
    return add(
      PoolValue(
        value: value, type: type, bound: type.dtype.isFloatingPoint ? 1.5 : 10, isExact: true,
        isActive: isActive))
  }

  @discardableResult
  mutating func add(_ value: PoolValue) -> PoolValue {
    pool.append(value)
    return value
  }

  /// Appends an op and adds its result to the pool.
  ///
  /// `bound` is that of the result; it is exact where the operands are, unless `isExact` is false.
  @discardableResult
  mutating func emit(
    _ opcode: Opcode, _ operands: [PoolValue], _ attributes: Attributes = [:],
    type: TensorType? = nil, bound: Double, isExact: Bool = true
  ) -> PoolValue {
    nameCount += 1
    let value = builder.emit(
      opcode, operands.map(\.value), attributes, type: type,
      name: chance(2, of: 3) ? "v\(nameCount)" : "")
    let result = builder.type(of: value)
    return add(
      PoolValue(
        value: value, type: result, bound: bound,
        isExact: !result.dtype.isFloatingPoint || isExact && operands.allSatisfy(\.isExact),
        isActive: result.dtype.isFloatingPoint && operands.contains { $0.isActive }))
  }

  mutating func splat(_ number: Double, _ type: TensorType) -> PoolValue {
    let value = builder.emit(
      .constant, [], [.value: .constant(.splat(type.dtype.encode(number)))], type: type)
    return PoolValue(
      value: value, type: type, bound: abs(number), isExact: true, isActive: false)
  }

  /// The value, multiplied by a power of two where its bound is larger than the limit.
  mutating func bounded(_ value: PoolValue, to limit: Double = 2) -> PoolValue {
    guard value.isFloat, value.bound > limit else { return value }
    var factor = 1.0
    while value.bound * factor > limit { factor /= 2 }
    return emit(
      .multiply, [value, splat(factor, value.type)], bound: value.bound * factor)
  }

  /// A value of the given type: from the pool, or a new argument, constant or broadcast.
  mutating func fetch(_ type: TensorType, exact: Bool = false) -> PoolValue {
    if chance(2, of: 3), let found = pickValue(where: { $0.type == type && ($0.isExact || !exact) })
    {
      return bounded(found)
    }
    guard type.dtype != .i1 else {
      if chance(1, of: 2) { return argument(type, role: .input) }
      let a = fetch(type.with(mainDType), exact: true)
      let b = fetch(type.with(mainDType), exact: true)
      return compare(a, b)
    }
    switch random.index(below: 6) {
    case 0: return splat(Double(number(1...12)) / (type.dtype.isFloatingPoint ? 8 : 1), type)
    case 1: return denseConstant(type)
    case 2:
      // A value that broadcasts to the type.
      let narrow = subset(Array(type.shape.indices))
      let source = TensorType(type.dtype, narrow.map { type.shape[$0] })
      guard source != type else { break }
      let value = fetch(source, exact: exact)
      return emit(
        .broadcastInDim, [value], [.dims: .ints(narrow)], type: type, bound: value.bound)
    case 3:
      let same = pickValue {
        $0.type.dtype == type.dtype && $0.type.elementCount == type.elementCount
          && ($0.isExact || !exact)
      }
      if let same {
        return bounded(emit(.reshape, [same], type: type, bound: same.bound))
      }
    default: break
    }
    let roles: [ArgumentRole] = [.input, .parameter, .parameter, .frozen]
    return argument(type, role: type.dtype.isFloatingPoint ? pick(roles) : .input)
  }

  private mutating func denseConstant(_ type: TensorType) -> PoolValue {
    let bytes = (0..<type.elementCount).flatMap { _ in
      type.dtype.encode(
        type.dtype.isFloatingPoint ? Double(number(-12...12)) / 8 : Double(number(0...7)))
    }
    let value = builder.emit(
      .constant, [], [.value: .constant(.dense(bytes))], type: type)
    return add(
      PoolValue(value: value, type: type, bound: 7, isExact: true, isActive: false))
  }

  mutating func compare(_ a: PoolValue, _ b: PoolValue) -> PoolValue {
    let direction = pick(["eq", "ne", "lt", "le", "gt", "ge"])
    var attributes: Attributes = [.direction: .symbol(direction)]
    if chance(1, of: 4) { attributes[.order] = .symbol("total") }
    return emit(.compare, [a, b], attributes, bound: 1)
  }

  /// The key that all random ops of the program use.
  mutating func randomKey() -> PoolValue {
    if let key { return key }
    let value = builder.addArgument(name: "key", type: TensorType(.ui32, [2]))
    let made = PoolValue(
      value: value, type: TensorType(.ui32, [2]), bound: 10, isExact: true, isActive: false)
    key = made
    return made
  }

  // MARK: The frame of the program

  private mutating func addState() {
    let type =
      chance(1, of: 3) ? TensorType(.i32) : TensorType(mainDType, newShape(rank: number(0...2)))
    let index = builder.function.arguments.count
    states.append((index, argument(type, role: .state)))
  }

  private mutating func finish() -> Function {
    var values: [ValueID] = []
    var results: [FunctionResult] = []
    if chance(19, of: 20) {
      values.append(loss().value)
      results.append(FunctionResult(name: "loss", role: .loss))
    }
    for (index, state) in states {
      let next: PoolValue
      if state.isFloat {
        let half = splat(0.5, state.type)
        let news = bounded(fetch(state.type))
        let kept = emit(.multiply, [state, half], bound: 1)
        let added = emit(.multiply, [news, half], bound: 1)
        next = emit(.add, [kept, added], bound: 2)
      } else {
        next = emit(.add, [state, splat(1, state.type)], bound: 20)
      }
      values.append(next.value)
      results.append(FunctionResult(name: "new\(index)", role: .update(of: index)))
    }
    for index in 0..<number(results.isEmpty ? 1...3 : 0...3) {
      values.append(pick(pool).value)
      results.append(FunctionResult(name: "out\(index)"))
    }
    return builder.finish(returning: values, as: results).prunedCallees()
  }

  /// The sum of the means of some values, at least one of which depends on a parameter.
  private mutating func loss() -> PoolValue {
    let dtype: DType = mainDType == .f64 ? .f64 : .f32
    var total: PoolValue?
    for _ in 0..<number(1...3) {
      let found = pickValue { $0.isActive && $0.isFloat }
      var term = bounded(found ?? argument(TensorType(mainDType, [3]), role: .parameter))
      if chance(1, of: 2) { term = emit(.multiply, [term, term], bound: 4) }
      if term.type.dtype != dtype {
        term = emit(.convert, [term], type: term.type.with(dtype), bound: term.bound)
      }
      let count = Double(term.type.elementCount)
      let sum = emit(
        .reduce, [term],
        [.kind: .symbol("add"), .dims: .ints(Array(term.type.shape.indices))],
        bound: term.bound * count, isExact: false)
      let mean = emit(
        .multiply, [sum, splat(1 / count, sum.type)], bound: term.bound, isExact: false)
      total = total.map { emit(.add, [$0, mean], bound: $0.bound + mean.bound) } ?? mean
    }
    return total!
  }
}
