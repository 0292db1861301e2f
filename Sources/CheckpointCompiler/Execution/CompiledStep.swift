// A step that runs in this process: emitted C, compiled by the system's compiler, loaded, and called
// on buffers that live as long as it does.
//
// Problem     Train, run, check and measure what was emitted, exactly as a user's program would.
// Method      The source is compiled to a shared library in a temporary directory, which is removed
//             as soon as the library is loaded. Every argument, every result and the arena get
//             aligned memory with a guard after its end; the four structs of the emitted header are
//             arrays of pointers to it.
// Invariants  A run allocates nothing. Arguments keep their values between runs; parameters and
//             state are updated in place by the step itself.
// Cost        One run of the C compiler; then one call per step.

import Foundation

/// A compiled step together with the memory it works on.
///
/// It belongs to one thread at a time: the step runs on the thread that calls `run`.
public final class CompiledStep {
  /// The function that was compiled.
  public let function: Function
  /// Its arguments and results by struct.
  public let interface: StepInterface
  /// The size of the arena in bytes.
  public let arenaBytes: Int
  /// The nanoseconds of every kernel in the last run, where it was compiled with `CKC_PROFILE`.
  public private(set) var kernelNs: [Double]

  private typealias Entry =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer,
      UnsafeMutableRawPointer
    ) -> Int32
  private typealias ProfiledEntry =
    @convention(c) (
      UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer,
      UnsafeMutableRawPointer, UnsafeMutablePointer<Double>
    ) -> Int32

  private let resultTypes: [TensorType]
  private let library: DynamicLibrary
  private let entry: UnsafeMutableRawPointer
  private let setThreadCount: UnsafeMutableRawPointer?
  private let isProfiled: Bool
  private let arguments: [GuardedBuffer]
  /// The buffer of every result; nil for updates.
  private let results: [GuardedBuffer?]
  private let arena: GuardedBuffer
  private let inputPointers: PointerList
  private let parameterPointers: PointerList
  private let statePointers: PointerList
  private let resultPointers: PointerList

  /// Compiles and loads a step; all its memory is zero.
  ///
  /// - Parameters:
  ///   - compilation: A compilation whose last stage was `code`.
  ///   - driver: The C compiler.
  ///   - defines: Macros to define, such as `CKC_POISON`.
  /// - Throws: An error with the compiler's command line and output, or with the bytes for which there
  ///   is no memory.
  public convenience init(
    _ compilation: Compilation, driver: CompilerDriver, defines: [String] = []
  ) throws(ToolchainError) {
    guard let step = compilation.step, !compilation.source.isEmpty else {
      preconditionFailure("the compilation stopped before its code")
    }
    try self.init(
      function: step.function, arenaBytes: step.arenaBytes, name: compilation.name,
      header: compilation.header, source: compilation.source, driver: driver, defines: defines)
  }

  /// Compiles and loads the emitted text of a planned function.
  convenience init(
    function: Function, arenaBytes: Int, name: String, header: String, source: String,
    driver: CompilerDriver, defines: [String]
  ) throws(ToolchainError) {
    let library = try CompiledStep.load(
      name: name, header: header, source: source, driver: driver, defines: defines)
    try self.init(
      function: function, arenaBytes: arenaBytes, name: name, library: library,
      hasOpenMP: driver.hasOpenMP, isProfiled: defines.contains("CKC_PROFILE"))
  }

  /// A step of a library that is loaded already; the library may hold others.
  package init(
    function: Function, arenaBytes: Int, name: String, library: DynamicLibrary, hasOpenMP: Bool,
    isProfiled: Bool = false
  ) throws(ToolchainError) {
    self.function = function
    self.arenaBytes = arenaBytes
    self.library = library
    self.isProfiled = isProfiled
    interface = StepInterface(function)
    do {
      entry = try library.symbol("\(name)_step")
    } catch {
      throw ToolchainError("\(error)")
    }
    setThreadCount = hasOpenMP ? try? library.symbol("omp_set_num_threads") : nil
    kernelNs = isProfiled ? Array(repeating: 0, count: KernelOrder(function).kernels.count) : []
    let resultTypes = function.resultTypes
    self.resultTypes = resultTypes
    let sizeBytes = (function.argumentTypes + resultTypes).reduce(arenaBytes) { $0 + $1.sizeBytes }
    try HostMemory.require(sizeBytes)
    var (arguments, results) = ([GuardedBuffer](), [GuardedBuffer?]())
    for type in function.argumentTypes {
      arguments.append(try GuardedBuffer(byteCount: type.sizeBytes))
    }
    for (result, type) in zip(function.results, resultTypes) {
      let isUpdate = result.updatedArgument != nil
      results.append(isUpdate ? nil : try GuardedBuffer(byteCount: type.sizeBytes))
    }
    arena = try GuardedBuffer(byteCount: arenaBytes, guardByteCount: 4096)
    (self.arguments, self.results) = (arguments, results)
    inputPointers = PointerList(interface.inputs.map { arguments[$0] })
    parameterPointers = PointerList(interface.parameters.map { arguments[$0] })
    statePointers = PointerList(interface.state.map { arguments[$0] })
    resultPointers = PointerList(interface.results.compactMap { results[$0] })
  }

  private static func load(
    name: String, header: String, source: String, driver: CompilerDriver, defines: [String]
  ) throws(ToolchainError) -> DynamicLibrary {
    do {
      let directory = try TemporaryDirectory()
      var batch = OutputBatch()
      batch.add(header, to: directory.file("\(name).h"))
      batch.add(source, to: directory.file("\(name).c"))
      try batch.commit()
      let path = directory.file("lib\(name).so")
      try driver.compile(
        [directory.file("\(name).c")], to: path, as: .sharedLibrary,
        extraFlags: defines.map { "-D\($0)" })
      // A step is many short kernels: waiting threads of GNU OpenMP that spin for long starve each
      // other where cores are shared, ones that sleep at once wake up too late. Users may say otherwise.
      setenv("GOMP_SPINCOUNT", "20000", 0)
      return try DynamicLibrary(path: path)
    } catch let error as ToolchainError {
      throw error
    } catch {
      throw ToolchainError("\(error)")
    }
  }

  // MARK: Running

  /// Sets how many threads the next runs use; nothing changes where OpenMP is off.
  public func setThreads(_ count: Int) {
    guard let setThreadCount else { return }
    typealias Setter = @convention(c) (Int32) -> Void
    unsafeBitCast(setThreadCount, to: Setter.self)(Int32(clamping: max(1, count)))
  }

  /// Runs one step: writes the results, and the new values of parameters and state over the old ones.
  ///
  /// - Returns: 0. The emitted step returns another number where it is called with an arena that is
  ///   missing or not aligned, before it writes anything; the arena of this class is neither.
  @discardableResult
  public func run() -> Int32 {
    if isProfiled {
      return kernelNs.withUnsafeMutableBufferPointer { times in
        // A function without kernels still gets an address.
        var none = 0.0
        return withUnsafeMutablePointer(to: &none) { fallback in
          unsafeBitCast(entry, to: ProfiledEntry.self)(
            inputPointers.address, parameterPointers.address, statePointers.address,
            resultPointers.address, arena.address, times.baseAddress ?? fallback)
        }
      }
    }
    return unsafeBitCast(entry, to: Entry.self)(
      inputPointers.address, parameterPointers.address, statePointers.address,
      resultPointers.address, arena.address)
  }

  // MARK: Values

  /// A copy of the value of the argument at an index: O(bytes).
  public func argument(_ index: Int) -> Tensor {
    Tensor(function.argumentType(index), bytes: Array(arguments[index].bytes))
  }

  /// Sets the value of the argument at an index.
  ///
  /// - Precondition: The tensor has the argument's type.
  public func setArgument(_ index: Int, to tensor: Tensor) {
    precondition(
      tensor.type == function.argumentType(index),
      "argument \(index) is \(function.argumentType(index)), not \(tensor.type)")
    arguments[index].bytes.copyBytes(from: tensor.bytes)
  }

  /// Lets a closure write the bytes of the argument at an index.
  public func withArgumentBytes<Result>(
    _ index: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    try body(arguments[index].bytes)
  }

  /// A copy of the value of the result at an index: O(bytes). Of an update, it is the present value of
  /// what it updates.
  public func result(_ index: Int) -> Tensor {
    if let argument = function.results[index].updatedArgument { return self.argument(argument) }
    return Tensor(resultTypes[index], bytes: Array(results[index]!.bytes))
  }

  /// The number that a scalar result holds, `i64` and `ui64` rounded to a double.
  ///
  /// - Precondition: The result has an element; of several, it is the first.
  public func scalarResult(_ index: Int) -> Double { result(index).floats[0] }

  /// The values of all inputs, parameters and state, in the order of the arguments.
  public var argumentValues: [Tensor] { function.arguments.indices.map { argument($0) } }

  /// The values of all results, updates included, in their order.
  public var resultValues: [Tensor] { function.results.indices.map { result($0) } }

  // MARK: Memory

  /// Makes every byte of the arena the same.
  package func fillArena(_ byte: UInt8) { arena.fill(byte) }

  /// The number of bytes of the arena up to the last one that differs from `byte`.
  package func arenaExtent(differingFrom byte: UInt8) -> Int { arena.extent(differingFrom: byte) }

  /// The names of the buffers past whose end something was written.
  package var brokenGuards: [String] {
    var broken = function.arguments.indices.filter { !arguments[$0].guardIsIntact }
      .map { "%\(function.argumentName($0))" }
    broken += function.results.indices.filter { !(results[$0]?.guardIsIntact ?? true) }
      .map { "result %\(function.results[$0].name)" }
    if !arena.guardIsIntact { broken.append("the arena") }
    return broken
  }
}

/// One of the emitted structs: pointers to buffers, one after the other.
private final class PointerList {
  let address: UnsafeRawPointer
  private let pointers: UnsafeMutablePointer<UnsafeMutableRawPointer?>

  /// - Precondition: The buffers outlive the list.
  init(_ buffers: [GuardedBuffer]) {
    // An empty struct has one member, which the step does not read.
    pointers = .allocate(capacity: max(1, buffers.count))
    pointers.initialize(repeating: nil, count: max(1, buffers.count))
    for (index, buffer) in buffers.enumerated() { pointers[index] = buffer.address }
    address = UnsafeRawPointer(pointers)
  }

  deinit { pointers.deallocate() }
}
