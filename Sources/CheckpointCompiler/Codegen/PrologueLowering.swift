// The ops of a fusion that make a factor of its contraction, as a prologue.
//
// Method      The expressions of one element are found as for a kernel of loops (`ElementReader`), from the
//             factor back to what is read from outside; then every index becomes a place, and every load
//             a lane of a row that the operand is gathered into.
// Invariants  The expressions are those that a kernel of loops would have, so the bits are the same.

/// Lowers what makes one factor of a contraction.
struct PrologueLowering {
  /// What one element may be made of: values from outside, and places that they are read at.
  private static let readsMax = 6
  private static let placesMax = 8

  private let function: Function
  private let factor: ValueID
  private let inner: Set<ValueID>
  /// The ops that make the factor, ascending.
  let ops: [OpID]
  /// The values from outside that they read.
  let read: [ValueID]

  /// - Parameters:
  ///   - function: The function.
  ///   - ops: The ops of the fusion, ascending.
  ///   - factor: A factor of its contraction.
  ///
  /// It is nil where the factor is made outside.
  init?(_ function: Function, ops: [OpID], factor: ValueID) {
    var definition: [ValueID: OpID] = [:]
    for op in ops { for result in function.results(of: op) { definition[result] = op } }
    guard definition[factor] != nil else { return nil }
    self.function = function
    self.factor = factor
    inner = Set(definition.keys)
    let needed = function.opsNeeded(by: [factor], among: definition)
    self.ops = ops.filter(needed.contains)
    var read: [ValueID] = []
    var seen = inner
    for op in self.ops {
      for operand in function.operands(of: op) where seen.insert(operand).inserted {
        read.append(operand)
      }
    }
    self.read = read
  }

  /// Why it cannot run where the factor is packed; nil where nothing is known against it.
  var problem: String? {
    guard function.type(of: factor).dtype.isFloatingPoint, (1...Self.readsMax).contains(read.count)
    else { return "a factor is made of no value or of more than \(Self.readsMax)" }
    return nil
  }

  /// The prologue, given the buffers of what is read.
  ///
  /// - Returns: nil where elements are not read in the order of loops.
  func run(buffers: [ValueID: Int]) -> Prologue? {
    guard problem == nil else { return nil }
    let shape = function.type(of: factor).shape
    var reader = ElementReader(function, inner: inner, buffers: buffers, extents: shape)
    reader.fullIndices = shape.indices.map { shape[$0] == 1 ? Index() : .variable($0) }
    reader.keptIndices = reader.fullIndices
    let element = reader.read(factor, at: reader.fullIndices)
    guard !reader.isTooLarge else { return nil }
    let strides = TensorType(.f32, shape).strides
    var places = ElementPlaces(own: shape.indices.map { shape[$0] == 1 ? 0 : strides[$0] })
    let statements = withoutUnusedDefinitions(reader.statements, keeping: element)
    let placed = statements.compactMap { places.placed($0) }
    guard placed.count == statements.count, let element = places.placed(element),
      places.others.count <= Self.placesMax
    else { return nil }
    var rows = OperandRows()
    let gathered = placed.compactMap { rows.gathered($0) }
    guard gathered.count == placed.count, let element = rows.gathered(element),
      rows.operands.count <= Self.readsMax
    else { return nil }
    return Prologue(
      shape: shape, places: places.others, operands: rows.operands, statements: gathered,
      element: element, buffers: read.compactMap { buffers[$0] }, flops: flops)
  }

  private var flops: Double {
    ops.reduce(0) { sum, op in
      let signature = function.signature(of: op)
      let type = function.type(of: function.result(of: op))
      guard function.ops[op].opcode.isElementwise, type.elementCount > 0 else { return sum }
      return sum + signature.opcode.definition.cost(signature, type).flops
        / Double(type.elementCount)
    }
  }
}

/// Turns loads into lanes of rows.
private struct OperandRows {
  private(set) var operands: [Prologue.Operand] = []

  mutating func gathered(_ statement: Statement) -> Statement? {
    guard case .define(let local, let dtype, let expression) = statement else { return nil }
    return gathered(expression).map { .define(local: local, dtype, $0) }
  }

  /// nil where it is a number made of a place.
  mutating func gathered(_ expression: Expression) -> Expression? {
    switch expression {
    case .local, .constant, .neutral: return expression
    case .load(let buffer, let index):
      var place: Int?
      if case .variable(let number)? = index.terms.first?.atom { place = number }
      let operand = Prologue.Operand(buffer: buffer, place: place, offset: index.constant)
      let row = operands.firstIndex(of: operand) ?? operands.count
      if row == operands.count { operands.append(operand) }
      return .lane(row: row, .variable(0))
    case .apply(let opcode, let from, let to, let inner, let direction):
      let gathered = inner.compactMap { self.gathered($0) }
      guard gathered.count == inner.count else { return nil }
      return .apply(opcode, from: from, to: to, gathered, direction: direction)
    case .number, .combine, .choose, .lane, .randomWord, .uniform: return nil
    }
  }
}

extension Function {
  /// The ops that some values are made of, as far as a table of definitions goes.
  func opsNeeded(by values: [ValueID], among definition: [ValueID: OpID]) -> Set<OpID> {
    var needed: Set<OpID> = []
    var stack = values
    while let value = stack.popLast() {
      guard let op = definition[value], needed.insert(op).inserted else { continue }
      stack += operands(of: op)
    }
    return needed
  }
}

extension Function {
  /// Whether a kernel makes a factor of its contraction itself.
  func hasPrologue(_ kernel: OpID) -> Bool {
    guard ops[kernel].opcode == .fusion, let contraction = contractionOp(of: kernel) else {
      return false
    }
    let region = ops[contraction].block
    return operands(of: contraction).contains { factor in
      definingOp(of: factor).map { ops[$0].block == region } ?? false
    }
  }

  /// Whether an op is a contraction that packs its factors in every part.
  func packsFactors(_ op: OpID) -> Bool {
    guard ops[op].opcode.isSumOfProducts,
      let contraction = Contraction(signature(of: op), result: type(of: result(of: op)))
    else { return false }
    return contraction.winograd == nil
      && contraction.parts.allSatisfy { part in
        // The form does not depend on the machine.
        guard case .packed = part.form(contraction.dtypes, .cpu(threadsMax: 1)) else {
          return false
        }
        return true
      }
  }
}
