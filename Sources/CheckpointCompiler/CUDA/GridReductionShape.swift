// How the sums of a reduction, and what they sum, are spread over blocks and threads.
//
// Problem     Neighbouring threads should read neighbouring elements; all multiprocessors should work;
//             and the order of a sum must follow from its shape alone.
// Method      A block has `columns` sums and `walkers` threads for each. Where the innermost dimension
//             is kept, neighbouring threads have neighbouring sums; where it is summed over, they walk
//             along it. Walker w takes elements w, w + walkers, … of the row-major walk; the walkers'
//             sums are combined in a tree. Few sums of many elements are cut into parts.
// Invariants  Powers of two; nothing but extents decides, neither the dtype nor the machine.

/// The work of one reduction on blocks and threads.
struct GridReductionShape: Hashable, Sendable {
  /// Threads of a block.
  static let threads = 256
  /// Sums of a block where the innermost dimension is kept: a warp reads 32 neighbours.
  private static let columnsMost = 32
  /// Blocks of sums that keep a graphics processor busy.
  private static let blocksEnough = 128
  /// Blocks, with parts, that are aimed at.
  private static let blocksAim = 512
  /// Elements that a walker of a part takes at least.
  private static let stepsMin = 16
  /// Parts at most: every block of the next launch reads them all.
  private static let partsMax = 64

  /// The number of sums.
  let keptCount: Int
  /// The elements of a sum.
  let walkCount: Int
  /// Sums of a block.
  let columns: Int
  /// Threads that work on one sum.
  let walkers: Int
  /// Whether neighbouring threads have neighbouring sums.
  let isAcross: Bool
  /// Elements of a part.
  let partSize: Int

  /// Into how many parts every sum is cut.
  var parts: Int { walkCount == 0 ? 1 : (walkCount + partSize - 1) / partSize }
  /// Blocks of sums.
  var tiles: Int { (keptCount + columns - 1) / columns }

  init(_ frame: LoopFrame) {
    let real = frame.domain.indices.filter { frame.domain[$0] != 1 }
    isAcross = real.last.map { !frame.reduced.contains($0) } ?? false
    keptCount = frame.keptShape.reduce(1, *)
    walkCount = frame.reduced.reduce(1) { $0 * frame.domain[$1] }
    func power(atLeast count: Int, most: Int) -> Int {
      var power = 1
      while power < count, power < most { power *= 2 }
      return power
    }
    let threads = Self.threads
    if isAcross {
      columns = power(atLeast: keptCount, most: Self.columnsMost)
      walkers = threads / columns
    } else {
      walkers = power(atLeast: walkCount, most: threads)
      columns = threads / walkers
    }
    let tiles = max(1, (keptCount + columns - 1) / columns)
    let partMin = walkers * Self.stepsMin
    var parts = 1
    if tiles < Self.blocksEnough, walkCount >= 2 * partMin {
      parts = min(Self.partsMax, Self.blocksAim / tiles, walkCount / partMin)
    }
    let size = (walkCount + parts - 1) / parts
    partSize = max(1, (size + walkers - 1) / walkers * walkers)
  }

  /// Bytes of scratch that the parts of one reduction take.
  func scratchBytes(_ dtype: DType) -> Int {
    parts > 1 ? alignedBytes(parts * keptCount * dtype.byteCount) : 0
  }
}
