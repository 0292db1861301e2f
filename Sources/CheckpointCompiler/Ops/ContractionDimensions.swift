// The dimension numbers of `dot_general` and `convolution`, and window arithmetic.

/// Which dimensions of the operands of a `dot_general` belong together.
public struct DotDimensions: Hashable, Sendable {
  /// Batch dimensions of the left operand.
  public var lhsBatch: [Int]
  /// Batch dimensions of the right operand.
  public var rhsBatch: [Int]
  /// Contracting dimensions of the left operand.
  public var lhsContract: [Int]
  /// Contracting dimensions of the right operand.
  public var rhsContract: [Int]

  /// The dimensions that attributes of a `dot_general` name.
  public init(_ attributes: Attributes) {
    lhsBatch = attributes.ints(.lhsBatch) ?? []
    rhsBatch = attributes.ints(.rhsBatch) ?? []
    lhsContract = attributes.ints(.lhsContract) ?? []
    rhsContract = attributes.ints(.rhsContract) ?? []
  }

  /// The given dimensions.
  public init(
    lhsBatch: [Int] = [], rhsBatch: [Int] = [], lhsContract: [Int], rhsContract: [Int]
  ) {
    self.lhsBatch = lhsBatch
    self.rhsBatch = rhsBatch
    self.lhsContract = lhsContract
    self.rhsContract = rhsContract
  }

  /// As attributes of a `dot_general`; empty lists are left out.
  public var attributes: Attributes {
    var attributes = Attributes()
    if !lhsBatch.isEmpty { attributes[.lhsBatch] = .ints(lhsBatch) }
    if !rhsBatch.isEmpty { attributes[.rhsBatch] = .ints(rhsBatch) }
    if !lhsContract.isEmpty { attributes[.lhsContract] = .ints(lhsContract) }
    if !rhsContract.isEmpty { attributes[.rhsContract] = .ints(rhsContract) }
    return attributes
  }

  /// The other dimensions of the left operand, in order.
  public func lhsFree(rank: Int) -> [Int] {
    (0..<rank).filter { !lhsBatch.contains($0) && !lhsContract.contains($0) }
  }
  /// The other dimensions of the right operand, in order.
  public func rhsFree(rank: Int) -> [Int] {
    (0..<rank).filter { !rhsBatch.contains($0) && !rhsContract.contains($0) }
  }
}

/// Which dimension of input, kernel and output is what in a convolution.
///
/// Spelled `b01f_01io->b01f`: a letter or digit for each dimension of the input, the kernel and the
/// output.
public struct ConvolutionDimensions: Hashable, Sendable, CustomStringConvertible {
  /// Batch dimension of the input.
  public var inputBatch: Int
  /// Feature dimension of the input.
  public var inputFeature: Int
  /// Spatial dimensions of the input.
  public var inputSpatial: [Int]
  /// Input feature dimension of the kernel.
  public var kernelInput: Int
  /// Output feature dimension of the kernel.
  public var kernelOutput: Int
  /// Spatial dimensions of the kernel.
  public var kernelSpatial: [Int]
  /// Batch dimension of the output.
  public var outputBatch: Int
  /// Feature dimension of the output.
  public var outputFeature: Int
  /// Spatial dimensions of the output.
  public var outputSpatial: [Int]

  /// The dimensions that a text spells; nil where it spells none.
  public init?(_ text: String) {
    guard let arrow = text.range(of: "->", from: text.startIndex) else { return nil }
    let operands = text[..<arrow.lowerBound].split(
      separator: "_", omittingEmptySubsequences: false)
    guard operands.count == 2 else { return nil }
    guard let input = Self.positions(in: operands[0], of: "b", "f"),
      let kernel = Self.positions(in: operands[1], of: "i", "o"),
      let output = Self.positions(in: text[arrow.upperBound...], of: "b", "f"),
      input.spatial.count == kernel.spatial.count, input.spatial.count == output.spatial.count
    else { return nil }
    (inputBatch, inputFeature, inputSpatial) = input
    (kernelInput, kernelOutput, kernelSpatial) = kernel
    (outputBatch, outputFeature, outputSpatial) = output
  }

  /// The dimensions of a checked convolution.
  init(_ attributes: Attributes) {
    switch attributes[.dimNumbers] {
    case .string(let text): self = ConvolutionDimensions(text)!
    default: preconditionFailure("a convolution without dimension numbers")
    }
  }

  /// The places of the two letters and of the digits 0, 1, … in a group.
  private static func positions(
    in group: Substring, of first: Character, _ second: Character
  ) -> (Int, Int, spatial: [Int])? {
    let characters = Array(group)
    guard characters.count >= 2, let a = characters.firstIndex(of: first),
      let b = characters.firstIndex(of: second)
    else { return nil }
    var spatial: [Int] = []
    for digit in 0..<(characters.count - 2) {
      guard digit < 10, let place = characters.firstIndex(of: Character("\(digit)")) else {
        return nil
      }
      spatial.append(place)
    }
    return (a, b, spatial)
  }

