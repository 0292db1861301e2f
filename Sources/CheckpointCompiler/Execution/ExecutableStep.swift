// What training, running and comparing need of a step, wherever it runs: on this processor, or on a
// device.
//
// Problem     Data, parameters and state must be handled alike for emitted C and emitted CUDA, and
//             calls that cannot fail in memory of this process can fail on a device.
// Method      A protocol with the type of its errors: `Never` for C, so that nothing is caught there.
// Invariants  Arguments keep their values between runs, wherever they are; a run changes those alone
//             that the step updates.

/// A compiled step together with the memory it works on.
package protocol ExecutableStep: AnyObject {
  /// What calls can fail with.
  associatedtype Trouble: Error

  /// The function that was compiled.
  var function: Function { get }
  /// Its arguments and results by struct.
  var interface: StepInterface { get }
  /// The size of the arena in bytes.
  var arenaBytes: Int { get }

  /// Runs one step to its end.
  ///
  /// - Returns: What the step returns; 0 is success.
  @discardableResult
  func run() throws(Trouble) -> Int32

  /// The value of the argument at an index.
  func argument(_ index: Int) throws(Trouble) -> Tensor

  /// Sets the value of the argument at an index.
  ///
  /// - Precondition: The tensor has the argument's type.
  func setArgument(_ index: Int, to tensor: Tensor) throws(Trouble)

  /// Lets a closure write every byte of the argument at an index.
  func fillArgument(_ index: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) throws(Trouble)

  /// The value of the result at an index; of an update, the present value of what it updates.
  func result(_ index: Int) throws(Trouble) -> Tensor
}

extension ExecutableStep {
  /// The number that a scalar result holds.
  package func scalar(ofResult index: Int) throws(Trouble) -> Double {
    try result(index).floats[0]
  }

  /// The values of all results, updates included, then those of all arguments.
  package func values() throws(Trouble) -> [Tensor] {
    var values: [Tensor] = []
    for index in function.results.indices { values.append(try result(index)) }
    for index in function.arguments.indices { values.append(try argument(index)) }
    return values
  }
}

extension CompiledStep: ExecutableStep {
  /// Memory of this process is there.
  package typealias Trouble = Never

  /// Lets a closure write every byte of the argument at an index.
  package func fillArgument(_ index: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
    withArgumentBytes(index, body)
  }
}
