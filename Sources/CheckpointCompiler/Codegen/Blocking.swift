// The schedule of a packed contraction, as plain numbers: blocks, who packs what, and how threads share
// the work.
//
// Form        Panels of one side are packed once for each block, those of the other side by the thread
//             that uses them. Four ways to share the work: threads split the panels of a block; or they
//             have whole blocks, or groups, each with panels of its own, and wait for nobody; or slices of
//             the depth (`DepthSlices.swift`), where they share nothing but one barrier.
// Invariants  What decides the order of a sum, `depth` and `slices`, follows from the shape.

/// The blocks of a packed part, in elements.
struct Blocking: Sendable, Hashable {
  /// How the row panel is stored.
  enum Layout: Sendable, Hashable {
    /// Along the depth, as memory is read.
    case along
    /// Across the rows.
    case across
    /// Not at all: rows are read where they are, each along the depth, or neighbours across.
    case alongInPlace, acrossInPlace

    /// Whether rows are not packed.
    var isInPlace: Bool { self == .alongInPlace || self == .acrossInPlace }
  }

  var layout: Layout
  /// Whether rows are packed once for a block, and columns by the thread that uses them.
  var sharesRows = false
  /// The depth of a block.
  var depth: Int
  /// The columns and rows of a block.
  var columns: Int
  var rows: Int
  /// Whether sums over several blocks of the depth are in scratch: the result is narrower, or cannot
  /// hold them before the epilogue has read it.
  var accumulates: Bool
  /// How many threads take part.
  var threads: Int
  /// What they share out.
  var tasks: ScheduleRule.Tasks
  /// Whether whole tiles of columns are read where they are, and only an edge is packed.
  var readsColumns: Bool
  /// Into how many tasks the tiles of one panel are cut, or the panels of one slice.
  var chunks = 1
  /// Into how many slices the depth is cut that are summed apart, and how deep each of them is. Of more
  /// than one, every thread has slices of its own.
  var slices = 1
  var sliceDepth: Int

  /// Elements of the panels that are packed for all tasks of a block, of those of a task, of a block or
  /// a slice of sums.
  var sharedElements = 0
  var ownElements = 0
  var sumElements = 0

  /// The distance of rows of a panel, and of depths: 16 more than a block is deep, so that rows do not
  /// meet in the same sets of a cache.
  var rowStride: Int { layout == .along ? (depth + 15) / 16 * 16 + 16 : 1 }

  /// Threads share panels and sums and have panels of their own; or each has all of its own. The sums of
  /// slices wait for each other.
  var scratchElements: Int {
    guard !isSliced else {
      return slices * sumElements + threads * (sharedElements + ownElements)
    }
    return tasks == .panels
      ? sharedElements + sumElements + threads * ownElements
      : threads * (sharedElements + ownElements + sumElements)
  }

  /// Whether slices of the depth are summed apart.
  var isSliced: Bool { slices > 1 }

  /// One line for a reader of the C.
  var description: String {
    let sharesPanels = tasks == .panels && !isSliced
    let shared = !sharesPanels ? "nothing" : sharesRows ? "rows" : "columns"
    let whole =
      isSliced
      ? "slices of depth \(sliceDepth)"
      : !sharesPanels ? tasks.rawValue : sharesRows ? "columns" : "rows"
    var text = "blocks of \(rows) rows, \(columns) columns, depth \(depth);"
    switch layout {
    case .along: text += " rows packed along the depth"
    case .across: text += " rows packed across"
    case .alongInPlace: text += " rows read in place along the depth"
    case .acrossInPlace: text += " rows read in place across"
    }
    text += readsColumns ? ", columns read in place" : ""
    text += "; \(threads) threads share \(shared), have \(whole) of their own"
    if chunks > 1 { text += ", \(chunks) tasks a \(isSliced ? "slice" : "panel")" }
    return text + (accumulates ? "; sums wait in scratch" : "")
  }
}
