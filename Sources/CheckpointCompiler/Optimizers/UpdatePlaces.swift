// Where in the step each parameter is updated.
//
// An update stands right after its gradient is complete and the old value has been read for the last time:
// there the gradient dies, and the new value can take the place of the old one.

/// The places of updates, as indices of trained parameters.
struct UpdatePlaces {
  /// The parameters that are updated before the first op.
  private(set) var atStart: [Int] = []
  /// The parameters that are updated after an op of the body.
  private(set) var after: [OpID: [Int]] = [:]

  /// The places in a step. O(ops + operands).
  init(_ trained: [TrainedParameter], in step: Function) {
    var order: [OpID: Int] = [:]
    let topLevel = step.blocks[step.body].ops.dropLast()
    for (place, op) in topLevel.enumerated() { order[op] = place }
    /// The op of the body that an op stands in.
    func outermost(_ op: OpID) -> OpID {
      var op = op
      while let owner = step.blocks[step.ops[op].block].owner { op = owner }
      return op
    }
    var lastPlace: [ValueID: Int] = [:]
    for op in step.opsInOrder {
      guard let place = order[outermost(op)] else { continue }
      for operand in step.operands(of: op) {
        lastPlace[operand] = max(lastPlace[operand] ?? -1, place)
      }
    }
    for (index, parameter) in trained.enumerated() {
      let complete = step.definingOp(of: parameter.gradient).flatMap { order[$0] } ?? -1
      let place = max(complete, lastPlace[parameter.value] ?? -1)
      if place < 0 {
        atStart.append(index)
      } else {
        after[topLevel[place], default: []].append(index)
      }
    }
  }
}
