// A step of emitted CUDA on a device of this machine.
//
// Problem     Train, run and check on a device as on the processor, without CUDA's headers here.
// Method      nvcc compiles the emitted text together with the host's side (`DeviceSessionSource.swift`)
//             to a shared library; this class calls its functions.
// Invariants  Parameters, state and results stay on the device; what crosses is what is asked for: the
//             batches, a loss, and the weights that are saved. The device's memory holds arguments,
//             results and the arena.
// Cost        One run of nvcc; then one call per step, and one copy for each tensor set or read.

/// A compiled step together with its memory on a device.
///
/// It belongs to one thread at a time.
package final class DeviceStep: ExecutableStep {
  package typealias Trouble = ToolchainError

  package let function: Function
  package let interface: StepInterface
  package let arenaBytes: Int
  /// The device's time for the last run, in milliseconds.
  package private(set) var lastMilliseconds = 0.0

  private let resultTypes: [TensorType]
  private let buffers: DeviceBuffers
  /// The emitted text and the host's side of it.
  package let library: DynamicLibrary
  private let device: OpaquePointer
  private let writeBuffer: @convention(c) (OpaquePointer, Int32, UnsafeRawPointer?) -> Int32
  private let readBuffer: @convention(c) (OpaquePointer, Int32, UnsafeMutableRawPointer?) -> Int32
  private let runStep: @convention(c) (OpaquePointer, UnsafeMutablePointer<Float>) -> Int32
  private let takenMemory: @convention(c) (OpaquePointer, UnsafeMutablePointer<Int>) -> Int32
  private let errorText: @convention(c) (Int32) -> UnsafePointer<CChar>
  private let close: @convention(c) (OpaquePointer?) -> Void

  /// Compiles and loads a step; all its tensors are zero.
  ///
  /// - Parameters:
  ///   - compilation: A compilation for a CUDA target whose last stage was `code`.
  ///   - driver: The CUDA compiler.
  ///   - architecture: The device's compute capability, times ten.
  ///   - sources: Further files to compile in, by name.
  ///   - extraFlags: Further flags of nvcc.
  /// - Throws: What the compiler said, or why the device cannot be used.
  package convenience init(
    _ compilation: Compilation, driver: CUDADriver, architecture: Int,
    sources: [(name: String, text: String)] = [], extraFlags: [String] = []
  ) throws(ToolchainError) {
    let name = compilation.name
    let library: DynamicLibrary
    do {
      let directory = try TemporaryDirectory()
      var batch = OutputBatch()
      batch.add(compilation.header, to: directory.file("\(name).h"))
      for source in sources { batch.add(source.text, to: directory.file(source.name)) }
      let files =
        [("\(name).cu", compilation.source)]
        + [("\(name)_device.cu", compilation.deviceSessionSource)]
      for (file, text) in files { batch.add(text, to: directory.file(file)) }
      try batch.commit()
      let compiled = (files.map(\.0) + sources.map(\.name)).filter { $0.hasSuffix(".cu") }
      let path = directory.file("lib\(name).so")
      try driver.compile(
        compiled.map { directory.file($0) }, to: path, as: .sharedLibrary,
        architecture: architecture, extraFlags: ["-I\(directory.path)"] + extraFlags)
      library = try DynamicLibrary(path: path)
    } catch let error as ToolchainError {
      throw error
    } catch {
      throw ToolchainError("\(error)")
    }
    try self.init(compilation, library: library)
  }

  /// A step of a library that is loaded already.
  ///
  /// - Parameters:
  ///   - compilation: What was compiled.
  ///   - library: The emitted text and the host's side of it.
  /// - Throws: Why the device cannot be used.
  package init(_ compilation: Compilation, library: DynamicLibrary) throws(ToolchainError) {
    guard let step = compilation.step else { preconditionFailure("there is no step yet") }
    function = step.function
    interface = StepInterface(function)
    arenaBytes = step.arenaBytes
    resultTypes = function.resultTypes
    let buffers = DeviceBuffers(function)
    self.buffers = buffers
    self.library = library
    let name = compilation.name
    func symbol<T>(_ suffix: String, as type: T.Type) throws(ToolchainError) -> T {
      do {
        return unsafeBitCast(try library.symbol("\(name)_device_\(suffix)"), to: type)
      } catch {
        throw ToolchainError("\(error)")
      }
    }
    typealias Open = @convention(c) (UnsafeMutablePointer<OpaquePointer?>) -> Int32
    let open = try symbol("open", as: Open.self)
    writeBuffer = try symbol("write", as: type(of: writeBuffer))
    readBuffer = try symbol("read", as: type(of: readBuffer))
    runStep = try symbol("run", as: type(of: runStep))
    takenMemory = try symbol("memory", as: type(of: takenMemory))
    errorText = try symbol("error", as: type(of: errorText))
    close = try symbol("close", as: type(of: close))
    var opened: OpaquePointer?
    let error = open(&opened)
    guard error == 0, let opened else {
      let bytes = buffers.bytes(function) + step.arenaBytes
      throw ToolchainError(
        "the device cannot be used: \(String(cString: errorText(error))) (error \(error)); "
          + "the step needs \(bytes) bytes of its memory")
    }
    device = opened
  }

  deinit { close(device) }

  private func check(_ error: Int32, _ action: String) throws(ToolchainError) {
    guard error != 0 else { return }
    throw ToolchainError(
      "\(action) fails on the device: \(String(cString: errorText(error))) (error \(error))")
  }

  private func read(_ buffer: Int32, _ type: TensorType) throws(ToolchainError) -> Tensor {
    var bytes = [UInt8](repeating: 0, count: type.sizeBytes)
    let error = bytes.withUnsafeMutableBytes { readBuffer(device, buffer, $0.baseAddress) }
    try check(error, "reading a tensor")
    return Tensor(type, bytes: bytes)
  }

  /// By how many bytes the device's free memory has shrunk since the step was loaded.
  package func takenBytes() throws(ToolchainError) -> Int {
    var bytes = 0
    try check(takenMemory(device, &bytes), "asking for free memory")
    return bytes
  }

  /// The bytes of arguments, results and arena.
  package var memoryBytes: Int { buffers.bytes(function) + arenaBytes }

  @discardableResult
  package func run() throws(ToolchainError) -> Int32 {
    var milliseconds: Float = 0
    try check(runStep(device, &milliseconds), "the step")
    lastMilliseconds = Double(milliseconds)
    return 0
  }

  package func argument(_ index: Int) throws(ToolchainError) -> Tensor {
    try read(buffers.place(ofArgument: index), function.argumentType(index))
  }

  package func setArgument(_ index: Int, to tensor: Tensor) throws(ToolchainError) {
    precondition(
      tensor.type == function.argumentType(index),
      "argument \(index) is \(function.argumentType(index)), not \(tensor.type)")
    let error = tensor.bytes.withUnsafeBytes {
      writeBuffer(device, buffers.place(ofArgument: index), $0.baseAddress)
    }
    try check(error, "writing a tensor")
  }

  package func fillArgument(
    _ index: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void
  ) throws(ToolchainError) {
    var bytes = [UInt8](repeating: 0, count: function.argumentType(index).sizeBytes)
    bytes.withUnsafeMutableBytes(body)
    let error = bytes.withUnsafeBytes {
      writeBuffer(device, buffers.place(ofArgument: index), $0.baseAddress)
    }
    try check(error, "writing a batch")
  }

  package func result(_ index: Int) throws(ToolchainError) -> Tensor {
    if let argument = function.results[index].updatedArgument { return try self.argument(argument) }
    return try read(buffers.place(ofResult: index), resultTypes[index])
  }
}
