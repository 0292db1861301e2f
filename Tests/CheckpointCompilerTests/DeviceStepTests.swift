import CUDAEmulation
import CheckpointCompiler
import CompilerTesting
import Foundation
import Testing

@testable import ckc_bench

/// The host's side of emitted CUDA, on an emulated device.
@Suite(.enabled(if: TestEmulation.fast != nil, TestEmulation.absence))
struct DeviceStepTests {
  private static let text = """
    func @main(%x: f32[3,5], param %w: f32[5,4] = normal(1), state %n: f32[4] = zeros) -> (
        loss %loss: f32, update(%n) %n.new: f32[4]) {
      %h = linear %x, %w
      %y = sine %h
      %sum = reduce %y {kind = add, dims = [0]}
      %n.new = add %n, %sum
      %loss = reduce %y {kind = add, dims = [0,1]}
      return %loss, %n.new
    }
    """

  private func compilation() throws -> Compilation {
    try LoopSamples.compile(
      Self.text,
      CompileOptions(
        name: "small", target: .cuda(), optimizer: .momentum(momentum: 0.9, weightDecay: 0))
    )
  }

  /// Launches, then a graph, on memory that stays where it is; also where streams do their work as
  /// late as they may.
  @Test(arguments: [false, true]) func stepsHaveTheBitsOfPlainLaunches(isLazy: Bool) throws {
    let compilation = try compilation()
    let plain = try EmulatedStep(compilation, emulation: TestEmulation.fast!)
    let device = try TestEmulation.fast!.load(
      source: "#include \"small.cu\"\n#include \"small_device.cu\"\n", name: "both",
      headers: [
        ("small.h", compilation.header), ("small.cu", compilation.source),
        ("small_device.cu", compilation.deviceSessionSource),
      ])
    device.use(EmulationSchedule(.forward, isLazy: isLazy))
    let step = try DeviceStep(compilation, library: device.library)
    let function = step.function
    #expect(try step.takenBytes() == step.memoryBytes && plain.memoryBytes == step.memoryBytes)
    try step.initialize(seed: 3)
    let examples = ExampleInputs(seed: 3)
    for index in function.arguments.indices {
      try plain.setArgument(index, to: try step.argument(index))
    }
    for number in 0..<4 {
      for index in function.arguments.indices where function.arguments[index].role == .input {
        let value = examples.value(ofArgument: index, of: function, step: number)
        try plain.setArgument(index, to: value)
        try step.fillArgument(index) { $0.copyBytes(from: value.bytes) }
      }
      try plain.run()
      #expect(try step.run() == 0 && step.lastMilliseconds >= 0)
      #expect(try step.values() == plain.values(), "step \(number)")
    }
    #expect(try step.takenBytes() == step.memoryBytes && device.peakBytes == step.memoryBytes)
  }

