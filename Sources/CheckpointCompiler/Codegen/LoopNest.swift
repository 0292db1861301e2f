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
  /// The variables of the loops around the lanes that are reduced as well.
  var rows: [Int]

  /// The loop over the lanes of all groups.
  var flat: FlatLoop {
    FlatLoop(members: [
      LoopDimension(variable: group, extent: count), LoopDimension(variable: lane, extent: size),
    ])
  }
}

/// Groups that are walked in blocks of equal size.
struct GroupSplit: Hashable, Sendable {
  /// The variable of the blocks.
  var block: Int
  /// The groups of one block.
  var groups: LaneGroups

  /// An index whose groups and lanes are those of a block.
  func place(_ index: Index) -> Index {
    let first = Index.variable(block) * groups.count
    let lane = Index.variable(groups.lane) + first * groups.size
    let group = groups.count == 1 ? first : Index.variable(groups.group) + first
    return index.replacing(groups.lane, with: lane).replacing(groups.group, with: group)
  }
}

/// One loop that walks neighbouring dimensions in row-major order; it has the variable of the last.
struct FlatLoop: Hashable, Sendable {
  /// The dimensions, outermost first.
  var members: [LoopDimension]

  /// An index in the dimensions as one of the loop. What does not move evenly through all of them is
  /// a sum of quotients and remainders.
  func place(_ index: Index) -> Index {
    let last = members[members.count - 1]
    if isEven(index) {
      return members.dropLast().reduce(index) { $0.dropping($1.variable) }
    }
    let flat = Index.variable(last.variable)
    var place = index.replacing(
      last.variable, with: Index(.remainder(flat, last.extent)))
    var step = last.extent
    for (number, member) in members.enumerated().dropLast().reversed() {
      let quotient = Index(.quotient(flat, step))
      place = place.replacing(
        member.variable, with: number == 0 ? quotient : Index(.remainder(quotient, member.extent)))
      step *= member.extent
    }
    return place
  }

  /// Whether an index moves by the same distance with every step of the loop.
  func isEven(_ index: Index) -> Bool {
    var distance = index.factor(of: members[members.count - 1].variable)
    for (member, inner) in zip(members, members.dropFirst()).reversed() {
      distance *= inner.extent
      if index.factor(of: member.variable) != distance { return false }
    }
    return members.allSatisfy { !index.hides($0.variable) }
  }
}

/// The loops that dimensions are walked by.
struct MergedDimensions {
  /// The loops, outermost first.
  var loops: [LoopDimension] = []
  /// The variables that are always 0: those of dimensions that are walked by the loop of another.
  var dropped: [Int] = []
  /// The loops of several dimensions that some index does not walk evenly.
  var flat: [FlatLoop] = []

  /// Joins neighbours that every index walks through as one, and those that the order of a reduction
  /// keeps together.
  ///
  /// Two neighbours are one where the outer one always moves as far as the inner one does in all its
  /// steps. At least one reduced dimension is left where there was one.
  init(_ dims: [LoopDimension], walkedBy touched: [Index], order: ReductionOrder? = nil) {
    let lastReduced = dims.last { $0.isReduced && $0.extent != 1 } ?? dims.last { $0.isReduced }
    // The dimensions of the last loop, and whether every index walks evenly through them.
    var members: [LoopDimension] = []
    var isEven = true
    for dim in dims {
      if dim.extent == 1, dim != lastReduced {
        dropped.append(dim.variable)
        continue
      }
      if let last = members.last, last.isReduced == dim.isReduced,
        order?.apart.contains(dim.variable) != true
      {
        let pair = FlatLoop(members: [last, dim])
        let joinsEvenly = touched.allSatisfy { pair.isEven($0) }
        let isForced = order?.together.contains {
          $0.contains(last.variable) && $0.contains(dim.variable)
        }
        if joinsEvenly && isEven || isForced == true {
          isEven = isEven && joinsEvenly
          members.append(dim)
          loops[loops.count - 1].variable = dim.variable
          loops[loops.count - 1].extent *= dim.extent
          continue
        }
      }
      close(members, isEven)
      (members, isEven) = ([dim], true)
      loops.append(dim)
    }
    close(members, isEven)
  }

  private mutating func close(_ members: [LoopDimension], _ isEven: Bool) {
    if isEven {
      dropped += members.dropLast().map(\.variable)
    } else {
      flat.append(FlatLoop(members: members))
    }
  }
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
