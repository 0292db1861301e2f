// The loops of a contraction in an order that suits memory: which side is rows, what is innermost.
//
// Method      Loops of one iteration go, windows that never leave the tensor become plain strides. Columns
//             are what is contiguous in the result, for they lie along vectors; but not a few of them
//             where many rows would fill the vectors. Loops that continue each other are merged.
// Invariants  The order of the depth, and so of every sum, follows from the shape alone.

extension Contraction.Part {
  /// The same with as few loops as possible, in an order that suits memory.
  func simplified() -> Contraction.Part {
    var part = self
    part.dropTrivialLoops()
    part.foldWindows()
    part.rows.sort { $0.out > $1.out }
    part.columns.sort { $0.out > $1.out }
    part.groups.sort { $0.out > $1.out }
    // Columns lie along vectors: they should be what is contiguous in the result.
    let rowsAreContiguous = part.rows.last?.out == 1
    let columnsAreContiguous = part.columns.last?.out == 1
    let isWider = part.rowCount > part.columnCount
    let hasNoContiguousSide = !rowsAreContiguous && !columnsAreContiguous
    if (rowsAreContiguous && !columnsAreContiguous) || (hasNoContiguousSide && isWider) {
      part.swapSides()
    }
    // A few columns leave most of a vector unused, where many rows would fill it.
    if part.columnCount <= 4, part.rowCount >= 32, part.rowsAreARun { part.swapSides() }
    // The deeper in, the nearer in the operand that is packed most often.
    let windows = part
    part.depth.sort { left, right in
      for operand in [windows.rowOperand, windows.columnOperand] {
        let reaches = (windows.reach(of: left, in: operand), windows.reach(of: right, in: operand))
        if reaches.0 != reaches.1 { return reaches.0 > reaches.1 }
      }
      return false
    }
    part.gatherEqualWindows()
    part.groups = merged(part.groups)
    part.rows = merged(part.rows)
    part.columns = merged(part.columns)
    part.depth = merged(part.depth)
    return part
  }

  private mutating func swapSides() {
    swap(&rows, &columns)
    rowOperand = columnOperand
  }

  /// Whether all rows are neighbours in their operand, and no window is.
  private var rowsAreARun: Bool {
    axes.isEmpty && rows.count == 1 && rows[0].stride(rowOperand) == 1
  }

  /// How far apart in an operand neighbours along a loop are.
  private func reach(of loop: Loop, in operand: Contraction.Operand) -> Int {
    guard operand == .first else { return abs(loop.second) }
    return axes.indices.reduce(abs(loop.first)) { $0 + abs(loop.steps[$1]) * axes[$1].stride }
  }

  private mutating func dropTrivialLoops() {
    groups.removeAll { $0.extent == 1 }
    rows.removeAll { $0.extent == 1 }
    columns.removeAll { $0.extent == 1 }
    depth.removeAll { $0.extent == 1 }
  }

  /// Turns axes whose positions are all inside the tensor into plain strides.
  private mutating func foldWindows() {
    guard depthCount > 0 else {
      // Nothing is summed: the window does not matter.
      axes = []
      depth = [Loop(extent: 0)]
      for index in rows.indices { rows[index].steps = [] }
      for index in columns.indices { columns[index].steps = [] }
      for index in groups.indices { groups[index].steps = [] }
      return
    }
    for axis in axes.indices.reversed() {
      var (least, most) = (axes[axis].start, axes[axis].start)
      for loop in rows + depth {
        let reach = (loop.extent - 1) * loop.steps[axis]
        least += min(0, reach)
        most += max(0, reach)
      }
      let isInside = least >= 0 && most < axes[axis].extent && axes[axis].dilation == 1
      let stride = axes[axis].stride
      func fold(_ loops: inout [Loop]) {
        for index in loops.indices {
          let step = loops[index].steps.remove(at: axis)
          loops[index].first += step * stride
        }
      }
      guard isInside else { continue }
      firstBase += axes[axis].start * stride
      fold(&rows)
      fold(&depth)
      fold(&columns)
      fold(&groups)
      axes.remove(at: axis)
    }
  }
}

/// The same loops with neighbours joined where the outer one continues the inner one.
func merged(_ loops: [Contraction.Loop]) -> [Contraction.Loop] {
  var result: [Contraction.Loop] = []
  for loop in loops {
    if let outer = result.last {
      let n = loop.extent
      let continues =
        outer.first == n * loop.first && outer.second == n * loop.second
        && outer.out == n * loop.out && zip(outer.steps, loop.steps).allSatisfy { $0 == n * $1 }
        && zip(outer.extras, loop.extras).allSatisfy { $0 == n * $1 }
      if continues {
        result[result.count - 1] = loop
        result[result.count - 1].extent = outer.extent * n
        continue
      }
    }
    result.append(loop)
  }
  return result
}