  /// A device that is too small says so, and gives back what it had taken.
  @Test func smallDevicesAreRefused() throws {
    let compilation = try compilation()
    let device = try TestEmulation.fast!.load(
      source: "#include \"small.cu\"\n#include \"small_device.cu\"\n", name: "both",
      headers: [
        ("small.h", compilation.header), ("small.cu", compilation.source),
        ("small_device.cu", compilation.deviceSessionSource),
      ])
    device.limitMemory(toByteCount: 200)
    #expect {
      _ = try DeviceStep(compilation, library: device.library)
    } throws: { error in
      let message = (error as? ToolchainError)?.message ?? ""
      return message.hasPrefix("the device cannot be used: out of memory (error 2); ")
    }
    let before = device.peakBytes
    device.limitMemory(toByteCount: 1 << 20)
    let step = try DeviceStep(compilation, library: device.library)
    #expect(try step.takenBytes() == step.memoryBytes && device.peakBytes > before)
  }

  /// A loop is one kernel to its caller, however many it launches; its condition does not run.
  @Test func kernelsOfALoopAreTimedTogether() throws {
    let nvcc = try EmulatedNVCC(TestEmulation.fast!)
    let compilation = try LoopSamples.compile(
      """
      func @main(%x: f32[8]) -> (%y: f32[8]) {
        %zero = constant 0 : i32
        %n = constant 3 : i32
        %w, %i = while %x, %zero, %n {condition = @more, body = @next}
        %y = reverse %w {dims = [0]}
        return %y
      }
      func @more(%y: f32[8], %i: i32, %n: i32) -> i1 {
        %p = compare %i, %n {direction = lt}
        return %p
      }
      func @next(%y: f32[8], %i: i32, %n: i32) -> (f32[8], i32) {
        %a = sine %y
        %c = add %i, 1
        return %a, %c
      }
      """, CompileOptions(name: "loop", target: .cuda()))
    let step = try DeviceStep.profiled(
      compilation, driver: try CUDADriver(preferred: nvcc.path), architecture: 80)
    try step.setArgument(0, to: Tensor(TensorType(.f32, [8]), repeating: 1))
    let kinds = try kernelTimes(of: step.function, target: .cuda(), seconds: 0) { count in
      try step.run()
      return try step.kernelNs(count: count)
    }
    #expect(kinds.contains { $0.key.hasPrefix("while") } && kinds.allSatisfy { $0.measuredNs > 0 })
    let expected = sin(sin(sin(1.0)))
    #expect(try step.result(0).floats.allSatisfy { abs($0 - expected) < 1e-6 })
  }

  /// The benchmark, from its peaks to its products, on the emulated device.
  @Test func theBenchmarkRuns() throws {
    let nvcc = try EmulatedNVCC(TestEmulation.fast!)
    let driver = try CUDADriver(preferred: nvcc.path)
    let device = try driver.device()
    #expect(device.name == "emulated device" && device.architecture == 80)
    let arguments = try CUDABenchArguments([
      "--model", "mlp", "--size", "tiny", "--steps", "3", "--products", "8.8.8",
    ])
    var text = ""
    #expect(try DeviceBench(arguments, driver, device).run { text += $0 }, "\(text)")
    for part in [
      "plans for cuda:a100", "measured GFLOP/s", "mlp (tiny), budget unlimited", "off by ",
      "predicted ms", "kernels above 2 %", "cuBLAS skipped: ", "bf16 8 x 8, depth 8",
    ] {
      #expect(text.contains(part), "\(part): \(text)")
    }
  }

  @Test func theBenchmarkIsSkippedWithoutADevice() throws {
    let nvcc = try EmulatedNVCC(withoutDevice: ())
    let path = nvcc.path
    #expect(try CUDABench.run(CUDABenchArguments(["--nvcc", path])))
    #expect(try CUDABench.run(CUDABenchArguments(["--nvcc", "/nonexistent"])))
    #expect(throws: BenchError.self) { try CUDABenchArguments(["--target", "c"]) }
    #expect(throws: BenchError.self) { try CUDABenchArguments(["--products", "8.8"]) }
  }
}

/// Every text of the host's side, and of the benchmark, by nvcc itself.
@Suite(.enabled(if: TestNVCC.nvcc != nil, TestNVCC.absence))
struct DeviceCompilerTests {
  @Test func programsCompileAndFindNoDeviceOrRun() throws {
    let driver = try CUDADriver(preferred: TestNVCC.nvcc!.path)
    let compilation = try LoopSamples.compile(
      "func @main(%x: f32[64]) -> (%y: f32[64]) {\n  %y = sine %x\n  return %y\n}\n",
      CompileOptions(name: "small", target: .cuda()))
    let directory = try TemporaryDirectory()
    var batch = OutputBatch()
    batch.add(compilation.header, to: directory.file("small.h"))
    batch.add(compilation.source, to: directory.file("small.cu"))
    batch.add(compilation.deviceDriverSource, to: directory.file("small_main.cu"))
    batch.add(DevicePeak.source, to: directory.file("peak.cu"))
    for source in KernelEvents.sources { batch.add(source.text, to: directory.file(source.name)) }
    try batch.commit()
    let strict = ["-Werror", "all-warnings", "-Xcompiler", "-Wall,-Wextra"]
    try driver.compile(
      ["small.cu", "small_main.cu"].map { directory.file($0) }, to: directory.file("small"),
      as: .executable, architecture: 80, extraFlags: strict)
    try driver.compile(
      [directory.file("peak.cu")], to: directory.file("peak"), as: .executable, architecture: 80,
      extraFlags: strict)
    try driver.compile(
      ["small.cu", "small_main.cu", "ckc_events.cu"].map { directory.file($0) },
      to: directory.file("libsmall.so"), as: .sharedLibrary, architecture: 80,
      extraFlags: strict + ["-I\(directory.path)"] + KernelEvents.flags)
    let result = try Subprocess.run([directory.file("small"), "2"], joinsStreams: true)
    let text = String(decoding: result.standardOutput, as: UTF8.self)
    #expect(
      result.isSuccess ? text.hasPrefix("2 steps, ") : text.contains("the device cannot be used: "),
      "\(text)")
  }
}
