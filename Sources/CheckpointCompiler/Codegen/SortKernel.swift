// `sort` as a kernel of its own: it needs loops that end when data says so.
//
// Method      Each line is sorted in the result: short runs by insertion, then runs are merged, the
//             left one copied to scratch first (Knuth, "Sorting and Searching", 5.2.4). Both keep the
//             order of equal elements, so that the result does not depend on lines or threads.
// Scratch     Each thread has room for the longest left run of every tensor.

/// A stable sort of the lines of tensors.
struct SortKernel: Hashable, Sendable {
  /// The longest run that is sorted by insertion.
  static let runLength = 8

  /// The buffers that are sorted, and those that the results are written to.
  var operands: [Int]
  var results: [Int]
  /// The dtypes of the tensors.
  var dtypes: [DType]
  /// Elements of a tensor.
  var count: Int
  /// Elements of a line, and how far they lie apart.
  var extent: Int
  var step: Int
  /// Whether one element comes before another, of scalars `2k` and `2k + 1` for tensor `k`.
  var comparison: [Statement]
  var isLess: Expression
  /// Threads that sort lines of their own.
  var threads: Int

  init(
    _ op: OpID, of function: Function, operands: [Int], results: [Int], target: Target
  ) {
    self.operands = operands
    self.results = results
    let type = function.type(of: function.operands(of: op).first!)
    let dim = function.ops[op].attributes.int(.dim)!
    dtypes = function.operands(of: op).map { function.type(of: $0).dtype }
    count = type.elementCount
    extent = type.shape[dim]
    step = type.strides[dim]
    var nextLocal = 2 * dtypes.count
    let code = ElementFunctionCode(.comparator, of: op, in: function)
      .applied(to: (0..<nextLocal).map { .local($0) }, nextLocal: &nextLocal)
    comparison = code.statements
    isLess = code.results[0]
    let lines = extent > 0 ? count / extent : 0
    let work = count * (Int.bitWidth - max(0, extent - 1).leadingZeroBitCount)
    threads = work >= LoopLowering.parallelWork ? max(1, min(target.threadsMax, lines)) : 1
  }

  /// The longest left run of a merge; 0 where nothing is merged.
  private var leftMax: Int {
    guard extent > SortKernel.runLength else { return 0 }
    var width = SortKernel.runLength
    while 2 * width < extent { width *= 2 }
    return width
  }

  /// Where the run of each tensor begins in the scratch of a thread, and the bytes of all.
  var scratchLayout: (offsets: [Int], bytes: Int) {
    var offsets: [Int] = []
    var bytes = 0
    for dtype in dtypes {
      offsets.append(bytes)
      bytes += alignedBytes(leftMax * dtype.byteCount)
    }
    return (offsets, bytes)
  }

  /// Bytes of scratch for all threads.
  var scratchBytes: Int { threads * scratchLayout.bytes }
}
