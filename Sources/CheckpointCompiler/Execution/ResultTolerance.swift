// How far results may be off that another order of sums gave.
//
// Problem     A graph mixes dtypes: a result in `f64` that was computed in `f32` on the way is no better
//             than that.
// Method      One walk forward. A value is as exact as the coarsest floating-point dtype on a path from
//             an argument to it; constants are exact.

extension Function {
  /// The largest difference of every result that another order of sums explains, in units of the
  /// result's largest element; 0 for integers.
  ///
  /// - Complexity: O(ops + operands), for each callee once more wherever it is named.
  package var resultTolerances: [Double] {
    var tolerances = Table<ValueID, Double>(repeating: 0, count: values.count)
    for argument in arguments {
      tolerances[argument.value] = InterpreterCheck.tolerance(type(of: argument.value).dtype)
    }
    var yielded: [BlockID: [Double]] = [:]
    accumulate(body, &tolerances, &yielded)
    return (yielded[body] ?? []).enumerated().map { index, tolerance in
      let own = InterpreterCheck.tolerance(resultTypes[index].dtype)
      return own == 0 ? 0 : max(own, tolerance)
    }
  }

  /// Walks the ops of a block, and keeps what its terminator hands on.
  private func accumulate(
    _ block: BlockID, _ tolerances: inout Table<ValueID, Double>,
    _ yielded: inout [BlockID: [Double]]
  ) {
    for id in blocks[block].ops {
      let op = ops[id]
      let given = operands(of: op).map { tolerances[$0] }
      if op.opcode.isTerminator {
        yielded[block] = given
        continue
      }
      var inherited = Array(repeating: given.max() ?? 0, count: results(of: id).count)
      if let region = op.regions.first {
        accumulate(region, &tolerances, &yielded)
        inherited = yielded[region] ?? inherited
      }
      let named = op.attributes.functionNames.compactMap { calleeWithCallees($0) }
      let inside = named.map(\.coarsestTolerance).max() ?? 0
      for (value, tolerance) in zip(results(of: id), inherited) {
        let isExact = op.opcode == .constant || op.opcode == .iota
        let own = isExact ? 0 : InterpreterCheck.tolerance(type(of: value).dtype)
        tolerances[value] = max(tolerance, own, inside)
      }
    }
  }

  /// The tolerance of the coarsest dtype of a value here or in a callee.
  private var coarsestTolerance: Double {
    let own = values.elements.map { InterpreterCheck.tolerance($0.type.dtype) }.max() ?? 0
    let inside = callees.map(\.coarsestTolerance).max() ?? 0
    return max(own, inside)
  }
}
