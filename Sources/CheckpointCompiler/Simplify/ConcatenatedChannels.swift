// Convolutions of concatenated channels, without the concatenation.
//
// Problem     A decoder of a U-Net puts what comes from below beside what the encoder left, and convolves
//             both. Written down, that is a copy of both, the largest tensor of the network, and in the
//             backward pass another one, its gradient, of which slices are copied.
// Method      A convolution is linear. Of channels that are concatenated it is the sum of the convolutions
//             of the parts with their part of the kernel; the gradient of the kernel is the concatenation
//             of those of its parts, whose batch the channels are; and channels that are cut out of a
//             result are the result of a part of the kernel. The parts of kernels are small.
// Bounds      A concatenation goes only where all that read it are such convolutions, and where the sums
//             that are written instead are no larger. Each part has enough channels for the registers of
//             a kernel. Sums of bf16 and f16 would be rounded twice and stay.
// Bits        A sum of convolutions rounds after each of them.
// Cost        O(ops + operands).

/// Splits convolutions where their channels are concatenated or cut.
let concatenatedChannels = Pass(
  name: "channels",
  summary: "splits convolutions of concatenated channels, by rounding another result"
) { function in
  let splits = ChannelSplits(function)
  guard !splits.isEmpty else { return nil }
  var builder = FunctionBuilder(name: function.name)
  builder.setGradientFunction(function.gradientFunction)
  var map = ValueMap(for: function)
  builder.cloneArguments(of: function, into: &map)
  for op in function.blocks[function.body].ops.dropLast() {
    if let split = splits.of[op] {
      split.append(op, of: function, to: &builder, &map)
    } else if !splits.isDropped(op) {
      builder.clone(op, of: function, map: &map)
    }
  }
  let last = function.ops[function.blocks[function.body].ops.last!]
  return builder.finish(
    returning: function.operands(of: last).map { map[$0]! }, as: function.results,
    location: last.location)
}

/// What stands in the place of an op.
private enum ChannelSplit {
  /// A convolution of a concatenation along its input's features: a sum.
  case sum
  /// The gradient of a kernel from a concatenation, along its input's batch: a concatenation along the
  /// result's.
  case concatenation
  /// A slice of a convolution along its result's features: a convolution with a slice of the kernel.
  case slice

  /// Appends what gives the result of an op.
  func append(
    _ op: OpID, of function: Function, to builder: inout FunctionBuilder, _ map: inout ValueMap
  ) {
    let location = function.ops[op].location
    let result = function.result(of: op)
    let first = function.operands(of: op).first!
    let source = function.definingOp(of: first)
    let convolution = self == .slice ? source! : op
    let attributes = function.ops[convolution].attributes
    let dims = ConvolutionDimensions(attributes)
    let operands = Array(function.operands(of: convolution))
    let name = function.values[result].name
    func convolved(
      _ input: ValueID, _ kernel: ValueID, _ dim: Int, _ extent: Int,
      into builder: inout FunctionBuilder
    ) -> ValueID {
      var type = function.type(of: function.result(of: convolution))
      type.shape[dim] = extent
      let part = builder.appendUnchecked(
        .convolution, [input, kernel], attributes, types: [type],
        names: [self == .slice || name.isEmpty ? name : "\(name).part"], location: location)
      return builder.function.result(of: part)
    }
    switch self {
    case .slice:
      let start = function.ops[op].attributes.ints(.start)![dims.outputFeature]
      let extent = function.type(of: result).shape[dims.outputFeature]
      let kernel = builder.sliced(
        map[operands[1]]!, along: dims.kernelOutput, start..<start + extent, location)
      map[result] = convolved(
        map[operands[0]]!, kernel, dims.outputFeature, extent, into: &builder)
    case .sum:
      var next = 0
      var sum: ValueID?
      for part in function.operands(of: source!) {
        let extent = function.type(of: part).shape[dims.inputFeature]
        let kernel = builder.sliced(
          map[operands[1]]!, along: dims.kernelInput, next..<next + extent, location)
        next += extent
        let term = convolved(
          map[part]!, kernel, dims.outputFeature,
          function.type(of: result).shape[dims.outputFeature], into: &builder)
        sum =
          sum.map {
            builder.emit(.add, [$0, term], name: name, location: location)
          } ?? term
      }
      map[result] = sum
    case .concatenation:
      let parts = Array(function.operands(of: source!)).map { part in
        convolved(
          map[part]!, map[operands[1]]!, dims.outputBatch,
          function.type(of: part).shape[dims.inputBatch], into: &builder)
      }
      map[result] = builder.emit(
        .concatenate, parts, [.dim: .int(dims.outputBatch)], name: name, location: location)
    }
  }
}

