// Kernels of loops as launches on a graphics processor.
//
// Map         A thread for each place of some dimensions; its body may hold loops that run in order.
// Reduction   A block for some neighbouring sums, its threads along what is summed. Where there are few
//             sums, the walk is cut into parts that blocks of their own add up; the next launch combines
//             the parts in order.
// Invariants  What a thread stores no other thread of the launch reads or stores. How a sum is cut
//             follows from the shape alone, so that its bits do not depend on what else is computed.

/// A kernel of loops as launches, one after the other.
struct GridKernel: Hashable, Sendable {
  /// The launches.
  var launches: [GridLaunch]
  /// Bytes of scratch for sums of parts.
  var scratchBytes = 0
}

/// One launch.
enum GridLaunch: Hashable, Sendable {
  case map(GridMap)
  case reduction(GridReduction)
}

/// A launch with a thread for each place.
struct GridMap: Hashable, Sendable {
  /// The dimensions that threads are spread over, outermost first.
  var dims: [LoopDimension]
  /// What one thread does.
  var body: [Statement]
  /// Neighbours along the innermost dimension that a thread computes; the variable of that dimension is
  /// the place of the first.
  var width = 1

  /// The number of threads that have a place.
  var count: Int { dims.reduce(1) { $0 * $1.extent } / width }
}

/// A launch whose blocks add up.
struct GridReduction: Hashable, Sendable {
  /// How sums and what is summed are spread over blocks and threads.
  var shape: GridReductionShape
  /// The dimensions of the sums, outermost first.
  var kept: [LoopDimension]
  /// The dimensions that are summed over.
  var reduced: [LoopDimension]
  /// What is done, in order.
  var stages: [GridStage]
  /// Whether blocks walk over one part each; else every block does all.
  var isInParts: Bool
}

/// A sum, or another reduction, that threads work on together.
struct GridAccumulator: Hashable, Sendable {
  /// The row, of one element, that holds it.
  var row: Int
  var kind: String
  var dtype: DType
  /// Where the sums of its parts begin in scratch, in bytes.
  var scratchOffset: Int

  /// The row before the first element.
  var defined: Statement {
    .defineRow(row: row, dtype, count: 1, .neutral(kind: kind, dtype))
  }

  /// An element combined into it.
  func adding(_ element: Expression) -> Statement {
    .assignLane(
      row: row, Index(), .combine(kind: kind, dtype, .lane(row: row, Index()), element))
  }
}

/// One step of a launch that reduces.
enum GridStage: Hashable, Sendable {
  /// Scalars that belong to a sum; every thread computes them.
  case scalars([Statement])
  /// Stores that belong to a sum; one thread does them after all have read.
  case stores([Statement])
  /// A walk over what is summed, each thread its own elements; after it, the rows hold the sums of the
  /// block, or those are in scratch where blocks walk over parts.
  case walk([Statement], [GridAccumulator])
  /// The sums of all parts, from scratch, in the order of the parts.
  case combined(GridAccumulator)

  /// What it does, for readers.
  var title: String {
    switch self {
    case .scalars: "for each sum:"
    case .stores: "once for each sum:"
    case .walk(_, let accumulators):
      "along what is summed\(accumulators.isEmpty ? "" : ", then all threads together"):"
    case .combined(let accumulator): "r\(accumulator.row): the sum of all parts"
    }
  }

  /// Its statements.
  var statements: [Statement] {
    switch self {
    case .scalars(let statements), .stores(let statements), .walk(let statements, _): statements
    case .combined: []
    }
  }
}
