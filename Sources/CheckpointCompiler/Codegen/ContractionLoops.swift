// `dot_general` and `convolution` as one thing: sums of products over loops with strides.
//
// Problem     out[g, r, c] = Σ_k x(g, r, k) · w(g, c, k), where each of g, r, c and k is a nest of
//             loops, and every loop moves each of the three tensors by a constant stride. In a
//             convolution the first operand is also read through a window: along each spatial axis a
//             position grows with output and tap, and only positions inside the tensor count.
// Method      Windows that never leave the tensor become plain strides. A dilated input is mostly
//             gaps: outputs are split by their remainder, so that every part meets only the taps
//             that hit elements, and parts are contractions without gaps. Loops that continue each
//             other are merged: a plain matrix product has one loop of each kind.
// Invariants  Parts write disjoint places and together all of the result.

/// A contraction: parts that are computed one after the other.
struct Contraction: Sendable, Hashable {
  /// One loop: its extent, and how far a step moves in each tensor.
  struct Loop: Sendable, Hashable {
    var extent: Int
    /// Strides in elements, of the first operand, the second, and the result.
    var first = 0
    var second = 0
    var out = 0
    /// How far a step moves the position along each window axis; empty where there is no window.
    var steps: [Int] = []
    /// Strides of the places of the epilogue.
    var extras: [Int] = []

    /// The stride in the first or the second operand.
    func stride(_ operand: Operand) -> Int { operand == .first ? first : second }
  }

  /// Which of the two factors.
  enum Operand: Sendable, Hashable { case first, second }

  /// A spatial axis of the first operand, whose positions must be checked.
  struct Axis: Sendable, Hashable {
    /// The position of the first tap of the first output.
    var start: Int
    /// Positions are valid from 0 below `extent * dilation` where they are multiples of `dilation`.
    var extent: Int
    var dilation: Int
    /// The distance in the first operand between neighbours along the axis.
    var stride: Int
  }

  /// Four nests of loops, outermost first, over three tensors.
  struct Part: Sendable, Hashable {
    /// Loops that move all three.
    var groups: [Loop]
    /// Loops that move the result and the operand `rowOperand`.
    var rows: [Loop]
    /// Loops that move the result and the other operand; the last is the fastest of the result.
    var columns: [Loop]
    /// Loops that are summed over.
    var depth: [Loop]
    /// The axes of the window.
    var axes: [Axis]
    /// The operand that rows belong to.
    var rowOperand: Operand
    /// Where the first products and the first result are, in elements.
    var firstBase = 0
    var secondBase = 0
    var outBase = 0
    /// Where the places of the epilogue start.
    var extraBases: [Int] = []
    /// What an element of the first, of the second factor costs where it is computed as it is packed;
    /// nil where it is only copied.
    var firstCycles: Double?
    var secondCycles: Double?
    /// Whether sums over several blocks of the depth have to wait in scratch: the epilogue leaves no
    /// memory that could hold them.
    var sumsWait = false

    var columnOperand: Operand { rowOperand == .first ? .second : .first }

    /// What an element of a factor costs beside its copy; nil where it is only copied.
    func cycles(_ operand: Operand) -> Double? { operand == .first ? firstCycles : secondCycles }
    var groupCount: Int { product(groups) }
    var rowCount: Int { product(rows) }
    var columnCount: Int { product(columns) }
    var depthCount: Int { product(depth) }

    private func product(_ loops: [Loop]) -> Int { loops.reduce(1) { $0 * $1.extent } }
  }

  /// The dtypes of a contraction; that of the result holds the numbers of the others.
  struct DTypes: Sendable, Hashable {
    var first: DType
    var second: DType
    var result: DType

    /// The dtype of a factor.
    func of(_ operand: Operand) -> DType { operand == .first ? first : second }

    /// The dtype that products are added in; that of integers wraps in any.
    var sum: DType { result == .bf16 || result == .f16 ? .f32 : result }
  }

  /// The most parts that a convolution is split into.
  static let partsMax = 16

  /// The dtypes of the operands and the result.
  var dtypes: DTypes
  /// The parts; none where the result has no element.
  var parts: [Part]
  /// The convolution as one with fewer products; nil for all others.
  var winograd: Winograd?
  /// What is done with the sums before anything is stored; nil where they are the result.
  var epilogue: Epilogue?
  /// What makes the factors as they are packed; nil where they are in memory.
  var firstPrologue: Prologue?
  var secondPrologue: Prologue?

