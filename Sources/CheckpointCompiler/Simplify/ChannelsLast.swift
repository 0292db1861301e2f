// Convolution networks with channels last in memory, however their text has them.
//
// Problem     PyTorch writes images as batch, channels, height, width. Products over channels then read
//             numbers far apart: such a convolution takes half as long again as one whose channels are
//             neighbours, and minimal filtering needs them so.
// Method      Convolutions whose operands and result begin with batch and feature get channels last. From
//             there the layout spreads forward: a value may have an image as it was written, one with
//             channels last, or both, and each is made when it is first asked for. Elementwise ops,
//             windows, pads and the like work in whichever layout their operands have; reductions that
//             leave what is left in order give results as they were; broadcasts and constants are made in
//             the layout that is wanted. All others, and results of the function, get values as they were
//             written.
// Gradients   Of taps, the result has taps first and is turned back, as it is small.
// Bits        Reductions go over their elements in another order than in the text.
// Cost        O(ops + operands), and a transpose where layouts meet.

/// Gives convolutions channels last.
let channelsLast = Pass(
  name: "layout", summary: "puts channels last for convolutions, by rounding another result"
) { function in
  let body = function.blocks[function.body].ops
  guard body.contains(where: { ChannelsLast.isTurned($0, in: function) }) else { return nil }
  var pass = ChannelsLast(function)
  return pass.run()
}

/// One rewriting.
private struct ChannelsLast {
  private let function: Function
  private var builder: FunctionBuilder
  /// Images as the text has them, and with channels last.
  private var plain: ValueMap
  private var last: ValueMap

  init(_ function: Function) {
    self.function = function
    builder = FunctionBuilder(name: function.name)
    builder.setGradientFunction(function.gradientFunction)
    plain = ValueMap(for: function)
    last = ValueMap(for: function)
    builder.cloneArguments(of: function, into: &plain)
  }

  mutating func run() -> Function {
    let ops = function.blocks[function.body].ops
    for op in ops.dropLast() where !append(op) {
      // Made when asked for.
      guard !isMadeAnywhere(op) else { continue }
      for operand in function.operands(of: op) { _ = plainImage(of: operand) }
      builder.clone(op, of: function, map: &plain)
    }
    let returned = function.returnedValues.map { plainImage(of: $0) }
    return builder.finish(
      returning: returned, as: function.results, location: function.ops[ops.last!].location)
  }

  // MARK: Layouts

  /// Where the dimensions of a value with channels last come from: the second one goes to the end.
  private static func order(rank: Int) -> [Int] { [0] + Array(2..<rank) + [1] }

  private static func turned<T>(_ list: [T]) -> [T] { order(rank: list.count).map { list[$0] } }

  /// Where a dimension of the text is when channels are last.
  private static func place(of dim: Int, rank: Int) -> Int {
    dim == 0 ? 0 : dim == 1 ? rank - 1 : dim - 1
  }

  private func rank(_ value: ValueID) -> Int { function.type(of: value).rank }

  private func isLast(_ value: ValueID) -> Bool { last[value] != nil }

  /// Whether an op makes a value of some dimensions as easily in either layout.
  private func isMadeAnywhere(_ op: OpID) -> Bool {
    guard let result = function.results(of: op).first, rank(result) >= 3 else { return false }
    switch function.ops[op].opcode {
    case .broadcastInDim:
      let dims = function.ops[op].attributes.ints(.dims)!
      return isAscending(dims.map { Self.place(of: $0, rank: rank(result)) })
    case .constant:
      if case .splat? = function.ops[op].attributes.constant { return true }
      return false
    default: return false
    }
  }

  private func isAscending(_ dims: [Int]) -> Bool { zip(dims, dims.dropFirst()).allSatisfy(<) }

