// Random loops and branches, whose functions are random programs of their own.
//
// Method      A function is generated like a program, on some given arguments; the arguments that it
//             asks for besides become captured values. Loops count to a constant, or, where nothing is
//             differentiated, to a number that only the step knows.
// Bounds      What a loop carries stays as small as it starts, so that no number of trips makes it
//             large.

import CheckpointCompiler

extension ProgramGenerator {
  /// How deep loops and branches nest.
  private static let depthMax = 2

  mutating func controlFlow() {
    guard depth < ProgramGenerator.depthMax else { return }
    if chance(2, of: 3) { loop() } else { branch() }
  }

  /// A function of some arguments: its results, one of each given type, and the arguments that it
  /// asked for besides.
  private mutating func makeFunction(
    _ name: String, arguments: [PoolValue], carried: Int, resultTypes: [TensorType]
  ) -> (generator: ProgramGenerator, results: [PoolValue]) {
    var inner = ProgramGenerator(inside: self, name: name)
    for (index, argument) in arguments.enumerated() {
      let own = inner.argument(argument.type, role: .input)
      inner.pool[inner.pool.count - 1] = PoolValue(
        value: own.value, type: own.type, bound: argument.bound,
        isExact: argument.isExact && (index >= carried || !own.isFloat),
        // A carried value may depend on a parameter from the second trip on.
        isActive: argument.isActive || index < carried && own.isFloat)
    }
    for _ in 0..<number(1...4) { inner.appendSomething() }
    let results = resultTypes.map { inner.bounded(inner.fetch($0)) }
    random = inner.random
    nameCount = inner.nameCount
    return (inner, results)
  }

  /// The values for the arguments that a function asked for, the same value for every key.
  private mutating func captured(_ inner: ProgramGenerator, from first: Int) -> [PoolValue] {
    inner.builder.function.arguments.dropFirst(first).map { argument in
      if argument.value == inner.key?.value { return randomKey() }
      let type = inner.builder.type(of: argument.value)
      let value = fetch(type, exact: true)
      // What was taken for no parameter may go through ops without a gradient.
      let isActive = inner.pool.contains { $0.value == argument.value && $0.isActive }
      return value.isActive && !isActive ? self.argument(type, role: .input) : value
    }
  }

  private mutating func loop() {
    let name = "f\(nameCount)"
    nameCount += 1
    let carried = (0..<number(1...3)).map { _ in bounded(pickFloat()) }
    let trips = number(0...4)
    let isCounted = depth > 0 || chance(4, of: 5) || carried.contains { $0.isActive }
    let zero = splat(Double(number(0...1)), TensorType(.i32))
    let counter = PoolValue(
      value: zero.value, type: zero.type, bound: 10, isExact: true, isActive: false)
    let types = carried.map(\.type)
    var (inner, results) = makeFunction(
      name, arguments: [counter] + carried, carried: carried.count + 1, resultTypes: types)
    let one = inner.splat(1, TensorType(.i32))
    let next = inner.builder.emit(
      .add, [inner.builder.function.arguments[0].value, one.value], name: "next")
    var operands = [counter] + carried + captured(inner, from: carried.count + 1)
    // Without a constant to count to, the gradient of the loop is unknown.
    let isUnknown = !isCounted && !operands.contains { $0.isActive }
    var limitArgument: ValueID?
    if isUnknown {
      limitArgument = inner.builder.addArgument(name: "limit", type: TensorType(.i32))
      operands.append(argument(TensorType(.i32), role: .input))
    }
    let body = inner.builder.finish(
      returning: [next] + results.map(\.value),
      as: (0...carried.count).map { FunctionResult(name: "r\($0)") })
    var test = FunctionBuilder(name: "\(name).more")
    var own: [ValueID] = []
    for argument in body.arguments {
      own.append(test.addArgument(name: "", type: body.type(of: argument.value)))
    }
    let limit =
      limitArgument == nil
      ? test.emit(
        .constant, [], [.value: .constant(.splat(DType.i32.encode(Double(trips))))],
        type: TensorType(.i32)) : own[own.count - 1]
    let goesOn = test.emit(.compare, [own[0], limit], [.direction: .symbol("lt")])
    builder.addCallee(body)
    builder.addCallee(test.finish(returning: [goesOn], as: [FunctionResult(name: "p")]))
    let op = builder.appendUnchecked(
      .while, operands.map(\.value),
      [.condition: .function("\(name).more"), .body: .function(name)],
      types: [TensorType(.i32)] + types)
    for (index, value) in builder.function.results(of: op).enumerated() where index > 0 {
      add(
        PoolValue(
          value: value, type: types[index - 1], bound: 2, isExact: false,
          isActive: carried[index - 1].isActive && results[index - 1].isActive))
    }
  }

  private mutating func branch() {
    let inputs = (0..<number(1...3)).map { _ in bounded(pickFloat()) }
    let types = (0..<number(1...2)).map { _ in
      chance(1, of: 2) ? inputs[0].type : TensorType(mainDType, newShape(rank: number(0...2)))
    }
    var operands = inputs
    var branches: [(generator: ProgramGenerator, results: [PoolValue])] = []
    for _ in 0..<number(1...3) {
      let name = "f\(nameCount)"
      nameCount += 1
      branches.append(
        makeFunction(name, arguments: operands, carried: 0, resultTypes: types))
      operands += captured(branches[branches.count - 1].generator, from: operands.count)
    }
    // All branches take what any of them asked for.
    for index in branches.indices {
      let have = branches[index].generator.builder.function.arguments.count
      for operand in operands.dropFirst(have) {
        branches[index].generator.builder.addArgument(name: "", type: operand.type)
      }
      builder.addCallee(
        branches[index].generator.builder.finish(
          returning: branches[index].results.map(\.value),
          as: types.indices.map { FunctionResult(name: "r\($0)") }))
    }
    let which = fetch(TensorType(.i32), exact: true)
    let op = builder.appendUnchecked(
      .case, ([which] + operands).map(\.value),
      [.branches: .functions(branches.map { $0.generator.builder.function.name })], types: types)
    for (index, value) in builder.function.results(of: op).enumerated() {
      add(
        PoolValue(
          value: value, type: types[index], bound: 2, isExact: false,
          isActive: branches.allSatisfy { $0.results[index].isActive }))
    }
  }
}
