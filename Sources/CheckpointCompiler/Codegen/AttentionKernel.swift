// Attention as a kernel of its own: tiles of weights in scratch, never all of them.
//
// Method      A work item is one place of the batch dimensions; forward, its queries may be split. Keys
//             and values are packed once per item. Then, for 64 queries side by side in the lanes of
//             vectors, tiles of keys pass by: products with the keys give scores, a running maximum and
//             sum of exponentials give weights, products with the values are added to the result
//             (FlashAttention-2). Backward, the weights of a tile are computed again from the logarithm
//             of their sum, and all three gradients take their products from it.
// Threads     Each has scratch of its own. A work item is computed by one thread in a fixed order, so
//             that no number of threads changes a bit.
// Masks       Tiles that no query of a panel of lanes sees are not computed.
// Source      Dao, "FlashAttention-2", 2023, arXiv:2307.08691.

/// An attention, or its gradients.
struct AttentionKernel: Hashable, Sendable {
  /// Queries side by side.
  static let lanes = 64
  /// Keys of a tile: a multiple of the rows of a tile of products on every machine.
  static let tileKeys = 168
  /// The deepest panel of features.
  static let depthMax = 320
  /// The distance of rows of lanes: 16 more than there are, so that rows do not meet in the same sets
  /// of a cache.
  static let laneStride = lanes + 16

  var dims: AttentionDimensions
  var isGradient: Bool
  /// The dtype of queries, keys and values.
  var dtype: DType
  /// Into how many parts the queries of a work item are split.
  var splits: Int
  /// Threads that compute work items.
  var threads: Int
  /// The buffers of the operands and results.
  var operands: [Int] = []
  var results: [Int] = []

  /// The buffers of the gradients of queries, keys and values.
  var gradients: [Int] { dims.joinedDim == nil ? results : Array(repeating: results[0], count: 3) }

  /// The dtype that is computed in.
  var sum: DType { dtype.wide }

  /// Places of the batch dimensions.
  var batchCount: Int { dims.batch.reduce(1, *) }

  init(_ dims: AttentionDimensions, isGradient: Bool, dtype: DType, target: Target) {
    self.dims = dims
    self.isGradient = isGradient
    self.dtype = dtype
    let batches = dims.batch.reduce(1, *)
    let blocks = (dims.queries + AttentionKernel.lanes - 1) / AttentionKernel.lanes
    let isEven = batches % target.threadsMax == 0 || batches >= 4 * target.threadsMax
    splits = isGradient || isEven ? 1 : min(blocks, 4 * target.threadsMax)
    let work = [dims.queries, dims.keys, dims.features + dims.values].reduce(batches) {
      $0.multipliedReportingOverflow(by: $1).overflow ? .max : $0 * $1
    }
    // Each thread costs its start and its scratch: beyond two, all of it is at most as much as what is
    // read and written.
    threads = max(1, min(target.threadsMax, batches * splits, work / 131_072))
    let rows = batches * (dims.queries + dims.keys) * (isGradient ? 2 : 1)
    let touchedBytes = rows * (dims.features + dims.values) * dtype.byteCount
    threads = min(threads, max(2, touchedBytes / max(1, threadBytes)))
  }

  /// The parts of the scratch of a thread, in elements.
  struct Scratch {
    /// Name in the code and first element of every part, in the order of the code.
    private(set) var parts: [(name: String, start: Int)] = []
    private(set) var elements = 0
    /// Elements that a part is a multiple of.
    private let multiple: Int

    fileprivate init(_ dtype: DType) { multiple = arenaAlignmentBytes / dtype.byteCount }

    fileprivate mutating func add(_ name: String, _ count: Int) {
      parts.append((name, elements))
      elements += (count + multiple - 1) / multiple * multiple
    }
  }

  /// The distance of rows of a panel of some features, in chunks of at most `depthMax` of them.
  static func rowStride(features: Int) -> Int { (min(features, depthMax) + 15) / 16 * 16 + 16 }

  /// The distance of rows that are columns of a product: a multiple of the widest tile.
  func width(_ features: Int) -> Int {
    let widest = CGemmSource.columnBytesMax / sum.byteCount
    return (features + widest - 1) / widest * widest
  }

  /// Where the scratch of a thread has what.
  var scratch: Scratch {
    let (keys, features, values) = (dims.keys, dims.features, dims.values)
    let (rows, lanes) = (CGemmSource.rowsMax, AttentionKernel.lanes)
    let stride = AttentionKernel.laneStride
    func panel(_ features: Int) -> Int {
      let chunks = (features + AttentionKernel.depthMax - 1) / AttentionKernel.depthMax
      return chunks * (keys + rows) * AttentionKernel.rowStride(features: features)
    }
    func columns(_ features: Int) -> Int { keys * (features + rows - 1) }
    let tileKeys = min(AttentionKernel.tileKeys, keys)
    let tile = (tileKeys + rows) * stride
    let kept = dims.dropout == nil ? 0 : tileKeys * lanes / sum.byteCount
    var scratch = Scratch(sum)
    scratch.add("k_rows", panel(features))
    scratch.add("k_columns", isGradient ? columns(features) : 0)
    scratch.add("v_rows", isGradient ? panel(values) : 0)
    scratch.add("v_columns", isGradient ? 0 : columns(values))
    scratch.add("q_lanes", features * stride)
    scratch.add("q_rows", lanes * width(features))
    scratch.add("dy_lanes", isGradient ? values * stride : 0)
    scratch.add("dy_rows", isGradient ? lanes * width(values) : 0)
    scratch.add("y_lanes", isGradient ? 0 : values * stride)
    scratch.add("dq_lanes", isGradient ? features * stride : 0)
    scratch.add("dk_rows", isGradient ? keys * width(features) : 0)
    scratch.add("dv_rows", isGradient ? keys * width(values) : 0)
    scratch.add("tile", tile)
    scratch.add("slopes", isGradient ? tile : 0)
    scratch.add("kept", kept)
    return scratch
  }

  /// Bytes of scratch of one thread.
  var threadBytes: Int { scratch.elements * sum.byteCount }
  /// Bytes of scratch of all threads.
  var scratchBytes: Int { threads * threadBytes }
}

extension Function {
  /// The attention that an op is, apart from where its tensors are; nil where it is none.
  func attention(of op: OpID, target: Target) -> AttentionKernel? {
    let isGradient = ops[op].opcode == .softmaxAttentionGradient
    guard isGradient || ops[op].opcode == .softmaxAttention else { return nil }
    let signature = signature(of: op)
    guard let dims = try? AttentionDimensions(signature, extras: isGradient ? 6 : 3) else {
      preconditionFailure("an attention that does not fit is lowered")
    }
    return AttentionKernel(dims, isGradient: isGradient, dtype: signature[0].dtype, target: target)
  }
}
