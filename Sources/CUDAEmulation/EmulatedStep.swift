// A step of emitted CUDA on an emulated device, with the memory that its caller owes it.
//
// Method      As a caller on a device does: one allocation for each argument and result, one for the
//             arena, and the four structs of the emitted header with pointers to them.
// Invariants  Nothing but these is allocated, so the device's peak is the arena, the arguments and the
//             results. Arguments keep their values between runs.

package import CheckpointCompiler

/// An emitted step and its memory on an emulated device.
package final class EmulatedStep {
  /// The function that was compiled.
  package let function: Function
  /// The device it runs on.
  package let device: EmulatedDevice
  /// The bytes of arguments, results and arena.
  package let memoryBytes: Int

  private typealias Entry =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer,
      UnsafeMutableRawPointer?, OpaquePointer?
    ) -> Int32

  private let entry: UnsafeMutableRawPointer
  private let arguments: [UnsafeMutableRawPointer?]
  /// The memory of every result; nil for updates, which are in that of their argument.
  private let results: [UnsafeMutableRawPointer?]
  private let arena: UnsafeMutableRawPointer?
  private let structs: [[UnsafeMutableRawPointer?]]

  /// Compiles and loads the step of a compilation, on a device of its own.
  ///
  /// - Parameters:
  ///   - compilation: A compilation for a CUDA target whose last stage was `code`.
  ///   - emulation: The emulation.
  ///   - defines: Macros to define, such as `CKC_POISON`.
  /// - Throws: What the compiler said, or what the device did.
  package convenience init(
    _ compilation: Compilation, emulation: CUDAEmulation, defines: [String] = []
  ) throws {
    let device = try emulation.load(
      source: compilation.source, name: compilation.name,
      headers: [("\(compilation.name).h", compilation.header)], defines: defines)
    try self.init(compilation, on: device)
  }

  /// The step of a compilation that a device has been loaded with, and memory for it.
  ///
  /// - Parameters:
  ///   - compilation: A compilation for a CUDA target whose last stage was `code`.
  ///   - device: The device, which may hold other steps.
  /// - Throws: What the device did.
  package init(_ compilation: Compilation, on device: EmulatedDevice) throws {
    guard let step = compilation.step, !compilation.source.isEmpty else {
      preconditionFailure("the compilation stopped before its code")
    }
    let (function, interface) = (step.function, StepInterface(step.function))
    self.function = function
    self.device = device
    entry = try device.symbol("\(compilation.name)_step")
    let resultTypes = function.resultTypes
    let argumentBytes = function.argumentTypes.map(\.sizeBytes)
    let resultBytes = function.results.indices.map { index in
      function.results[index].updatedArgument == nil ? resultTypes[index].sizeBytes : 0
    }
    arguments = try argumentBytes.map { try device.allocate(byteCount: $0) }
    results = try resultBytes.map { try device.allocate(byteCount: $0) }
    arena = try device.allocate(byteCount: step.arenaBytes)
    memoryBytes = argumentBytes.reduce(0, +) + resultBytes.reduce(0, +) + step.arenaBytes
    let (arguments, results) = (arguments, results)
    structs =
      [interface.inputs, interface.parameters, interface.state].map { indices in
        indices.map { arguments[$0] }
      } + [interface.results.map { results[$0] }]
  }

  /// Runs one step to its end.
  ///
  /// - Parameter isCaptured: Whether the step is captured as a graph first.
  /// - Throws: What the emulation found.
  package func run(isCaptured: Bool = false) throws(EmulationError) {
    if isCaptured {
      try device.runCaptured { stream throws(EmulationError) in try enqueue(into: stream) }
    } else {
      try enqueue(into: nil)
    }
    try device.synchronize()
  }

  private func enqueue(into stream: OpaquePointer?) throws(EmulationError) {
    // An empty struct has one member, which the step does not read.
    let pointers = structs.map { $0.isEmpty ? [nil] : $0 }
    let code = pointers[0].withUnsafeBytes { inputs in
      pointers[1].withUnsafeBytes { parameters in
        pointers[2].withUnsafeBytes { state in
          pointers[3].withUnsafeBytes { results in
            unsafeBitCast(entry, to: Entry.self)(
              inputs.baseAddress!, parameters.baseAddress!, state.baseAddress!,
              results.baseAddress!, arena, stream)
          }
        }
      }
    }
    try device.check(code)
  }

  /// Sets the value of the argument at an index.
  ///
  /// - Precondition: The tensor has the argument's type.
  package func setArgument(_ index: Int, to tensor: Tensor) throws(EmulationError) {
    precondition(tensor.type == function.argumentType(index), "argument \(index): \(tensor.type)")
    try device.upload(tensor.bytes, to: arguments[index])
  }

  /// The value of the argument at an index.
  package func argument(_ index: Int) throws(EmulationError) -> Tensor {
    let type = function.argumentType(index)
    return Tensor(
      type, bytes: try device.download(from: arguments[index], byteCount: type.sizeBytes))
  }

  /// The value of the result at an index; of an update, the present value of what it updates.
  package func result(_ index: Int) throws(EmulationError) -> Tensor {
    if let argument = function.results[index].updatedArgument {
      return try self.argument(argument)
    }
    let type = function.resultTypes[index]
    return Tensor(type, bytes: try device.download(from: results[index], byteCount: type.sizeBytes))
  }

  /// The values of all results, updates included, then those of all arguments.
  package func values() throws(EmulationError) -> [Tensor] {
    var values: [Tensor] = []
    for index in function.results.indices { values.append(try result(index)) }
    for index in function.arguments.indices { values.append(try argument(index)) }
    return values
  }
}