  /// The value as the text has it.
  private mutating func plainImage(of value: ValueID) -> ValueID {
    if let image = plain[value] { return image }
    let op = function.definingOp(of: value)!
    if let image = last[value] {
      let rank = rank(value)
      let back = (0..<rank).map { Self.place(of: $0, rank: rank) }
      plain[value] = builder.emit(
        .transpose, [image], [.dims: .ints(back)], name: function.values[value].name,
        location: function.ops[op].location)
    } else {
      for operand in function.operands(of: op) { _ = plainImage(of: operand) }
      builder.clone(op, of: function, map: &plain)
    }
    return plain[value]!
  }

  /// The value with channels last.
  private mutating func lastImage(of value: ValueID) -> ValueID {
    if let image = last[value] { return image }
    let rank = rank(value)
    if plain[value] == nil, let op = function.definingOp(of: value), isMadeAnywhere(op) {
      var attributes = function.ops[op].attributes
      if let dims = attributes.ints(.dims) {
        attributes[.dims] = .ints(dims.map { Self.place(of: $0, rank: rank) })
      }
      last[value] = add(
        op, function.operands(of: op).map { plainImage(of: $0) }, attributes,
        type: turnedType(of: value))
    } else {
      let image = plainImage(of: value)
      last[value] = builder.emit(
        .transpose, [image], [.dims: .ints(Self.order(rank: rank))],
        name: function.values[value].name)
    }
    return last[value]!
  }

  private func turnedType(of value: ValueID) -> TensorType {
    let type = function.type(of: value)
    return type.with(shape: Self.turned(type.shape))
  }

  /// Appends an op like one of the function; returns its result.
  private mutating func add(
    _ op: OpID, _ operands: [ValueID], _ attributes: Attributes, type: TensorType
  ) -> ValueID {
    let copy = builder.appendUnchecked(
      function.ops[op].opcode, operands, attributes, types: [type],
      names: [function.values[function.result(of: op)].name], location: function.ops[op].location)
    return builder.function.result(of: copy)
  }

  // MARK: Ops

  /// Appends an op that takes part in the layout; false for all others.
  private mutating func append(_ op: OpID) -> Bool {
    let opcode = function.ops[op].opcode
    let operands = Array(function.operands(of: op))
    if Self.isTurned(op, in: function) {
      appendConvolution(op)
      return true
    }
    guard operands.contains(where: isLast), function.results(of: op).count == 1 else {
      return false
    }
    let result = function.result(of: op)
    let first = operands[0]
    switch opcode {
    case _ where opcode.isElementwise:
      let shape = function.type(of: result).shape
      let images = operands.map {
        function.type(of: $0).shape == shape ? lastImage(of: $0) : plainImage(of: $0)
      }
      last[result] = add(op, images, function.ops[op].attributes, type: turnedType(of: result))
    case .reduceWindow, .selectAndScatter, .pad, .slice:
      guard isLast(first) else { return false }
      let images = operands.map { rank($0) == rank(first) ? lastImage(of: $0) : plainImage(of: $0) }
      last[result] = add(op, images, turnedLists(op, rank(first)), type: turnedType(of: result))
    case .concatenate:
      var attributes = function.ops[op].attributes
      attributes[.dim] = .int(Self.place(of: attributes.int(.dim)!, rank: rank(first)))
      let images = operands.map { lastImage(of: $0) }
      last[result] = add(op, images, attributes, type: turnedType(of: result))
    case .reduce: return appendReduction(op)
    case .transpose:
      let dims = function.ops[op].attributes.ints(.dims)!
      let composed = dims.map { Self.place(of: $0, rank: rank(first)) }
      let image = last[first]!
      plain[result] =
        composed == Array(composed.indices)
        ? image : add(op, [image], [.dims: .ints(composed)], type: function.type(of: result))
    case .reshape:
      // Elements are in the same order where nothing but the batch, or but channels, varies.
      let shape = function.type(of: first).shape
      let hasOnePlace = shape[2...].allSatisfy { $0 == 1 } || shape[1] == 1
      guard hasOnePlace else { return false }
      plain[result] = add(op, [last[first]!], [:], type: function.type(of: result))
    default: return false
    }
    return true
  }