  /// The contraction that an op is; nil for other ops, and where the epilogue does not follow its
  /// loops.
  ///
  /// - Parameters:
  ///   - signature: The op.
  ///   - result: The type of the product.
  ///   - epilogue: What is done with the sums.
  ///   - prologues: What makes the factors, one entry for each, or none.
  init?(
    _ signature: OpSignature, result: TensorType, epilogue: Epilogue? = nil,
    prologues: [Prologue?] = []
  ) {
    dtypes = DTypes(
      first: signature[0].dtype, second: signature[1].dtype, result: result.dtype)
    parts = []
    self.epilogue = epilogue
    firstPrologue = prologues.first ?? nil
    secondPrologue = prologues.last ?? nil
    let isEmpty = result.elementCount == 0
    switch signature.opcode {
    case .dotGeneral:
      if !isEmpty { parts = [Part(dotGeneral: signature)] }
    case .convolution:
      if !isEmpty { parts = [Part(convolution: signature, result: result)] }
    default: return nil
    }
    let filtering = parts.first.flatMap { Winograd($0, dtypes) }
    if let epilogue {
      for index in parts.indices where !parts[index].follow(epilogue) { return nil }
    }
    if filtering != nil {
      // An epilogue that cuts the loops must not decide how the sums are made.
      winograd = Winograd(parts[0], dtypes)
      if winograd == nil { return nil }
    }
    parts = parts.flatMap { $0.withoutGaps() }.map { $0.simplified() }
    for index in parts.indices {
      parts[index].firstCycles = firstPrologue?.cycles
      parts[index].secondCycles = secondPrologue?.cycles
    }
    guard let epilogue else { return }
    let plain = Contraction(signature, result: result)!
    for (index, one) in plain.parts.enumerated() {
      // Loops cut for the epilogue must not change the order of sums.
      guard parts[index].sumOrder(dtypes) == one.sumOrder(dtypes) else { return nil }
      // Along a tile, every place moves by one stride.
      guard parts[index].resultColumns.count <= 1 else { return nil }
      parts[index].sumsWait = epilogue.totals == nil || !parts[index].isInPlaceForSums
    }
  }
}

extension Contraction.Part {
  typealias Loop = Contraction.Loop

  fileprivate init(dotGeneral signature: OpSignature) {
    let (a, b) = (signature[0], signature[1])
    let dims = DotDimensions(signature.attributes)
    let (aStrides, bStrides) = (a.strides, b.strides)
    groups = zip(dims.lhsBatch, dims.rhsBatch).map {
      Loop(extent: a.shape[$0], first: aStrides[$0], second: bStrides[$1])
    }
    rows = dims.lhsFree(rank: a.rank).map { Loop(extent: a.shape[$0], first: aStrides[$0]) }
    columns = dims.rhsFree(rank: b.rank).map { Loop(extent: b.shape[$0], second: bStrides[$0]) }
    depth = zip(dims.lhsContract, dims.rhsContract).map {
      Loop(extent: a.shape[$0], first: aStrides[$0], second: bStrides[$1])
    }
    axes = []
    rowOperand = .first
    // The result holds batch, rows and columns in this order.
    var stride = 1
    for index in columns.indices.reversed() {
      columns[index].out = stride
      stride *= columns[index].extent
    }
    for index in rows.indices.reversed() {
      rows[index].out = stride
      stride *= rows[index].extent
    }
    for index in groups.indices.reversed() {
      groups[index].out = stride
      stride *= groups[index].extent
    }
  }

