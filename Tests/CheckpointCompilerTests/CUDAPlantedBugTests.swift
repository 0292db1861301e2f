import CUDAEmulation
import CheckpointCompiler
import CompilerTesting
import Testing

/// Bugs planted in the text that is emitted now: the emulation finds each, and nothing without them.
@Suite(.enabled(if: TestEmulation.checked != nil, TestEmulation.absence))
struct CUDAPlantedBugTests {
  /// Graphs whose kernels have barriers, guards, tensors in the arena, tensor cores and copies.
  enum Sample: String, CaseIterable {
    /// Tiles of 32 × 32 in shared memory, neither side a multiple of them.
    case product
    /// Reductions of rows by a block each; `%a` lives while `%b` is made.
    case softmax
    /// Tensor cores; operands are copied past the registers, one along and one across the depth.
    case tensorCores
    /// The gradients of a product, of a batch of them on tensor cores, and of a kernel, in slices of
    /// the depth, the last one less deep; the first is used by an epilogue.
    case slices

    var text: String {
      switch self {
      case .product:
        """
        func @main(%x: f32[40,24], %w: f32[24,36]) -> (%y: f32[40,36]) {
          %y = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
          return %y
        }
        """
      case .softmax:
        """
        func @main(%x: f32[6,40], %w: f32[40,300]) -> (%y: f32[6,6]) {
          %h = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
          %a = tanh %h
          %b = softmax %a
          %y = dot_general %a, %b {lhs_contract = [1], rhs_contract = [1]}
          return %y
        }
        """
      case .tensorCores:
        """
        func @main(%x: bf16[48,64], %w: bf16[64,40]) -> (%y: bf16[48,40]) {
          %y = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
          return %y
        }
        """
      case .slices:
        """
        func @main(%x: f32[2100,40], %g: f32[2100,36], %w: f32[40,36], %a: bf16[2,1030,33],
                   %b: bf16[2,1030,48], %image: f32[8,24,24,6], %gradient: f32[8,24,24,8])
            -> (%w1: f32[40,36], %c: bf16[2,33,48], %k: f32[3,3,6,8]) {
          %d = dot_general %x, %g {lhs_contract = [0], rhs_contract = [0]}
          %w1 = subtract %w, %d
          %c = dot_general %a, %b {lhs_batch = [0], rhs_batch = [0], lhs_contract = [1], rhs_contract = [1]}
          %k = convolution %image, %gradient {dim_numbers = "f01b_i01o->01bf", low = [1, 1], high = [1, 1]}
          return %w1, %c, %k
        }
        """
      }
    }
  }

  /// A change of the emitted text of a sample.
  struct Bug: Sendable, CustomStringConvertible {
    var sample: Sample
    var description: String
    /// What changes, as a regular expression; a group is kept as `$1`.
    var part: String
    var replacement: String
    /// What the findings must say; nil where only results are wrong.
    var finding: String?

    init(
      _ sample: Sample, _ description: String, _ part: String, with replacement: String = "",
      finds finding: String?
    ) {
      self.sample = sample
      self.description = "\(sample.rawValue): \(description)"
      self.part = part
      self.replacement = replacement
      self.finding = finding
    }

    /// The text with the bug in every place of its kind.
    func text(of source: String) throws -> String {
      let changed = source.replacing(try Regex(part)) { match in
        let kept = match.output.count > 1 ? match.output[1].substring ?? "" : ""
        return replacement.replacing("$1", with: kept)
      }
      try #require(changed != source, "nothing like '\(part)' is emitted")
      return changed
    }
  }

