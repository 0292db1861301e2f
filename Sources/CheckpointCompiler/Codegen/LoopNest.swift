// Loop nests: which dimensions can be walked as one, and which loops run on threads.

/// A dimension that a kernel loops over.
struct LoopDimension: Hashable, Sendable {
  /// Its loop variable.
  var variable: Int
  /// How many values the variable takes.
  var extent: Int
  /// Whether what is computed is reduced along it.
  var isReduced = false
}

/// Two innermost dimensions that are walked as one, of which the inner one is reduced.
struct LaneGroups: Hashable, Sendable {
  /// The variable of the outer dimension, the groups, and that of the lanes in a group; a walk over
  /// the lanes of all groups has the latter.
  var group: Int
  var lane: Int
  /// The number of groups, and of the lanes in each.
  var count: Int
  var size: Int
}

/// Dimensions with neighbours joined that every index walks through as one, and the variables that
/// are always 0 thereafter.
///
/// Two neighbours are one where the outer one always moves as far as the inner one does in all its
/// steps. At least one reduced dimension is left where there was one.
func mergedDimensions(
  _ dims: [LoopDimension], walkedBy touched: [Index]
) -> (loops: [LoopDimension], dropped: [Int]) {
  var loops: [LoopDimension] = []
  var dropped: [Int] = []
  let lastReduced = dims.last { $0.isReduced && $0.extent != 1 } ?? dims.last { $0.isReduced }
  for dim in dims {
    if dim.extent == 1, dim != lastReduced {
      dropped.append(dim.variable)
      continue
    }
    if let last = loops.last, last.isReduced == dim.isReduced {
      let merges = touched.allSatisfy { index in
        index.factor(of: last.variable) == index.factor(of: dim.variable) * dim.extent
          && !index.hides(last.variable) && !index.hides(dim.variable)
      }
      if merges {
        dropped.append(last.variable)
        loops[loops.count - 1] = dim
        loops[loops.count - 1].extent *= last.extent
        continue
      }
    }
    loops.append(dim)
  }
  return (loops, dropped)
}

/// Wraps statements in loops, the outermost ones on threads if that is worth it.
///
/// Where `isInnermost` holds, the last loop holds no other, so that it is to be vectorized.
func nest(
  _ loops: [LoopDimension], onThreads: Bool, isInnermost: Bool = false, _ body: [Statement]
) -> [Statement] {
  var body = body
  // Few iterations of the outermost loop are joined with the next, so that all threads get some.
  let collapsible = loops.count - (isInnermost ? 1 : 0)
  let collapsed = collapsible > 1 && loops[0].extent < 64 ? 2 : 1
  for (depth, loop) in loops.enumerated().reversed() {
    let isVector = isInnermost && depth == loops.count - 1
    let kind: LoopKind =
      onThreads && depth == 0
      ? .parallel(collapsed: collapsed) : isVector ? .independent : .serial
    body = [.loop(variable: loop.variable, extent: loop.extent, kind, body)]
  }
  return body
}
