import CUDAEmulation
import CheckpointCompiler
import Foundation
import Testing

@testable import ckc

/// `--target cuda` on the command line, with a stand-in for nvcc whose programs run on an emulated
/// device.
@Suite(
  .enabled(if: TestEmulation.fast != nil, TestEmulation.absence),
  .enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct CUDAVerbTests {
  /// Few kernels, since the C++ compiler takes its time.
  private static let graph = """
    func @main(%x: f32[4,8], param %w: f32[8,8] = normal(0.5), param %b: f32[8] = ones) -> (
        loss %loss: f32) {
      %h = linear %x, %w, %b
      %y = tanh %h
      %z = linear %y, %w
      %s = multiply %z, %z
      %loss = reduce %s {kind = add, dims = [0,1]}
      return %loss
    }
    """

  /// Parameters, state and those of the optimizer stay on the device; batches go there.
  @Test func trainingOnADeviceIsTrainingInC() throws {
    let work = try Workplace()
    let nvcc = try EmulatedNVCC(TestEmulation.fast!)
    func train(_ name: String, _ words: String...) throws -> Safetensors {
      let result = runCommand(
        work.training(
          "--epochs", "2", "--optimizer", "momentum", "--seed", "4", "-o", work.path(name)) + words)
      #expect(result.status == .done, "\(result.error)")
      #expect(result.output.contains("eval: accuracy ") == words.contains("--eval"))
      return try Safetensors.decode(try work.bytes(name), name: name)
    }
    let expected = try train("c")
    let found = try train(
      "cuda", "--target", "cuda", "--nvcc", nvcc.path, "--eval", "x=\(work.path("x.npy"))",
      "--eval", "y=\(work.path("y.npy"))")
    #expect(found.tensors.map(\.name) == expected.tensors.map(\.name))
    for (found, expected) in zip(found.tensors, expected.tensors) {
      let difference = InterpreterCheck.difference(found.tensor, expected.tensor)
      #expect(difference < 1e-4, "\(found.name) is off by \(difference)")
    }
    #expect(found.tensor(named: "seen")?.integers == [12])
    _ = try train("tight", "--target", "cuda", "--nvcc", nvcc.path, "--budget", "min")
    #expect(try work.bytes("tight") == work.bytes("cuda"))
  }

  @Test func runsOnceAndBuildsPrograms() throws {
    let work = try Workplace()
    try work.write(Self.graph, "small.ir")
    let nvcc = try EmulatedNVCC(TestEmulation.fast!)
    let onDevice = ["--target", "cuda", "--nvcc", nvcc.path]
    let inputs = ["--save", work.path("out.npz"), "--optimizer", "sgd"]
    let result = runCommand(["run", work.path("small.ir")] + inputs + onDevice)
    #expect(result.status == .done && result.error.isEmpty, "\(result.error)")
    let found = try Npz.decode(try work.bytes("out.npz"), name: "out.npz")
    #expect(runCommand(["run", work.path("small.ir")] + inputs).status == .done)
    let expected = try Npz.decode(try work.bytes("out.npz"), name: "out.npz")
    #expect(found.map(\.name) == expected.map(\.name))
    for (found, expected) in zip(found, expected) {
      #expect(InterpreterCheck.difference(found.tensor, expected.tensor) < 1e-4, "\(found.name)")
    }

    let compiled = runCommand(
      ["compile", work.path("small.ir"), "--emit", "c,lib,exe", "-o", work.path("out")] + onDevice)
    #expect(compiled.status == .done, "\(compiled.error)")
    for name in ["main", "main.cu", "main.h", "main_main.cu", "libmain.so"] {
      #expect(work.exists("out/\(name)"), "\(name)")
    }
    let program = try Subprocess.run([work.path("out/main"), "3"], joinsStreams: true)
    let text = String(decoding: program.standardOutput, as: UTF8.self)
    #expect(program.isSuccess && text.hasPrefix("3 steps, "), "\(text)")
    #expect(text.contains(" bytes, on the device "), "\(text)")
    #expect(try !Subprocess.run([work.path("out/main"), "none"]).isSuccess)
  }

  /// Kernels are timed one by one on the device, and planning takes the times.
  @Test func profilesTheDevice() throws {
    let work = try Workplace()
    try work.write(Self.graph, "small.ir")
    let nvcc = try EmulatedNVCC(TestEmulation.fast!)
    let result = runCommand(
      "profile", work.path("small.ir"), "--target", "cuda", "--nvcc", nvcc.path, "-o",
      work.path("costs.json"))
    #expect(result.status == .done, "\(result.error)")
    let text = String(decoding: try work.bytes("costs.json"), as: UTF8.self)
    #expect(text.contains("emulated device"), "\(text)")
    let costs = try MeasuredCosts.read(json: try work.bytes("costs.json"))
    #expect(!costs.isEmpty && costs.values.allSatisfy { $0 > 0 })
    let compiled = runCommand(
      "compile", work.path("small.ir"), "--target", "cuda", "--costs", work.path("costs.json"),
      "--budget", "min", "-o", work.path("out"))
    #expect(
      compiled.status == .done && !compiled.error.contains("has no cost"), "\(compiled.error)")
  }

  /// On an emulated device of `ckc`'s own, and on the one that the stand-in finds.
  @Test func whatHoldsPasses() throws {
    let work = try Workplace()
    try work.write(Self.graph, "small.ir")
    let nvcc = try EmulatedNVCC(TestEmulation.fast!)
    let result = runCommand(
      "check", work.path("small.ir"), "--budget", "100%", "--optimizer", "momentum", "--target",
      "cuda", "--nvcc", nvcc.path)
    #expect(result.status == .done, "\(result.output)\(result.error)")
    let lines = result.output.split(separator: "\n")
    #expect(lines.allSatisfy { $0.hasPrefix("ok ") }, "\(result.output)")
    for name in [
      "gradients", "emulated results", "emulated captured graph", "emulated device memory",
      "emulated plan", "emulated accesses", "device results", "device graph",
      "device plan", "header", "budget",
    ] {
      #expect(lines.contains { $0.contains(" \(name) ") }, "\(name): \(result.output)")
    }
  }

  @Test func whatIsMissingIsSaidAndNothingWritten() throws {
    let work = try Workplace()
    let nvcc = try EmulatedNVCC(withoutDevice: ())
    func words(_ verb: String, _ compiler: String) -> [String] {
      let rest = ["--target", "cuda", "--nvcc", compiler]
      switch verb {
      case "train": return work.training("-o", work.path("out")) + rest
      case "compile":
        return [verb, work.path("net.ir"), "--emit", "c,exe", "-o", work.path("out")] + rest
      case "profile": return [verb, work.path("net.ir"), "-o", work.path("out")] + rest
      default: return [verb, work.path("net.ir"), "--save", work.path("out")] + rest
      }
    }
    for verb in ["compile", "run", "train", "profile"] {
      let result = runCommand(words(verb, "/nonexistent"))
      #expect(result.status == .toolchain, "\(verb)")
      #expect(
        result.error.contains("no CUDA compiler (from --nvcc): '/nonexistent'"), "\(result.error)")
    }
    for verb in ["run", "train", "profile"] {
      let result = runCommand(words(verb, nvcc.path))
      #expect(result.status == .toolchain, "\(verb)")
      let reason = "no CUDA device can be used: no CUDA-capable device is detected (error 100)"
      #expect(result.error.contains(reason), "\(result.error)")
    }
    #expect(!work.exists("out"))
  }
}
