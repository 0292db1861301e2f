import CUDAEmulation
import CheckpointCompiler
import CompilerTesting
import Foundation
import Testing

/// The emulation itself, on kernels written by hand.
@Suite(.enabled(if: TestEmulation.fast != nil, TestEmulation.absence))
struct CUDAEmulationTests {
  /// Right results, and nothing found, in every order.
  @Test func samplesComputeWhatTheyShould() throws {
    for emulation in [TestEmulation.checked!, TestEmulation.fast!] {
      let device = try CUDASample.device(CUDASample.all.map { ($0, try $0.text) }, emulation)
      for (index, sample) in CUDASample.all.enumerated() {
        for schedule in EmulationSchedule.all {
          device.use(schedule)
          let (results, findings) = try sample.run(index, on: device)
          #expect(findings == "" && sample.accepts(results), "\(sample), \(schedule)")
          device.clearFindings()
        }
      }
    }
  }

  /// A bug that somebody could have made: a part of a sample's text and what stands there instead.
  struct Bug: Sendable, CustomStringConvertible {
    var sample: CUDASample
    var description: String
    var part: String
    /// Which of the places where the part stands.
    var place = 0
    var replacement: String
    /// What the findings must say; nil where only results are wrong.
    var finding: String?

    init(
      _ sample: CUDASample, _ description: String, _ part: String, place: Int = 0,
      with replacement: String = "", finds finding: String?
    ) {
      self.sample = sample
      self.description = "\(sample.name): \(description)"
      self.part = part
      self.place = place
      self.replacement = replacement
      self.finding = finding
    }

    /// The text with the bug.
    func text() throws -> String {
      var pieces = try sample.text.components(separatedBy: part)
      try #require(pieces.count > place + 1, "'\(part)' is not in \(sample.name).cu")
      pieces[place] += replacement + pieces.remove(at: place + 1)
      return pieces.joined(separator: part)
    }
  }

  static let bugs = [
    Bug(.gemm, "no barrier", "    __syncthreads();\n", finds: "race in shared memory"),
    Bug(.gemm, "one buffer", "step % 2]", with: "0]", finds: "race in shared memory"),
    Bug(
      .gemm, "unguarded store", "if (row0 + row < rows && column0 + column + i < columns)",
      finds: "bytes are written outside of device memory at gemm.cu:41"),
    Bug(
      .gemm, "bound too large", "r < rows && k < depth", with: "r <= rows && k < depth",
      finds: "bytes are read outside of device memory at gemm.cu:21"),
    Bug(
      .gemm, "misaligned vector", "[buffer][k][column]", with: "[buffer][k][column + 1]",
      finds: "not aligned to its size at gemm.cu"),
    Bug(.gemm, "short rows", "[TILE + 4]", with: "[TILE - 1]", finds: "out of the bounds"),
    Bug(
      .gemm, "barrier in a branch", "    __syncthreads();",
      with: "    if (thread < 200) __syncthreads();", finds: "for ever: 200 at gemm.cu:37"),
    Bug(
      .gemm, "early return", "  const int steps",
      with: "  if (row0 + row >= rows) return;\n  const int steps", finds: "have returned"),
    Bug(
      .scaleAdd, "blocks overlap", "int(blockIdx.x * blockDim.x +",
      with: "int(blockIdx.x * (blockDim.x - 1) +", finds: "race in device memory"),
    Bug(
      .scaleAdd, "block too large", "dim3(128), 0", with: "dim3(2048), 0",
      finds: "a block of 2048 x 1 x 1 threads"),
    Bug(
      .softmax, "no barrier before use", "  __syncthreads();\n",
      finds: "never written in shared memory"),
    Bug(
      .softmax, "no barrier before reuse", "  __syncthreads();\n", place: 1,
      finds: "race in shared memory"),
    Bug(
      .softmax, "wrong mask", "0xffffffffu, x", with: "0x0000ffffu, x", finds: "the mask 0000ffff"),
    Bug(
      .softmax, "shuffle in a branch", "  sum = warp_sum", with: "  if (lane < 31) sum = warp_sum",
      finds: "wait for others for ever"),
    Bug(
      .softmax, "tensors overlap", "CKC_PLACE(arena, bytes,", with: "CKC_PLACE(arena, bytes - 64,",
      finds: "race in device memory"),
    Bug(
      .softmax, "wrong tensor", "CKC_PLACE(arena, bytes,", place: 1, with: "CKC_PLACE(arena, 0,",
      finds: nil),
    Bug(
      .softmax, "past the tensor", "CKC_PLACE(arena, 0, bytes)", place: 1,
      with: "CKC_PLACE(arena, 0, bytes - 4)", finds: "which is no tensor of the kernel's"),
    Bug(
      .tensorCore, "wrong fragment", "[group + 8][pair]);", with: "[group][pair + 8]);", finds: nil),
    Bug(
      .tensorCore, "copies not waited for", "async_wait(1)", with: "async_wait(2)",
      finds: "never written in shared memory"),
    Bug(
      .tensorCore, "no warp barrier", "    __syncwarp();\n", place: 1,
      finds: "race in shared memory"),
  ]

