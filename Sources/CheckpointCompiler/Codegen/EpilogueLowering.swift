// A fusion of one contraction and elementwise ops over its result, as a contraction with an epilogue.
//
// Method      The expressions of one element are found as for a kernel of loops (`ElementReader`), with
//             the sum in place of the product. Then every index, a sum of loop variables times
//             constants, becomes a place that the loops of the contraction can count.
// Invariants  The expressions are those that a kernel of loops would have, so the bits are the same.

extension Opcode {
  /// Whether it is what a `Contraction` computes.
  var isSumOfProducts: Bool { self == .dotGeneral || self == .convolution }
}

extension Function {
  /// The contraction of a kernel, itself or inside a fusion; nil where it has none.
  func contractionOp(of kernel: OpID) -> OpID? {
    guard ops[kernel].opcode == .fusion else {
      return ops[kernel].opcode.isSumOfProducts ? kernel : nil
    }
    return opsOfKernel(kernel).first { ops[$0].opcode.isSumOfProducts }
  }
}

/// Lowers a contraction and the elementwise ops in its kernel.
struct EpilogueLowering {
  /// Dimensions, operands and statements are few in practice; a text may hold others.
  private static let placesMax = 16

  private let function: Function
  private let contraction: OpID
  private let ops: [OpID]
  /// The inner values that are written.
  let outputs: [ValueID]
  /// The values from outside that the elementwise ops read.
  let read: [ValueID]
  /// Why it is no contraction with an epilogue; nil where it is one.
  private(set) var problem: String?

  /// A fusion that holds a contraction.
  init(_ function: Function, _ fusion: OpID) {
    let parts = FusionParts(function, fusion)
    self.init(function, ops: parts.ops, outputs: parts.outputs)
  }

  /// Ops that would run as one kernel.
  ///
  /// - Precondition: One of them is a contraction.
  init(_ function: Function, ops: [OpID], outputs: [ValueID]) {
    self.function = function
    self.ops = ops
    self.outputs = outputs
    contraction = ops.first { function.ops[$0].opcode.isSumOfProducts }!
    var inner: Set<ValueID> = []
    for op in ops { inner.formUnion(function.results(of: op)) }
    var read: [ValueID] = []
    var seen = inner
    for op in ops where op != contraction {
      for operand in function.operands(of: op) where seen.insert(operand).inserted {
        read.append(operand)
      }
    }
    for output in outputs where seen.insert(output).inserted { read.append(output) }
    self.read = read
    problem = shapeProblem(inner)
  }

  /// What it becomes with buffers of some numbers; nil where `problem` says why there is none.
  mutating func trial() -> Contraction? {
    var buffers: [ValueID: Int] = [:]
    for value in read { buffers[value] = 2 + buffers.count }
    return run(buffers: buffers, written: outputs.indices.map { 2 + buffers.count + $0 })
  }

  private var product: ValueID { function.result(of: contraction) }
  private var shape: [Int] { outputs.first.map { function.type(of: $0).shape } ?? [] }

  /// The factors, in the order of the contraction.
  var factors: [ValueID] { Array(function.operands(of: contraction)) }

  private func shapeProblem(_ inner: Set<ValueID>) -> String? {
    let name = function.ops[contraction].opcode.name
    for op in ops where op != contraction {
      let opcode = function.ops[op].opcode
      if opcode.isSumOfProducts { return "it holds two contractions" }
      if opcode == .random || opcode == .reduce {
        return "'\(opcode.name)' cannot stand after '\(name)' in a 'fusion'"
      }
    }
    guard function.type(of: product).dtype.isFloatingPoint else {
      return "its '\(name)' is not of floating-point numbers"
    }
    guard !factors.contains(where: inner.contains) else {
      return "its '\(name)' reads what it makes itself"
    }
    guard function.type(of: product).elementCount == shape.reduce(1, *),
      outputs.allSatisfy({ function.type(of: $0).shape == shape })
    else { return "it yields other shapes than the result of its '\(name)'" }
    return nil
  }

  /// Lowers the ops.
  ///
  /// - Parameters:
  ///   - buffers: The buffers of what is read.
  ///   - written: The buffers of the outputs.
  /// - Returns: The contraction, or nil where `problem` says why there is none.
  mutating func run(buffers: [ValueID: Int], written: [Int]) -> Contraction? {
    guard problem == nil, let epilogue = epilogue(buffers, written) else { return nil }
    let type = function.type(of: product)
    guard
      let result = Contraction(
        function.signature(of: contraction), result: type, epilogue: epilogue)
    else {
      problem = "its operands are read in another order than the product is made"
      return nil
    }
    return result
  }