  /// The number of dimensions of each of the three.
  public var rank: Int { inputSpatial.count + 2 }

  /// Whether a convolution with such operands is the gradient of a kernel: its result has taps, and what
  /// stands for its kernel is an image.
  func makesTaps(_ kernel: [Int], _ result: [Int]) -> Bool {
    func extent(_ shape: [Int], _ spatial: [Int]) -> Int { spatial.reduce(1) { $0 * shape[$1] } }
    return extent(result, outputSpatial) < extent(kernel, kernelSpatial)
  }

  /// The spelling in the IR.
  public var description: String {
    func group(_ first: (Int, Character), _ second: (Int, Character), _ spatial: [Int]) -> String {
      var letters = Array(repeating: Character("?"), count: rank)
      letters[first.0] = first.1
      letters[second.0] = second.1
      for (digit, place) in spatial.enumerated() { letters[place] = Character("\(digit)") }
      return String(letters)
    }
    let input = group((inputBatch, "b"), (inputFeature, "f"), inputSpatial)
    let kernel = group((kernelInput, "i"), (kernelOutput, "o"), kernelSpatial)
    let output = group((outputBatch, "b"), (outputFeature, "f"), outputSpatial)
    return "\(input)_\(kernel)->\(output)"
  }
}

extension String {
  /// The first occurrence of `needle` at or after an index.
  func range(of needle: String, from start: Index) -> Range<Index>? {
    var position = start
    while position < endIndex {
      if self[position...].hasPrefix(needle) {
        return position..<index(position, offsetBy: needle.count)
      }
      position = index(after: position)
    }
    return nil
  }
}

/// How a convolution slides its window.
public struct ConvolutionWindow: Hashable, Sendable {
  /// Distance between neighbouring windows.
  public var strides: [Int]
  /// Padding before the first element.
  public var low: [Int]
  /// Padding after the last element.
  public var high: [Int]
  /// Distance between neighbouring elements of the input.
  public var lhsDilation: [Int]
  /// Distance between neighbouring elements of the kernel.
  public var rhsDilation: [Int]
  /// 1 for each spatial dimension in which the kernel is flipped.
  public var reversal: [Int]
  /// Number of groups of features.
  public var featureGroups: Int
  /// Number of groups of the batch.
  public var batchGroups: Int

  /// The window that attributes of a convolution describe.
  public init(_ attributes: Attributes, spatialRank: Int) {
    strides = attributes.ints(.strides, count: spatialRank, fill: 1)
    low = attributes.ints(.low, count: spatialRank, fill: 0)
    high = attributes.ints(.high, count: spatialRank, fill: 0)
    lhsDilation = attributes.ints(.lhsDilation, count: spatialRank, fill: 1)
    rhsDilation = attributes.ints(.rhsDilation, count: spatialRank, fill: 1)
    reversal = attributes.ints(.windowReversal, count: spatialRank, fill: 0)
    featureGroups = attributes.int(.featureGroups) ?? 1
    batchGroups = attributes.int(.batchGroups) ?? 1
  }

  /// As attributes of a convolution with the given dimension numbers.
  public func attributes(_ dimensions: ConvolutionDimensions) -> Attributes {
    [
      .dimNumbers: .string(dimensions.description), .strides: .ints(strides), .low: .ints(low),
      .high: .ints(high), .lhsDilation: .ints(lhsDilation), .rhsDilation: .ints(rhsDilation),
      .windowReversal: .ints(reversal), .featureGroups: .int(featureGroups),
      .batchGroups: .int(batchGroups),
    ]
  }

  func isValid(spatialRank n: Int) -> Bool {
    [strides, low, high, lhsDilation, rhsDilation, reversal].allSatisfy { $0.count == n }
      && (strides + lhsDilation + rhsDilation).allSatisfy { $0 >= 1 }
      && reversal.allSatisfy { $0 == 0 || $0 == 1 }
  }
}

/// The number of elements along one dimension from which to which a window reaches at most, padding
/// and what padding cuts off included; not below any distance.
func windowSpan(
  _ extent: Int, window: Int, stride: Int, low: Int, high: Int, baseDilation: Int,
  windowDilation: Int
) -> Int {
  let base = saturatingExtent(1, plus: max(extent, 1), times: baseDilation)
  let reach = saturatingExtent(1, plus: max(window, 1), times: windowDilation)
  return max(spannedExtent(low, base, high), reach, stride)
}

/// The number of windows that fit along one dimension; 0 where none does.
func windowedExtent(
  _ extent: Int, window: Int, stride: Int, low: Int, high: Int, baseDilation: Int,
  windowDilation: Int
) -> Int {
  let base = extent == 0 ? 0 : saturatingExtent(1, plus: extent - 1, times: baseDilation)
  let padded = saturatingExtent(saturatingExtent(base, plus: low, times: 1), plus: high, times: 1)
  let reach = window == 0 ? 0 : saturatingExtent(1, plus: window - 1, times: windowDilation)
  guard padded >= reach, padded > 0 || window == 0 else { return 0 }
  return (padded - reach) / stride + 1
}
