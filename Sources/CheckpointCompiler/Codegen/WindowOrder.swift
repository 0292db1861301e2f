// The order of loops where a window leaves the tensor often.
//
// Problem     Of the taps of a 3 × 3 window over 4 × 4 positions a third lies outside, over 8 × 8 a
//             sixth. Products with zeros are left out only where all rows of a panel agree.
// Method      The loop that moves no window, over the batch, becomes the innermost one of the rows (in a
//             gradient of the kernel: of the depth). Then the rows of a panel have the same window at
//             most places, and a run of the depth is inside or outside as a whole.
// Cost        Rows of a panel are far apart in memory, so it is done only for small tensors, where much
//             is saved.

extension Contraction.Part {
  /// The least part of all taps that must be outside.
  private static let outsideMin = 0.12
  /// The least rows, or depths, with the same window.
  private static let batchMin = 14

  /// Moves the loop over what has equal windows innermost, where many taps are outside.
  mutating func gatherEqualWindows() {
    guard rowOperand == .first, leavesTensorOften else { return }
    let isContiguous = depth.last.map { $0.first == 1 && !moves($0) } ?? false
    if isContiguous {
      rows = withBatchLast(rows)
    } else if rows.last.map({ $0.first == 1 && !moves($0) }) ?? false {
      depth = withBatchLast(depth)
    }
  }

  /// Whether so many taps are outside that leaving them out counts.
  var leavesTensorOften: Bool { !axes.isEmpty && 1 - insideFraction >= Self.outsideMin }

  private func moves(_ loop: Loop) -> Bool { loop.steps.contains { $0 != 0 } }

  private func withBatchLast(_ loops: [Loop]) -> [Loop] {
    let batch = loops.filter { !moves($0) && $0.extent >= Self.batchMin }
    guard batch.count == 1, loops.contains(where: moves) else { return loops }
    return loops.filter { $0 != batch[0] } + batch
  }

  /// Which part of the taps is inside the tensor, over all positions.
  private var insideFraction: Double {
    var fraction = 1.0
    for axis in axes.indices {
      let outer = rows.filter { $0.steps[axis] != 0 }
      let inner = depth.filter { $0.steps[axis] != 0 }
      let bounds = axes[axis]
      guard outer.count == 1, inner.count == 1, bounds.dilation == 1 else { continue }
      // Over many positions few are at an edge.
      guard outer[0].extent * inner[0].extent <= 4096 else { continue }
      var hits = 0
      for place in 0..<outer[0].extent {
        for tap in 0..<inner[0].extent {
          let position =
            bounds.start + place * outer[0].steps[axis] + tap * inner[0].steps[axis]
          if position >= 0 && position < bounds.extent { hits += 1 }
        }
      }
      fraction *= Double(hits) / Double(outer[0].extent * inner[0].extent)
    }
    return fraction
  }
}
