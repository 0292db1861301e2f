// What a kernel does, in operations and bytes: the base of its estimate and of its roofline.

/// The work of one kernel.
package struct KernelWork: Sendable, Equatable {
  /// Floating-point operations of contractions and convolutions.
  package var contractionFlops = 0.0
  /// The type of the elements that its products multiply; nil without contractions other than
  /// attention, which tensor cores do not compute.
  package var productDType: DType?
  /// Floating-point operations of all other ops.
  package var loopFlops = 0.0
  /// Bytes of memory that are read and written.
  package var bytes = 0

  /// The work of a kernel.
  ///
  /// - Parameters:
  ///   - kernel: The kernel.
  ///   - function: Its function.
  ///   - target: The machine, which decides how often a factor is packed.
  ///   - isInPlace: Whether it changes windows of an operand where that lies.
  init(of kernel: Kernel, in function: Function, target: Target, isInPlace: Bool) {
    for op in function.opsOfKernel(kernel.op) {
      let category = function.ops[op].opcode.definition.category
      guard category != .structure, let result = function.results(of: op).first else { continue }
      let signature = function.signature(of: op)
      let cost = signature.opcode.definition.cost(signature, function.type(of: result))
      if category == .contraction || category == .attention {
        contractionFlops += cost.flops
        if category == .contraction { productDType = signature.operandTypes.first?.dtype }
      } else {
        loopFlops += cost.flops
      }
    }
    if function.hasPrologue(kernel.op) || function.holdsConvolution(kernel.op),
      let contraction = function.contraction(of: kernel.op)
    {
      loopFlops += contraction.repeatedPrologueFlops(target)
      if let winograd = contraction.winograd(target) { contractionFlops = 2 * winograd.products }
    }
    bytes = Self.bytesMoved(by: kernel, in: function, isInPlace: isInPlace)
  }

  private static func bytesMoved(
    by kernel: Kernel, in function: Function, isInPlace: Bool
  ) -> Int {
    let signature = function.signature(of: kernel.op)
    if let touched = signature.opcode.definition.touchedBytes, let result = kernel.writes.first {
      let type = function.type(of: result)
      let copied = signature.opcode.updatesWindows && !isInPlace ? 2 * type.sizeBytes : 0
      return touched(signature, type) + copied
    }
    return (kernel.reads + kernel.writes).reduce(0) { $0 + function.type(of: $1).sizeBytes }
  }
}