  static let bugs = [
    Bug(
      .product, "no barrier", #"__syncthreads\(\);"#, finds: "race in shared memory"),
    Bug(
      .product, "no guard of rows", #"if \(row < 40\)"#, with: "if (row < 64)",
      finds: "are written"),
    Bug(
      .product, "a guard that admits one row more", #"x_in\[e\] = lane < 40"#,
      with: "x_in[e] = lane < 41", finds: "are read"),
    Bug(
      .product, "one buffer for both steps", #"_tile\[step % 2\]"#, with: "_tile[0]",
      finds: "in shared memory"),
    Bug(
      .product, "tiles that overlap", #"tile / 2 \* 32"#, with: "tile / 2 * 24",
      finds: "race in device memory"),
    Bug(
      .softmax, "no barrier between warps",
      #"(shared_r1\[.*\] = r1\[0\];\s+)__syncthreads\(\);"#, with: "$1",
      finds: "in shared memory"),
    Bug(
      .softmax, "half of a warp", "__shfl_down_sync\\(0xFFFFFFFFu",
      with: "__shfl_down_sync(0xFFFFu",
      finds: "the mask 0000ffff"),
    Bug(
      .softmax, "tensors overlap in the arena", #"((?:CKC_PLACE\(m, |CKC_FRESH\())7232,"#,
      with: "$17168,", finds: "race in device memory"),
    Bug(
      .softmax, "a place that is too short", #"CKC_PLACE\(m, 7232, 7200\)"#,
      with: "CKC_PLACE(m, 7232, 7136)", finds: "which is no tensor of the kernel's"),
    Bug(
      .tensorCores, "wrong registers of a fragment",
      #"(\(x\[i\], .*)place / 8 % 2 \* 8 \+ place % 8\]\[k \+ place / 16 \* 8\]"#,
      with: "$1place / 16 * 8 + place % 8][k + place / 8 % 2 * 8]", finds: nil),
    Bug(
      .tensorCores, "fragments that are not turned", #"(ckc_ldmatrix_x\d)_trans\("#, with: "$1(",
      finds: nil),
    Bug(
      .tensorCores, "a wrong register of the sums", #"sums(\[.*\])\[i % 2 \* 2 \+ j % 2\]"#,
      with: "sums$1[j % 2 * 2 + i % 2]", finds: nil),
    Bug(
      .tensorCores, "copies not waited for", #"ckc_cp_async_wait\(0\);"#,
      finds: "never written in shared memory"),
    Bug(
      .tensorCores, "no barrier", #"__syncthreads\(\);"#, finds: "race in shared memory"),
    Bug(
      .slices, "slices in one place", #"\[slice \* \d+ \+ at0"#, with: "[at0",
      finds: "race in device memory"),
    Bug(
      .slices, "slices that overlap", #"slice \* 288;"#, with: "slice * 256;", finds: nil),
    Bug(
      .slices, "a slice that nobody sums", #"for \(int slice = 0; slice < (\d+)"#,
      with: "for (int slice = 0; slice < $1 + 1", finds: "are read"),
  ]

  /// The emitted text of a sample under a name.
  private static func emitted(_ sample: Sample, _ name: String) throws -> Compilation {
    try LoopSamples.compile(
      sample.text, CompileOptions(name: name, target: .cuda(), strategy: .none))
  }

  @Test func everyBugIsFound() throws {
    let emulation = TestEmulation.checked!
    let samples = try Sample.allCases.map { try Self.emitted($0, $0.rawValue) }
    let changed = try Self.bugs.indices.map { try Self.emitted(Self.bugs[$0].sample, "bug\($0)") }
    let sources = try zip(Self.bugs, changed).map { try $0.text(of: $1.source) }
    let device = try emulation.load(
      samples.map { ($0.name, $0.header, $0.source) }
        + zip(changed, sources).map { ($0.name, $0.header, $1) }, defines: ["CKC_POISON"])

    var results: [Sample: [Tensor]] = [:]
    for (sample, compilation) in zip(Sample.allCases, samples) {
      let (found, findings) = try run(compilation, on: device)
      #expect(findings == "", "\(sample)")
      let expected = try interpret(
        try #require(compilation.simplified), arguments: arguments(of: compilation))
      for (a, b) in zip(found, expected) {
        #expect(InterpreterCheck.difference(a, b) <= InterpreterCheck.tolerance(a.type.dtype))
      }
      results[sample] = found
    }
    for (bug, compilation) in zip(Self.bugs, changed) {
      let (found, findings) = try run(compilation, on: device)
      if let finding = bug.finding {
        #expect(findings.contains(finding), "\(bug): \(findings)")
      } else {
        #expect(findings == "" && found != results[bug.sample], "\(bug): \(findings)")
      }
    }
  }

  private func arguments(of compilation: Compilation) -> [Tensor] {
    randomArguments(for: compilation.step!.function, seed: 3)
  }

  /// The results of a step, empty where it was stopped, and what was found.
  private func run(
    _ compilation: Compilation, on device: EmulatedDevice
  ) throws -> (results: [Tensor], findings: String) {
    defer { device.clearFindings() }
    let step = try EmulatedStep(compilation, on: device)
    for (index, tensor) in arguments(of: compilation).enumerated() {
      try step.setArgument(index, to: tensor)
    }
    do throws(EmulationError) {
      try step.run()
    } catch {
      return ([], error.findings)
    }
    return (try step.function.results.indices.map { try step.result($0) }, device.findings)
  }
}
