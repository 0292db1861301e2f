import CheckpointCompiler
import CompilerTesting
import Testing

/// The nvcc of this machine, for tests that need one.
enum TestNVCC {
  static let nvcc = NVCC()
  static let absence = Comment(rawValue: NVCC.absence)
}

/// What nvcc says of the CUDA that is emitted, and of the kernels written by hand.
@Suite(.enabled(if: TestNVCC.nvcc != nil, TestNVCC.absence))
struct CUDACompilerTests {
  @Test(arguments: [80, 90, 120])
  func samplesCompile(architecture: Int) throws {
    for sample in CUDASample.all {
      try TestNVCC.nvcc!.compile(
        source: sample.text, name: sample.name, headers: try CUDASample.headers,
        architecture: architecture)
    }
  }

  /// No warning, no spilled register, no local memory.
  @Test(arguments: [80, 90, 120])
  func examplesCompile(architecture: Int) throws {
    for name in ["digits-cnn", "gpt", "lora"] {
      let options = CompileOptions(
        name: "step", target: .cuda(.a100), optimizer: .adamw(weightDecay: 0.01), strategy: .none,
        effort: 0.01)
      let compilation = try LoopSamples.compile(try CUDAExampleTests.text(name), options)
      try TestNVCC.nvcc!.compile(
        source: compilation.source, name: "step", headers: [("step.h", compilation.header)],
        architecture: architecture)
    }
  }
}