  /// Each is found in a single run, by the words that name it or by its results.
  @Test func bugsAreFound() throws {
    let device = try CUDASample.device(
      Self.bugs.map { ($0.sample, try $0.text()) }, TestEmulation.checked!)
    for (index, bug) in Self.bugs.enumerated() {
      let (results, findings) = try bug.sample.run(index, on: device)
      if let finding = bug.finding {
        #expect(findings.contains(finding), "\(bug): \(findings)")
      } else {
        #expect(findings == "" && !bug.sample.accepts(results), "\(bug)")
      }
      device.clearFindings()
    }
  }

  // MARK: The runtime library

  @Test func memoryIsCountedToTheByte() throws {
    let sample = CUDASample.scaleAdd
    let device = try CUDASample.device([(sample, sample.text)], TestEmulation.fast!)
    let first = try device.allocate(byteCount: 1001)
    let second = try device.allocate(byteCount: 999)
    try device.free(first)
    _ = try device.allocate(byteCount: 1000)
    #expect(device.peakBytes == 2000)
    #expect(throws: EmulationError.self) { try device.free(first) }
    device.limitMemory(toByteCount: 2000)
    #expect(throws: EmulationError.self) { try device.allocate(byteCount: 2) }
    _ = try device.allocate(byteCount: 1)
    // What was freed is no memory of the device any more.
    #expect(throws: EmulationError.self) { try device.upload([1], to: first) }
    #expect(device.findings.contains("a copy writes what is not memory of its side"))
    device.clearFindings()
    try device.upload([1], to: second)
  }

  /// A step can be captured, and replayed as often as one likes.
  @Test func launchesAreCaptured() throws {
    let text =
      try CUDASample.scaleAdd.text + """
        extern "C" int replay(const float *x, float *y, int count) {
          cudaStream_t stream;
          cudaGraph_t graph;
          cudaGraphExec_t executable;
          int status = cudaStreamCreate(&stream);
          if (!status) status = cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
          if (!status) status = run_0(x, y, count, stream);
          if (!status) status = cudaStreamEndCapture(stream, &graph);
          if (!status) status = cudaGraphInstantiate(&executable, graph, 0);
          for (int time = 0; !status && time < 3; ++time) status = cudaGraphLaunch(executable, stream);
          if (!status) status = cudaStreamDestroy(stream);
          if (!status) status = cudaGraphDestroy(graph);
          return status ? status : cudaGraphExecDestroy(executable);
        }

        """
    let device = try CUDASample.device([(.scaleAdd, text)], TestEmulation.fast!)
    let (x, y) = (try device.allocate(byteCount: 16), try device.allocate(byteCount: 16))
    try device.upload(CUDASample.bytes([1, 2, 3, 4] as [Float]), to: x)
    try device.upload(CUDASample.bytes([1, 1, 1, 1] as [Float]), to: y)
    typealias Entry =
      @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, Int32) -> Int32
    try device.check(unsafeBitCast(try device.symbol("replay"), to: Entry.self)(x, y, 4))
    let bytes = try device.download(from: y, byteCount: 16)
    #expect(bytes == CUDASample.bytes([2.5, 4, 5.5, 7] as [Float]))
  }
}