extension FunctionBuilder {
  /// A range of a dimension.
  fileprivate mutating func sliced(
    _ value: ValueID, along dim: Int, _ range: Range<Int>, _ location: SourceLocation
  ) -> ValueID {
    var limit = type(of: value).shape
    var start = limit.map { _ in 0 }
    (start[dim], limit[dim]) = (range.lowerBound, range.upperBound)
    return emit(.slice, [value], [.start: .ints(start), .limit: .ints(limit)], location: location)
  }
}

/// The ops of a function that are split.
private struct ChannelSplits {
  private let function: Function
  private(set) var of: [OpID: ChannelSplit] = [:]
  private var dropped: Set<OpID> = []

  /// Channels of a part: as many as the widest register has numbers.
  private static let channelsMin = 16

  var isEmpty: Bool { of.isEmpty }

  /// Whether nothing reads an op any more.
  func isDropped(_ op: OpID) -> Bool { dropped.contains(op) }

  init(_ function: Function) {
    self.function = function
    var readers: [OpID: [OpID]] = [:]
    for op in function.opsInOrder {
      for operand in Set(function.operands(of: op)) {
        guard let source = function.definingOp(of: operand) else { continue }
        let opcode = function.ops[source].opcode
        if opcode == .concatenate || opcode == .convolution {
          readers[source, default: []].append(op)
        }
      }
    }
    for source in function.blocks[function.body].ops {
      guard let readers = readers[source] else { continue }
      let splits =
        function.ops[source].opcode == .concatenate
        ? splits(ofConcatenation: source, readers) : splits(ofConvolution: source, readers)
      guard let splits, readers.allSatisfy({ of[$0] == nil }), of[source] == nil else { continue }
      dropped.insert(source)
      for (reader, split) in zip(readers, splits) { of[reader] = split }
    }
  }

  private func shape(_ value: ValueID) -> [Int] { function.type(of: value).shape }

  private func hasEnoughChannels(_ values: some Sequence<ValueID>, _ dim: Int) -> Bool {
    values.allSatisfy { shape($0)[dim] >= Self.channelsMin }
  }

  /// The dimensions of a convolution that has no groups; nil for all other ops.
  private func dimensions(_ op: OpID) -> ConvolutionDimensions? {
    guard function.ops[op].opcode == .convolution else { return nil }
    let attributes = function.ops[op].attributes
    let hasGroups = [AttributeName.featureGroups, .batchGroups].contains {
      (attributes.int($0) ?? 1) != 1
    }
    return hasGroups ? nil : ConvolutionDimensions(attributes)
  }

  /// How those that read a concatenation are split; nil where one cannot be.
  private func splits(ofConcatenation op: OpID, _ readers: [OpID]) -> [ChannelSplit]? {
    let dim = function.ops[op].attributes.int(.dim)!
    let whole = function.result(of: op)
    let parts = function.operands(of: op)
    guard parts.count > 1, hasEnoughChannels(parts, dim) else { return nil }
    var splits: [ChannelSplit] = []
    for reader in readers {
      guard let dims = dimensions(reader), function.operands(of: reader).first == whole,
        function.operands(of: reader).last != whole
      else { return nil }
      let sum = function.type(of: function.result(of: reader))
      if dims.makesTaps(shape(function.operands(of: reader).last!), sum.shape) {
        guard dim == dims.inputBatch else { return nil }
        splits.append(.concatenation)
      } else {
        guard dim == dims.inputFeature, sum.dtype == .f32 || sum.dtype == .f64,
          (parts.count - 1) * sum.elementCount <= function.type(of: whole).elementCount
        else { return nil }
        splits.append(.sum)
      }
    }
    return splits
  }

  /// How those that read a convolution are split, if they are slices of channels; nil where one is not.
  private func splits(ofConvolution op: OpID, _ readers: [OpID]) -> [ChannelSplit]? {
    guard let dims = dimensions(op) else { return nil }
    let whole = function.result(of: op)
    let feature = dims.outputFeature
    var channels = 0
    for reader in readers {
      let slice = function.ops[reader]
      guard slice.opcode == .slice, (slice.attributes.ints(.strides) ?? []).allSatisfy({ $0 == 1 })
      else { return nil }
      let part = shape(function.result(of: reader))
      let isWhole = part.indices.allSatisfy { $0 == feature || part[$0] == shape(whole)[$0] }
      guard isWhole, part[feature] >= Self.channelsMin else { return nil }
      channels += part[feature]
    }
    let input = function.type(of: function.operands(of: op).first!)
    guard channels <= shape(whole)[feature],
      (readers.count - 1) * input.elementCount <= function.type(of: whole).elementCount
    else { return nil }
    return readers.map { _ in .slice }
  }
}
