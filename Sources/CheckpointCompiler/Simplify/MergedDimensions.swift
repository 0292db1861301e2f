// Loops before and after a merging of dimensions, in one shape.
//
// Problem     Group normalization splits channels into groups, takes means, and merges them again before
//             gains, biases and what follows. A kernel is a loop over one shape, so each merging ends one:
//             what stands behind it is one more pass over the data, and in the backward pass one more
//             tensor of that size.
// Method      What elementwise ops and reductions make of a merged value, they make of the value before
//             the merging; the dimensions are merged after them, where other ops ask for it. The finer
//             shape is always the one that is kept: each dimension of the coarser one is a run of its
//             dimensions, so that every broadcast and every reduction can be written in it. Constants,
//             broadcasts, and elementwise ops and random numbers that such an op alone reads are made in
//             the shape that it has; all others are split by a reshape, which moves nothing.
// Bounds      Only values that elementwise ops and reductions make lead: those of products are stored
//             anyway, and a reshape behind a product stays there.
// Bits        Reductions may go over their elements in another order than in the text.
// Cost        O(ops + operands).

/// Does elementwise ops and reductions of merged values before the merging.
let mergedDimensions = Pass(
  name: "merges",
  summary: "does loops before dimensions are merged, by rounding another result"
) { function in
  let shapes = FineShapes(function)
  guard shapes.moves else { return nil }
  var rewriter = MergingRewriter(function, shapes)
  return rewriter.run()
}

/// The finer shapes that values of a function are made in.
private struct FineShapes {
  private let function: Function
  private var shapes: Table<ValueID, [Int]?>
  /// Whether any op is done before a merging.
  private(set) var moves = false

  subscript(value: ValueID) -> [Int]? { shapes[value] }

  init(_ function: Function) {
    self.function = function
    shapes = Table(repeating: nil, count: function.values.count)
    let ops = function.blocks[function.body].ops
    for op in ops { follow(op) }
    guard moves else { return }
    var readers = Table<ValueID, Int32>(repeating: 0, count: function.values.count)
    for op in function.opsInOrder {
      for operand in function.operands(of: op) { readers[operand] += 1 }
    }
    for op in ops.reversed() where function.ops[op].opcode.isElementwise {
      guard let finer = shapes[function.result(of: op)] else { continue }
      for operand in elements(of: op) where shapes[operand] == nil && readers[operand] == 1 {
        guard let source = function.definingOp(of: operand) else { continue }
        let opcode = function.ops[source].opcode
        if opcode.isElementwise || opcode == .random { shapes[operand] = finer }
      }
    }
  }

  private func shape(_ value: ValueID) -> [Int] { function.type(of: value).shape }

  /// The operands of an elementwise op that have an element for each of the result; not those that are
  /// one number.
  private func elements(of op: OpID) -> [ValueID] {
    let own = shape(function.result(of: op))
    return function.operands(of: op).filter { shape($0) == own }
  }

  /// The dimensions that a reduction reduces of its operand's finer shape; nil where that is none.
  func reducedDims(of op: OpID) -> [Int]? {
    let operand = function.operands(of: op).first!
    guard let finer = shapes[operand], let runs = mergedRuns(of: finer, into: shape(operand)) else {
      return nil
    }
    return function.ops[op].attributes.ints(.dims)!.flatMap { Array(runs[$0]) }
  }

  /// Gives the result of an op a finer shape where an operand has one.
  private mutating func follow(_ op: OpID) {
    guard function.results(of: op).count == 1 else { return }
    let result = function.result(of: op)
    switch function.ops[op].opcode {
    case .reshape:
      let operand = function.operands(of: op).first!
      let isMadeByLoop = function.definingOp(of: operand).map {
        function.ops[$0].opcode.isElementwise || function.ops[$0].opcode == .reduce
      }
      let finer = shapes[operand] ?? shape(operand)
      if isMadeByLoop ?? false, mergedRuns(of: finer, into: shape(result)) != nil {
        shapes[result] = finer
      }
    case .reduce:
      let operand = function.operands(of: op).first!
      guard let finer = shapes[operand], let dims = reducedDims(of: op) else { return }
      shapes[result] = finer.indices.filter { !dims.contains($0) }.map { finer[$0] }
      moves = true
    case let opcode where opcode.isElementwise:
      guard let finer = elements(of: op).compactMap({ shapes[$0] }).first else { return }
      shapes[result] = finer
      moves = true
    default: break
    }
  }
}

/// One rewriting.
private struct MergingRewriter {
  private let function: Function
  private let shapes: FineShapes
  private var builder: FunctionBuilder
  /// Values as the text has them, and in the finer shapes.
  private var plain: ValueMap
  private var fine: ValueMap

  init(_ function: Function, _ shapes: FineShapes) {
    self.function = function
    self.shapes = shapes
    builder = FunctionBuilder(name: function.name)
    builder.setGradientFunction(function.gradientFunction)
    plain = ValueMap(for: function)
    fine = ValueMap(for: function)
    builder.cloneArguments(of: function, into: &plain)
  }