  /// The attributes of an op with those that have an entry for every dimension in the new order.
  private func turnedLists(_ op: OpID, _ rank: Int) -> Attributes {
    var attributes = function.ops[op].attributes
    for entry in attributes.entries {
      guard case .ints(let list) = entry.value, list.count == rank else { continue }
      attributes[entry.name] = .ints(Self.turned(list))
    }
    return attributes
  }

  /// A reduction whose result has its dimensions in the same order either way.
  private mutating func appendReduction(_ op: OpID) -> Bool {
    let operand = function.operands(of: op).first!
    let rank = rank(operand)
    var attributes = function.ops[op].attributes
    let dims = attributes.ints(.dims)!
    let kept = (0..<rank).filter { !dims.contains($0) }
    guard isAscending(kept.map { Self.place(of: $0, rank: rank) }) else { return false }
    attributes[.dims] = .ints(dims.map { Self.place(of: $0, rank: rank) }.sorted())
    let result = function.result(of: op)
    plain[result] = add(op, [last[operand]!], attributes, type: function.type(of: result))
    return true
  }

  // MARK: Convolutions

  /// Whether an op is a convolution whose input and result begin with batch and feature, and have places
  /// after them.
  static func isTurned(_ op: OpID, in function: Function) -> Bool {
    guard function.ops[op].opcode == .convolution else { return false }
    let dims = ConvolutionDimensions(function.ops[op].attributes)
    let places = Array(2..<max(2, dims.rank))
    return dims.rank >= 3 && dims.inputSpatial == places && dims.outputSpatial == places
  }

  private mutating func appendConvolution(_ op: OpID) {
    let operands = Array(function.operands(of: op))
    let result = function.result(of: op)
    var dims = ConvolutionDimensions(function.ops[op].attributes)
    let rank = dims.rank
    let places = Array(1..<(rank - 1))
    func place(_ dim: Int) -> Int { Self.place(of: dim, rank: rank) }
    let kernelShape = function.type(of: operands[1]).shape
    let resultType = function.type(of: result)
    let makesTaps = dims.makesTaps(kernelShape, resultType.shape)

    let input = lastImage(of: operands[0])
    (dims.inputBatch, dims.inputFeature) = (place(dims.inputBatch), place(dims.inputFeature))
    dims.inputSpatial = places
    // The other factor is an image, or a kernel, which is packed from any layout.
    let turnsKernel = makesTaps && dims.kernelSpatial == Array(2..<rank)
    let factor = turnsKernel ? lastImage(of: operands[1]) : plainImage(of: operands[1])
    if turnsKernel {
      (dims.kernelInput, dims.kernelOutput) = (place(dims.kernelInput), place(dims.kernelOutput))
      dims.kernelSpatial = places
    }

    var attributes = function.ops[op].attributes
    if makesTaps {
      // Taps, then batch, then feature; and back.
      let order = Array(2..<rank) + [dims.outputBatch, dims.outputFeature]
      let back = (0..<rank).map { order.firstIndex(of: $0)! }
      dims.outputSpatial = Array(0..<(rank - 2))
      (dims.outputBatch, dims.outputFeature) = (rank - 2, rank - 1)
      attributes[.dimNumbers] = .string(dims.description)
      let taps = add(
        op, [input, factor], attributes,
        type: resultType.with(shape: order.map { resultType.shape[$0] }))
      plain[result] = builder.emit(
        .transpose, [taps], [.dims: .ints(back)], location: function.ops[op].location)
    } else {
      (dims.outputBatch, dims.outputFeature) = (place(dims.outputBatch), place(dims.outputFeature))
      dims.outputSpatial = places
      attributes[.dimNumbers] = .string(dims.description)
      last[result] = add(op, [input, factor], attributes, type: turnedType(of: result))
    }
  }
}
