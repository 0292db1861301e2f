// Programs of other variants of the kernels than the one that was planned.
//
// Problem     A plan for another budget may run kernels that this one does not; to compare the two, the
//             kernels of both have to be measured.
// Method      One variant after the other that has a kernel not seen before, with everything kept.

extension Compilation {
  /// The step of a variant that runs a kernel whose key is not among those given, with everything kept.
  ///
  /// - Returns: The compilation of the step; nil where all kernels of all variants are among them.
  package func keepAll(beyond keys: Set<String>) throws(CompileError) -> Compilation? {
    guard let step = try planner?.keepAll(beyond: keys) else { return nil }
    var other = self
    other.step = step
    let program = lower(
      step.function, storage: step.storage, name: name, target: options.target)
    other.program = program
    (other.header, other.source) =
      options.target.isCUDA ? emitCUDA(program) : emitC(program)
    return other
  }
}
