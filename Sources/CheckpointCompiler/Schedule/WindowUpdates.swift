// Which kernels change windows of a value where it lies, for their price.
//
// Problem     A row written into a stack costs the row if the stack is written over, and a copy of the
//             stack if not. The plan decides; the price has to be known before.
// Rule        The kernel is the last, in the order before planning, that reads the value; and the value
//             is either made by a kernel and not returned, or an argument that the result updates.
// Cost        O(kernels + reads).

extension Function {
  /// For every kernel, whether its result can be expected to lie over the operand whose windows it
  /// changes.
  func windowUpdates(_ order: KernelOrder) -> [Bool] {
    var lastReader: [ValueID: Int] = [:]
    for (position, kernel) in order.kernels.enumerated() {
      for value in kernel.reads { lastReader[value] = position }
    }
    let returned = Set(returnedValues.map { order.root[$0] })
    let updates = InPlaceUpdates(self, order)
    return order.kernels.enumerated().map { position, kernel in
      guard ops[kernel.op].opcode.updatesWindows,
        let pair = inPlaceOutputs(of: kernel, order: order).first
      else { return false }
      let source = kernel.reads[pair.input]
      guard lastReader[source] == position else { return false }
      return isKernelOutput(source)
        ? !returned.contains(source) : updates.updates.contains { $0.kernel == position }
    }
  }
}