  fileprivate init(convolution signature: OpSignature, result: TensorType) {
    let (x, w) = (signature[0], signature[1])
    let dims = ConvolutionDimensions(signature.attributes)
    let spatialRank = dims.rank - 2
    let window = ConvolutionWindow(signature.attributes, spatialRank: spatialRank)
    let (xStrides, wStrides, outStrides) = (x.strides, w.strides, result.strides)
    let none = Array(repeating: 0, count: spatialRank)
    let inputs = w.shape[dims.kernelInput]
    let groupCount = window.featureGroups * window.batchGroups
    let outputs = w.shape[dims.kernelOutput] / groupCount
    let batch = result.shape[dims.outputBatch]
    groups = [
      Loop(
        extent: groupCount,
        first: window.featureGroups > 1
          ? inputs * xStrides[dims.inputFeature] : batch * xStrides[dims.inputBatch],
        second: outputs * wStrides[dims.kernelOutput],
        out: outputs * outStrides[dims.outputFeature], steps: none)
    ]
    rows = [
      Loop(
        extent: batch, first: xStrides[dims.inputBatch], out: outStrides[dims.outputBatch],
        steps: none)
    ]
    columns = [
      Loop(
        extent: outputs, second: wStrides[dims.kernelOutput],
        out: outStrides[dims.outputFeature], steps: none)
    ]
    depth = []
    axes = []
    rowOperand = .first
    for axis in 0..<spatialRank {
      let (input, kernel) = (dims.inputSpatial[axis], dims.kernelSpatial[axis])
      let output = dims.outputSpatial[axis]
      var output1 = none
      output1[axis] = window.strides[axis]
      rows.append(Loop(extent: result.shape[output], out: outStrides[output], steps: output1))
      let taps = w.shape[kernel]
      var tap = Loop(extent: taps, second: wStrides[kernel], steps: none)
      tap.steps[axis] = window.rhsDilation[axis]
      if window.reversal[axis] == 1, taps > 0 {
        // Taps are counted from the far end of the kernel.
        secondBase += (taps - 1) * tap.second
        tap.second = -tap.second
      }
      depth.append(tap)
      axes.append(
        Contraction.Axis(
          start: -window.low[axis], extent: x.shape[input],
          dilation: window.lhsDilation[axis], stride: xStrides[input]))
    }
    depth.append(
      Loop(
        extent: inputs, first: xStrides[dims.inputFeature], second: wStrides[dims.kernelInput],
        steps: none))
  }

  /// The same as parts whose windows have no gaps, where outputs can be told apart by remainder.
  fileprivate func withoutGaps() -> [Contraction.Part] {
    var parts = [self]
    // Many small parts cost more text than the gaps cost time.
    guard axes.reduce(1, { $0 * $1.dilation }) <= Contraction.partsMax else { return parts }
    for axis in axes.indices where axes[axis].dilation > 1 {
      parts = parts.flatMap { $0.split(axis) }
    }
    return parts
  }

  /// Parts without gaps along one axis: outputs o ≡ p and taps t ≡ q, for the pairs (p, q) that hit
  /// elements.
  private func split(_ axis: Int) -> [Contraction.Part] {
    let dilation = axes[axis].dilation
    let row = rows.firstIndex { $0.steps[axis] != 0 }!
    let tap = depth.firstIndex { $0.steps[axis] != 0 }!
    let (rowStep, tapStep) = (rows[row].steps[axis], depth[tap].steps[axis])
    let rowPeriod = dilation / greatestCommonDivisor(dilation, rowStep)
    let tapPeriod = dilation / greatestCommonDivisor(dilation, tapStep)
    var parts: [Contraction.Part] = []
    for p in 0..<min(rowPeriod, rows[row].extent) {
      let hits = (0..<tapPeriod).filter {
        (axes[axis].start + p * rowStep + $0 * tapStep) % dilation == 0
      }
      // Several remainders of taps would be several sums for one output: such axes stay as they are.
      if hits.count > 1 { return [self] }
      var part = self
      part.rows[row].extent = (rows[row].extent - p + rowPeriod - 1) / rowPeriod
      part.rows[row].out *= rowPeriod
      part.outBase += p * rows[row].out
      for place in part.extraBases.indices {
        part.extraBases[place] += p * rows[row].extras[place]
        part.rows[row].extras[place] *= rowPeriod
      }
      part.rows[row].steps[axis] = rowStep * rowPeriod / dilation
      let q = hits.first ?? 0
      let taps = hits.isEmpty ? 0 : max(0, depth[tap].extent - q + tapPeriod - 1) / tapPeriod
      part.depth[tap].extent = taps
      part.depth[tap].second *= tapPeriod
      part.secondBase += taps > 0 ? q * depth[tap].second : 0
      part.depth[tap].steps[axis] = tapStep * tapPeriod / dilation
      part.axes[axis].start =
        hits.isEmpty ? 0 : (axes[axis].start + p * rowStep + q * tapStep) / dilation
      part.axes[axis].dilation = 1
      parts.append(part)
    }
    return parts
  }
}
