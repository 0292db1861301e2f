// Re-checks a lower bound from the problem and its certificate alone, sharing no code with the planner.
//
// Argument    Take any schedule within the budget, and in it the moments' first runs, which end its
//             stages. Let every byte that is resident while a moment runs pay that moment's byte
//             price: all of them pay at most the price of the capacity left beside the moment. Let
//             every run pay for its inputs, and credit a value, in a stage in which it is available,
//             with what all runs of that stage could pay for it. Both change the cost of the schedule by
//             nothing or downwards; and what is left falls apart into the values, each of which is
//             made, held and dropped from stage to stage at a cost that is bounded by the
//             cheapest way, found stage by stage. A run of a node with several outputs is shared out.
// Known runs  First runs are free; a node that a case says runs again is paid for once and then free;
//             a run is impossible if its node may not run again, or if it does not fit in the budget
//             beside values that stay resident all through the stage since their nodes run once.
// Parts       `CheckedStages` finds when nodes run first, `CheckedCase` adds up what one case proves.
// Cost        O(cases × stages × (values + reads)).

/// Checks lower bounds against their problem.
public struct BoundChecker: Sendable {
  /// The problem that bounds are checked against.
  public var problem: RematProblem

  /// A checker of bounds of `problem`.
  public init(_ problem: RematProblem) { self.problem = problem }

  /// Returns the cost that `certificate` proves no schedule within its budget to go below.
  ///
  /// - Throws: What makes it no certificate.
  public func check(_ certificate: BoundCertificate) throws(Diagnostic) -> Double {
    let stages = try CheckedStages(problem, certificate)
    try checkCases(certificate.cases)
    let once = problem.nodes.reduce(0.0) { $0 + $1.cost }
    var least = Double.infinity
    for item in certificate.cases { least = min(least, try CheckedCase(item, stages).bound()) }
    return once + least
  }

  /// Every schedule falls under one of the cases: they are the leaves of a tree of decisions.
  private func checkCases(_ cases: [BoundCertificate.Case]) throws(Diagnostic) {
    var groups: [(members: [Int], depth: Int)] = [(Array(cases.indices), 0)]
    while let (members, depth) = groups.popLast() {
      if members.count == 1, cases[members[0]].decisions.count == depth { continue }
      guard let first = members.first, cases[first].decisions.count > depth else {
        throw Diagnostic("the cases of the bound leave something out")
      }
      let node = cases[first].decisions[depth].node
      guard problem.nodes.indices.contains(node),
        members.allSatisfy({
          cases[$0].decisions.count > depth && cases[$0].decisions[depth].node == node
        })
      else { throw Diagnostic("the cases of the bound are no tree") }
      let again = members.filter { cases[$0].decisions[depth].runsAgain }
      let never = members.filter { !cases[$0].decisions[depth].runsAgain }
      groups.append((again, depth + 1))
      groups.append((never, depth + 1))
    }
  }
}
