// What is evicted together, and what it costs to bring it back: the neighbourhoods of `OnlineEviction`.
//
// Method      Union-find over one element per eviction; the root of a component has its cost. A value that
//             returns leaves the cost, not the component, which can only be approximate then.
// Cost        O(log n) amortized per operation, by halving paths.

/// Components of evicted values, with the cost of making all members again.
struct EvictedComponents {
  private var parent: [Int32] = []
  private var cost: [Double] = []
  /// The last sum that took the cost of a component.
  private var sum: [Int32] = []
  private var currentSum: Int32 = 0

  /// A component of one value.
  mutating func add(cost: Double) -> Int32 {
    parent.append(Int32(parent.count))
    self.cost.append(cost)
    sum.append(0)
    return Int32(parent.count - 1)
  }

  private mutating func root(_ member: Int32) -> Int32 {
    var member = member
    while parent[Int(member)] != member {
      parent[Int(member)] = parent[Int(parent[Int(member)])]
      member = parent[Int(member)]
    }
    return member
  }

  /// Joins two components; the older root stays.
  mutating func join(_ a: Int32, _ b: Int32) -> Int32 {
    let (first, second) = (root(a), root(b))
    if first == second { return first }
    let (low, high) = (min(first, second), max(first, second))
    parent[Int(high)] = low
    cost[Int(low)] += cost[Int(high)]
    return low
  }

  /// Takes a member's cost out of its component.
  mutating func leave(_ member: Int32, cost: Double) {
    let root = Int(root(member))
    self.cost[root] = max(0, self.cost[root] - cost)
  }

  /// Starts a sum in which each component counts once.
  mutating func startSum() { currentSum += 1 }

  /// The cost of a component, or 0 if the sum has it already.
  mutating func costOnce(_ member: Int32) -> Double {
    let root = Int(root(member))
    if sum[root] == currentSum { return 0 }
    sum[root] = currentSum
    return cost[root]
  }
}
