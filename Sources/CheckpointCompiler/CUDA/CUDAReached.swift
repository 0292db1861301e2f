// What a step of CUDA runs: the kernels, loops, functions and tables that are reached from its calls.
//
// Problem     A loop whose trips are counted has a condition that never runs. What only that would
//             launch must not be emitted: compilers warn of functions that nobody calls.
// Cost        O(calls).

/// What is reached from the calls of a step, by number.
struct CUDAReached {
  private(set) var kernels: Set<Int> = []
  private(set) var controls: Set<Int> = []
  private(set) var routines: Set<Int> = []
  /// Tables of constants.
  private(set) var constants: Set<Int>

  init(_ program: KernelProgram) {
    constants = Set(program.constantNumbers.values)
    var pending = program.calls
    while let call = pending.popLast() {
      switch call.work {
      case .kernel(let number): kernels.insert(number)
      case .control(let number):
        guard controls.insert(number).inserted, let body = program.controls[number].routines.last,
          routines.insert(body).inserted
        else { continue }
        pending += program.routines[body].calls
        constants.formUnion(program.routines[body].constantNumbers.values)
      }
    }
  }
}
