// A fusion of one contraction, ops that make its factors, and elementwise ops over its result, as a
// contraction with prologues and an epilogue.
//
// Method      The expressions of one element are found as for a kernel of loops (`ElementReader`), with
//             the sum in place of the product. Then every index, a sum of loop variables times
//             constants, becomes a place that the loops of the contraction can count. What makes a
//             factor is apart: `PrologueLowering`.
// Buffers     First one for each factor, or the first value that its prologue reads; then what else the
//             prologues read; then what the epilogue reads and writes.
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

  /// Whether a kernel is a convolution, or holds one.
  func holdsConvolution(_ kernel: OpID) -> Bool {
    contractionOp(of: kernel).map { ops[$0].opcode == .convolution } ?? false
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
  /// The values from outside that the ops over the result read.
  let read: [ValueID]
  /// What makes the factors; nil where one is made outside.
  private let prologues: [PrologueLowering?]
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
    var definition: [ValueID: OpID] = [:]
    for op in ops { for result in function.results(of: op) { definition[result] = op } }
    let inner = Set(definition.keys)
    prologues = function.operands(of: contraction).map {
      PrologueLowering(function, ops: ops, factor: $0)
    }
    definition[function.result(of: contraction)] = nil
    let after = function.opsNeeded(by: outputs, among: definition)
    let before = Set(prologues.flatMap { $0?.ops ?? [] }).subtracting(after)
    var read: [ValueID] = []
    var seen = inner
    for op in ops where op != contraction && !before.contains(op) {
      for operand in function.operands(of: op) where seen.insert(operand).inserted {
        read.append(operand)
      }
    }
    for output in outputs where seen.insert(output).inserted { read.append(output) }
    self.read = read
    problem = shapeProblem ?? prologues.lazy.compactMap { $0?.problem }.first
  }

  /// What it becomes with buffers of some numbers; nil where `problem` says why there is none.
  mutating func trial() -> Contraction? {
    var buffers: [ValueID: Int] = [:]
    let first = factorReads.count
    for value in read { buffers[value] = first + buffers.count }
    return run(buffers: buffers, written: outputs.indices.map { first + buffers.count + $0 })
  }

  private var product: ValueID { function.result(of: contraction) }
  private var shape: [Int] { outputs.first.map { function.type(of: $0).shape } ?? [] }

  /// What the first buffers hold: the factors, or what they are made of.
  var factorReads: [ValueID] {
    let factors = Array(function.operands(of: contraction))
    return zip(factors, prologues).map { $1?.read.first ?? $0 }
      + prologues.flatMap { $0?.read.dropFirst() ?? [] }
  }

  /// Whether nothing is done with the product but to store it.
  private var storesProduct: Bool { outputs == [product] && prologues.contains { $0 != nil } }

  private var shapeProblem: String? {
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
    guard problem == nil else { return nil }
    var epilogue: Epilogue?
    if !storesProduct {
      epilogue = self.epilogue(buffers, written)
      guard epilogue != nil else { return nil }
    }
    let prologues = placedPrologues()
    let type = function.type(of: product)
    guard zip(self.prologues, prologues).allSatisfy({ ($0 == nil) == ($1 == nil) }),
      let result = Contraction(
        function.signature(of: contraction), result: type, epilogue: epilogue,
        prologues: prologues)
    else {
      problem = "its operands are read in another order than the product is made"
      return nil
    }
    // Whether there are panels does not depend on the machine.
    guard result.packsPrologues(.cpu(threadsMax: 1)) else {
      problem = "a factor is made where it is not packed"
      return nil
    }
    return result
  }

  /// The prologues with their buffers; nil where there is none, or it cannot run.
  private func placedPrologues() -> [Prologue?] {
    var next = prologues.count
    return prologues.enumerated().map { operand, lowering in
      guard let lowering else { return nil }
      var buffers: [ValueID: Int] = [:]
      for (index, value) in lowering.read.enumerated() {
        buffers[value] = index == 0 ? operand : next
        if index > 0 { next += 1 }
      }
      return lowering.run(buffers: buffers)
    }
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
    var places = ElementPlaces(own: own)
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