  /// The function with loops before mergings.
  mutating func run() -> Function {
    let ops = function.blocks[function.body].ops
    for op in ops.dropLast() where !append(op) && !isMadeWhenAsked(op) { clone(op) }
    let returned = function.returnedValues.map { plainImage(of: $0) }
    return builder.finish(
      returning: returned, as: function.results, location: function.ops[ops.last!].location)
  }

  // MARK: Images

  private func shape(_ value: ValueID) -> [Int] { function.type(of: value).shape }

  private mutating func clone(_ op: OpID) {
    for operand in function.operands(of: op) { _ = plainImage(of: operand) }
    builder.clone(op, of: function, map: &plain)
  }

  /// Whether an op makes its result in any shape as easily, for nearly nothing.
  private func isMadeWhenAsked(_ op: OpID) -> Bool {
    switch function.ops[op].opcode {
    case .broadcastInDim: return true
    case .constant:
      if case .splat? = function.ops[op].attributes.constant { return true }
      return false
    default: return false
    }
  }

  /// The value as the text has it.
  private mutating func plainImage(of value: ValueID) -> ValueID {
    if let image = plain[value] { return image }
    let op = function.definingOp(of: value)!
    if let image = fine[value], shapes[value] != nil {
      plain[value] = reshaped(image, value, to: shape(value))
    } else {
      clone(op)
    }
    return plain[value]!
  }

  /// The value in a shape that its own is merged from.
  private mutating func image(of value: ValueID, in finer: [Int]) -> ValueID {
    if let image = fine[value], builder.type(of: image).shape == finer { return image }
    if shapes[value] == nil, let op = function.definingOp(of: value), isMadeWhenAsked(op),
      let image = made(op, function.type(of: value).with(shape: finer))
    {
      fine[value] = image
    } else {
      let image = reshaped(plainImage(of: value), value, to: finer)
      guard shapes[value] == nil else { return image }
      fine[value] = image
    }
    return fine[value]!
  }

  private mutating func reshaped(
    _ image: ValueID, _ value: ValueID, to shape: [Int]
  ) -> ValueID {
    guard builder.type(of: image).shape != shape else { return image }
    return builder.emit(
      .reshape, [image], type: builder.type(of: image).with(shape: shape),
      name: function.values[value].name)
  }

  /// A constant or a broadcast in a finer shape; nil where that is none.
  private mutating func made(_ op: OpID, _ type: TensorType) -> ValueID? {
    guard function.ops[op].opcode == .broadcastInDim else { return add(op, [], type) }
    let operand = function.operands(of: op).first!
    let dims = function.ops[op].attributes.ints(.dims)!
    let result = shape(function.result(of: op))
    guard zip(dims, dims.dropFirst()).allSatisfy(<),
      let runs = mergedRuns(of: type.shape, into: result)
    else { return nil }
    // What is repeated along a dimension is repeated along all of its run.
    let own = zip(shape(operand), dims).filter { $0 == result[$1] }.flatMap { Array(runs[$1]) }
    let small = image(of: operand, in: own.map { type.shape[$0] })
    return add(op, [small], type, dims: own)
  }

  /// Appends an op like one of the function; returns its result.
  private mutating func add(
    _ op: OpID, _ operands: [ValueID], _ type: TensorType, dims: [Int]? = nil
  ) -> ValueID {
    var attributes = function.ops[op].attributes
    if let dims { attributes[.dims] = .ints(dims) }
    let copy = builder.appendUnchecked(
      function.ops[op].opcode, operands, attributes, types: [type],
      names: [function.values[function.result(of: op)].name], location: function.ops[op].location)
    return builder.function.result(of: copy)
  }

  // MARK: Ops

  /// Appends an op whose result has a finer shape; false for all others.
  private mutating func append(_ op: OpID) -> Bool {
    guard function.results(of: op).count == 1 else { return false }
    let result = function.result(of: op)
    guard let finer = shapes[result] else { return false }
    let operands = Array(function.operands(of: op))
    let type = function.type(of: result).with(shape: finer)
    switch function.ops[op].opcode {
    case .reshape: fine[result] = image(of: operands[0], in: finer)
    case .reduce:
      let split = image(of: operands[0], in: shapes[operands[0]]!)
      fine[result] = add(op, [split], type, dims: shapes.reducedDims(of: op))
    default:
      let images = operands.map {
        shape($0) == shape(result) ? image(of: $0, in: finer) : plainImage(of: $0)
      }
      fine[result] = add(op, images, type)
    }
    return true
  }
}

/// The run of dimensions of a shape that each dimension of a coarser one is; nil where the coarser one is
/// no merging of at least two that are longer than 1.
private func mergedRuns(of fine: [Int], into coarse: [Int]) -> [Range<Int>]? {
  var runs: [Range<Int>] = []
  var next = 0
  var merges = false
  for (index, extent) in coarse.enumerated() {
    let start = next
    var product = 1
    var long = 0
    while next < fine.count, product < extent || (fine[next] == 1 && index == coarse.count - 1) {
      product *= fine[next]
      long += fine[next] == 1 ? 0 : 1
      next += 1
    }
    guard product == extent else { return nil }
    merges = merges || long > 1
    runs.append(start..<next)
  }
  return next == fine.count && merges ? runs : nil
}
