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

  /// Tensor cores are in no example.
  @Test(arguments: [80, 90, 120])
  func tensorCoresCompile(architecture: Int) throws {
    for dtype in ["bf16", "f16"] {
      let text = """
        func @main(%x: \(dtype)[512,256], %w: \(dtype)[256,512], %v: \(dtype)[512,512]) -> \(dtype)[512,512] {
          %h = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
          %y = dot_general %h, %v {lhs_contract = [1], rhs_contract = [1]}
          return %y
        }
        """
      let compilation = try LoopSamples.compile(
        text, CompileOptions(name: "step", target: .cuda(.a100), strategy: .none))
      #expect(compilation.source.contains("ckc_ldmatrix_x4_trans("))
      try TestNVCC.nvcc!.compile(
        source: compilation.source, name: "step", headers: [("step.h", compilation.header)],
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
