// Into how many slices the depth of a packed contraction is cut, each summed by itself.
//
// Problem     The gradient of a kernel is a small result over a long depth: 64 × 32 sums over 18,432
//             positions. Threads that split the result read the same operands, pack panels for each
//             other and wait for each other at every block of the depth, and each number that one core
//             packs and another reads is used for few products. Cores may be far from each other.
// Method      The depth is cut into slices. One thread sums a slice into sums of its own, from panels of
//             its own; after one barrier the sums of the slices are added in order, shared out by tiles.
//             There are as many slices, a power of two, as leave each
//               deep      so that adding its sums is little beside its products, and much deeper than
//                         the result is wide: else each packed number meets enough products, and
//                         threads may as well split the result;
//               long      so that a barrier is little beside it;
//             and the sums of all of them in a fraction of a second-level cache, and of the bytes that the
//             operands have: scratch counts where a network has little memory.
// Invariants  By the numbers of rows, columns and depths and the dtype of sums alone: not by threads, nor
//             by what a prologue or an epilogue asks of the loops. So the order of every sum is that
//             of the shape.
// Source      Split-K of Osama et al., "Stream-K: work-centric parallel decomposition for dense
//             matrix-matrix multiplication on the GPU", PPoPP 2023, doi:10.1145/3572848.3577479, with a
//             fixed number of splits, so that results do not depend on the machine.

extension Contraction.Part {
  private static let slicesMax = 16
  /// The least depth of a slice, also as a multiple of the longer side of the result.
  private static let sliceDepthMin = 512
  private static let sliceDepthRatio = 2
  /// The least products of a slice: beside them, a start of threads and two barriers are 5 %. In small
  /// networks scratch counts for more than that.
  private static let sliceProductsMin = 3_145_728
  /// The most bytes of sums of all slices, and how many elements of the operands there are for each.
  private static let sliceBytesMax = 524_288
  private static let operandsPerSum = 6

  /// How many slices the depth is cut into; 1 where it is summed as a whole.
  func depthSlices(_ dtypes: Contraction.DTypes) -> Int {
    guard groupCount == 1 else { return 1 }
    let (rows, columns) = (rowCount, columnCount)
    let least = max(Self.sliceDepthMin, Self.sliceDepthRatio * max(rows, columns))
    let most = min(
      Self.sliceBytesMax / dtypes.sum.byteCount,
      (rows + columns) * depthCount / Self.operandsPerSum)
    func isWorthwhile(_ slices: Int) -> Bool {
      let depth = depthCount / slices
      return depth >= least && slices * rows * columns <= most
        && rows * columns * depth >= Self.sliceProductsMin
    }
    var slices = 1
    while slices < Self.slicesMax, isWorthwhile(2 * slices) { slices *= 2 }
    return slices
  }
}