  private mutating func epilogue(_ buffers: [ValueID: Int], _ written: [Int]) -> Epilogue? {
    let domain = shape
    var inner: Set<ValueID> = []
    for op in ops where op != contraction { inner.formUnion(function.results(of: op)) }
    // The product at another place than that of the loops would be a load of this buffer.
    let elsewhere = -1
    var known = buffers
    known[product] = elsewhere
    var reader = ElementReader(function, inner: inner, buffers: known, extents: domain)
    reader.fullIndices = domain.indices.map { domain[$0] == 1 ? Index() : .variable($0) }
    reader.keptIndices = reader.fullIndices
    reader.nextLocal = Epilogue.sum + 1
    for value in sumValues where function.type(of: value).shape == domain {
      reader.rows[value] = .local(Epilogue.sum)
    }
    let strides = TensorType(.f32, domain).strides
    let own = domain.indices.map { domain[$0] == 1 ? 0 : strides[$0] }
    // All is read before anything is written, so that results may lie over operands.
    var stores: [Statement] = []
    for (value, buffer) in zip(outputs, written) {
      let element = reader.read(value, at: reader.fullIndices)
      let place = reader.place(reader.linear(value, reader.fullIndices))
      stores.append(.store(buffer: buffer, place, function.type(of: value).dtype, element))
    }
    let statements = reader.statements + stores
    guard !reader.isTooLarge else {
      problem = "it reads its values at more than \(ElementReader.readsMax) places"
      return nil
    }
    var places = EpiloguePlaces(own: own)
    let placed = statements.compactMap { places.placed($0) }
    guard placed.count == statements.count, places.others.count <= Self.placesMax else {
      problem = "it reads elements in an order that is not that of loops"
      return nil
    }
    guard !places.loaded.contains(elsewhere) else {
      problem = "it reads the product at another place than the one that is made"
      return nil
    }
    return Epilogue(
      shape: domain, places: places.others, statements: withoutUnusedDefinitions(placed),
      totals: totals(written))
  }

  /// The product and its views.
  private var sumValues: [ValueID] {
    var values = [product]
    for op in ops where function.ops[op].opcode == .reshape {
      if function.operands(of: op).allSatisfy(values.contains) {
        values.append(function.result(of: op))
      }
    }
    return values
  }

  /// The buffer of a result that can hold sums: no operand of its type could lie in the same place.
  private func totals(_ written: [Int]) -> Int? {
    let dtype = function.type(of: product).dtype
    guard dtype == .f32 || dtype == .f64 else { return nil }
    for (value, buffer) in zip(outputs, written) {
      let output = function.type(of: value)
      if output.dtype == dtype, !read.contains(where: { function.type(of: $0) == output }) {
        return buffer
      }
    }
    return nil
  }
}

/// Turns indices over the dimensions into places.
private struct EpiloguePlaces {
  /// Strides of the place of the element.
  let own: [Int]
  /// Strides of the other places.
  private(set) var others: [[Int]] = []
  /// The buffers that are loaded from.
  private(set) var loaded: Set<Int> = []

  init(own: [Int]) { self.own = own }

  /// A place and a constant; nil where the index is not linear in the dimensions.
  private mutating func placed(_ index: Index) -> Index? {
    var strides = Array(repeating: 0, count: own.count)
    for term in index.terms {
      guard case .variable(let dim) = term.atom, own.indices.contains(dim) else { return nil }
      strides[dim] = term.factor
    }
    if strides.allSatisfy({ $0 == 0 }) { return Index(index.constant) }
    if strides == own { return Index.variable(0) + index.constant }
    let number = others.firstIndex(of: strides) ?? others.count
    if number == others.count { others.append(strides) }
    return Index.variable(number + 1) + index.constant
  }

  mutating func placed(_ statement: Statement) -> Statement? {
    switch statement {
    case .define(let local, let dtype, let expression):
      return placed(expression).map { .define(local: local, dtype, $0) }
    case .store(let buffer, let index, let dtype, let expression):
      guard let index = placed(index), let expression = placed(expression) else { return nil }
      return .store(buffer: buffer, index, dtype, expression)
    case .definePlace, .defineRow, .defineScratchRow, .assignLane, .loop, .lanes, .blocks, .part,
      .when, .randomWords:
      return nil
    }
  }

  private mutating func placed(_ expression: Expression) -> Expression? {
    switch expression {
    case .local, .constant, .neutral: return expression
    case .load(let buffer, let index):
      loaded.insert(buffer)
      return placed(index).map { .load(buffer: buffer, $0) }
    case .number(let index, let dtype): return placed(index).map { .number($0, dtype) }
    case .apply(let opcode, let from, let to, let operands, let direction):
      let operands = operands.compactMap { placed($0) }
      guard operands.count == expression.operandCount else { return nil }
      return .apply(opcode, from: from, to: to, operands, direction: direction)
    case .combine, .choose, .lane, .randomWord, .uniform: return nil
    }
  }
}

extension Expression {
  fileprivate var operandCount: Int {
    if case .apply(_, _, _, let operands, _) = self { operands.count } else { 0 }
  }
}
