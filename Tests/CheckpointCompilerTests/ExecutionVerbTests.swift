import CheckpointCompiler
import Foundation
import Testing

@testable import ckc

/// A directory with a small graph and data for it.
final class Workplace {
  let directory: TemporaryDirectory

  /// A few layers with dropout, and a state that counts; labels are whether x0 + x1 > 0.
  static let graph = """
    func @main(%x: f32[4,2], %y: i32[4], %key: ui32[2], param %w1: f32[2,16] = normal(1),
        param %b1: f32[16] = fill(0.1), frozen %scale: f32[16] = ones,
        param %w2: f32[16,16] = normal(0.25), param %w3: f32[16,2] = normal(0.25),
        state %seen: i32[1] = zeros) -> (loss %loss: f32, %accuracy: f32,
        update(%seen) %seen.new: i32[1]) {
      %h0 = linear %x, %w1, %b1
      %h1 = tanh %h0
      %h2 = dropout %h1, %key {rate = 0.25}
      %spread = broadcast_in_dim %scale {dims = [1]} : f32[4,16]
      %h3 = multiply %h2, %spread
      %h4 = linear %h3, %w2
      %h5 = sine %h4
      %h6 = linear %h5, %w2
      %h7 = tanh %h6
      %logits = linear %h7, %w3
      %loss = cross_entropy %logits, %y
      %accuracy = accuracy %logits, %y
      %one = constant 1 : i32[1]
      %seen.new = add %seen, %one
      return %loss, %accuracy, %seen.new
    }
    func @eval(%x: f32[4,2], %y: i32[4], param %w1: f32[2,16], param %b1: f32[16],
        param %w2: f32[16,16], param %w3: f32[16,2]) -> (%accuracy: f32) {
      %h0 = linear %x, %w1, %b1
      %h1 = tanh %h0
      %h2 = linear %h1, %w2
      %h3 = sine %h2
      %h4 = linear %h3, %w2
      %h5 = tanh %h4
      %logits = linear %h5, %w3
      %accuracy = accuracy %logits, %y
      return %accuracy
    }
    """

  init() throws {
    directory = try TemporaryDirectory()
    try write(Workplace.graph, "net.ir")
    var generator = SeededGenerator(seed: 9)
    let numbers = generator.normals(48).map { Double(Float($0)) }
    let labels = stride(from: 0, to: 48, by: 2).map { numbers[$0] + numbers[$0 + 1] > 0 ? 1 : 0 }
    try save(Tensor(TensorType(.f32, [24, 2]), floats: numbers), "x.npy")
    try save(Tensor(TensorType(.i64, [24]), integers: labels.map { Int64($0) }), "y.npy")
  }

  func path(_ name: String) -> String { directory.file(name) }

  func write(_ text: String, _ name: String) throws {
    try writeFileAtomically(Array(text.utf8), to: path(name))
  }

  func save(_ tensor: Tensor, _ name: String) throws {
    try writeFileAtomically(Npy.encode(tensor), to: path(name))
  }

  func bytes(_ name: String) throws -> [UInt8] { try readFile(path(name)) }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  /// The words of `ckc train` on the data of the directory.
  func training(_ words: String...) -> [String] {
    ["train", path("net.ir"), "--data", "x=\(path("x.npy"))", "--data", "y=\(path("y.npy"))"]
      + words
  }
}

func runCommand(_ words: [String]) -> CommandResult {
  var result = CommandResult(status: .done)
  let console = Console(output: { result.output += $0 }, error: { result.error += $0 })
  result.status = Commands.run(words, console: console)
  return result
}

@Suite(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct TrainVerbTests {
  @Test func theBudgetChangesNoByteOfTheWeights() throws {
    let work = try Workplace()
    let plain = runCommand(
      work.training(
        "--epochs", "3", "--optimizer", "adamw", "--seed", "4", "-o", work.path("a.safetensors"),
        "--eval", "x=\(work.path("x.npy"))", "--eval", "y=\(work.path("y.npy"))"))
    #expect(plain.status == .done, "\(plain.error)")
    #expect(plain.output.contains("epoch 3/3  loss "))
    #expect(plain.output.contains("eval: accuracy "))
    #expect(plain.output.contains("saved \(work.path("a.safetensors")): 18 steps"))
    let tight = runCommand(
      work.training(
        "--epochs", "3", "--optimizer", "adamw", "--seed", "4", "-o", work.path("b.safetensors"),
        "--budget", "min", "--threads", "1", "--json"))
    #expect(tight.status == .done, "\(tight.error)")
    #expect(tight.output.contains("\"interrupted\":false"))
    #expect(try work.bytes("a.safetensors") == work.bytes("b.safetensors"))
    let saved = try Safetensors.decode(try work.bytes("a.safetensors"), name: "a")
    let names = saved.tensors.map(\.name)
    for name in ["w1", "b1", "scale", "w2", "seen", "m.w1", "v.w2"] {
      #expect(names.contains(name), "\(names)")
    }
    #expect(saved.tensor(named: "seen")?.integers == [18])
    #expect(saved.metadata["ckc.epoch"] == "3" && saved.metadata["ckc.step"] == "18")
  }

  @Test func whatWasInterruptedGoesOnAsIfItWasNot() throws {
    let work = try Workplace()
    let whole = runCommand(
      work.training(
        "--epochs", "2", "--optimizer", "momentum", "-o", work.path("whole.safetensors")))
    #expect(whole.status == .done, "\(whole.error)")

    var output = ""
    var askedCount = 0
    let console = Console(output: { output += $0 }, error: { _ in })
    let words = work.training(
      "--epochs", "2", "--optimizer", "momentum", "-o", work.path("part.safetensors"))
    try TrainVerb.run(try Arguments.parse(words), console: console) {
      askedCount += 1
      return askedCount == 4
    }
    #expect(askedCount == 4 && output.contains("stopped after step 4, in epoch 1"))

    let rest = runCommand(
      work.training(
        "--epochs", "2", "--optimizer", "momentum", "--resume", work.path("part.safetensors"),
        "-o", work.path("part.safetensors"), "--budget", "min"))
    #expect(rest.status == .done, "\(rest.error)")
    #expect(try work.bytes("part.safetensors") == work.bytes("whole.safetensors"))

    let otherSeed = runCommand(
      work.training(
        "--optimizer", "momentum", "--resume", work.path("part.safetensors"), "--seed", "1"))
    #expect(otherSeed.status == .usage && otherSeed.error.contains("trained with seed 0"))
    let otherOptimizer = runCommand(
      work.training("--resume", work.path("part.safetensors"), "-o", work.path("c")))
    #expect(otherOptimizer.status == .input)
    #expect(otherOptimizer.error.contains("has no parameter or state %m."))
    #expect(!work.exists("c"))
  }

  @Test func learns() throws {
    let work = try Workplace()
    let result = runCommand(
      work.training(
        "--epochs", "30", "--optimizer", "adam", "--lr", "0.02", "-o", work.path("w"),
        "--eval", "x=\(work.path("x.npy"))", "--eval", "y=\(work.path("y.npy"))", "--json"))
    #expect(result.status == .done, "\(result.error)")
    let last = try #require(result.output.split(separator: "{").last { $0.contains("accuracy") })
    let accuracy = try #require(
      Double(last.dropFirst("\"accuracy\":".count).prefix { "0123456789.".contains($0) }))
    #expect(accuracy >= 0.9, "\(last)")
  }
}

@Suite(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct ExecutionFailureTests {
  @Test func wrongDataLeavesNothingBehind() throws {
    let work = try Workplace()
    try work.save(Tensor(zeros: TensorType(.f32, [24, 3])), "wide.npy")
    try work.save(Tensor(TensorType(.f32, [24]), repeating: 1), "real.npy")
    let labels = (0..<24).map { Int64($0 == 17 ? 2 : 1) }
    try work.save(Tensor(TensorType(.i64, [24]), integers: labels), "two.npy")
    func train(_ x: String, _ y: String) -> CommandResult {
      runCommand([
        "train", work.path("net.ir"), "--data", "x=\(work.path(x))", "--data",
        "y=\(work.path(y))", "-o", work.path("new/out.safetensors"),
      ])
    }
    for (x, y, message) in [
      ("wide.npy", "y.npy", "holds f32[24,3], but %x takes rows of f32[…,2]"),
      ("x.npy", "real.npy", "holds f32[24], but %y is i32"),
      ("x.npy", "two.npy", "two.npy: row 17 has the label 2, but the labels of %y are 0 to 1"),
      ("x.npy", "none.npy", "none.npy': no such file or directory"),
      ("net.ir", "y.npy", "net.ir: not a .npy file"),
    ] {
      let result = train(x, y)
      #expect(result.status == .input && result.error.contains(message), "\(result.error)")
    }
    #expect(!work.exists("new"))
    let evaluated = runCommand(
      work.training(
        "--eval", "x=\(work.path("x.npy"))", "--eval", "y=\(work.path("two.npy"))", "-o",
        work.path("new/out.safetensors")))
    #expect(evaluated.status == .input && evaluated.error.contains("two.npy: row 17 has the label"))
    let blocked = runCommand(work.training("-o", work.path("x.npy/w.safetensors")))
    #expect(blocked.status == .input && blocked.error.contains("a file is in the way"))
  }

  @Test(arguments: ["run", "train", "check", "profile"])
  func memoryThatIsNotThereEndsTheCommand(verb: String) throws {
    let work = try Workplace()
    // Half a tebibyte each: the argument of one, the arena of the other.
    try work.write(
      """
      func @main(%x: f32[137438953472], param %w: f32[137438953472]) -> (loss %loss: f32) {
        %h = multiply %x, %w
        %loss = reduce %h {kind = add, dims = [0]}
        return %loss
      }
      """, "argument.ir")
    try work.write(
      """
      func @main(%x: f32[4,2], param %w: f32[4] = ones) -> (loss %loss: f32) {
        %wide = broadcast_in_dim %w {dims = [0]} : f32[4,34359738368]
        %sorted = sort %wide {comparator = @less, dim = 1}
        %loss = reduce %sorted {kind = max, dims = [0, 1]}
        return %loss
      }
      func @less(%a: f32, %b: f32) -> i1 {
        %p = compare %a, %b {direction = lt}
        return %p
      }
      """, "arena.ir")
    for graph in ["argument.ir", "arena.ir"] where verb != "train" || graph == "arena.ir" {
      var words = [verb, work.path(graph)]
      switch verb {
      case "run": words += ["--save", work.path("out")]
      case "train": words += ["--data", "x=\(work.path("x.npy"))", "-o", work.path("out")]
      case "profile": words += ["-o", work.path("out")]
      default: break
      }
      let result = runCommand(words)
      #expect(result.status == .toolchain && result.error.contains("no memory for "))
      #expect(result.error.hasSuffix(" bytes\n"), "\(result.error)")
      #expect(!work.exists("out"))
    }
  }

  @Test(arguments: ["compile", "run", "train", "check", "profile"])
  func aMissingCompilerHasAStatusOfItsOwn(verb: String) throws {
    let work = try Workplace()
    var words = [verb, work.path("net.ir"), "--cc", "/nonexistent"]
    if verb == "train" { words = work.training("--cc", "/nonexistent") }
    if verb == "compile" { words += ["--emit", "lib", "-o", work.path("out")] }
    let result = runCommand(words)
    #expect(result.status == .toolchain)
    #expect(result.error.contains("no C compiler (from --cc): '/nonexistent'"), "\(result.error)")
    #expect(!work.exists("out"))
  }
}

@Suite(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct RunVerbTests {
  @Test func writesWhatTheStepComputes() throws {
    let work = try Workplace()
    try work.save(Tensor(TensorType(.f32, [4, 2]), floats: [1, 2, 3, 4, -1, 0, 2, 1]), "in.npy")
    try work.save(Tensor(TensorType(.i64, [4]), integers: [0, 1, 1, 0]), "labels.npy")
    let result = runCommand(
      "run", work.path("net.ir"), "--input", "x=\(work.path("in.npy"))", "--input",
      "1=\(work.path("labels.npy"))", "--save", work.path("out.npz"))
    #expect(result.status == .done, "\(result.error)")
    #expect(result.output.contains("%loss") && result.output.contains("%grad.w1"))
    let saved = try Npz.decode(try work.bytes("out.npz"), name: "out.npz")
    #expect(
      saved.map(\.name) == ["loss", "accuracy", "grad.w1", "grad.b1", "grad.w2", "grad.w3", "seen"])
    #expect(saved.last?.tensor.integers == [1])
    // The step goes on from what it wrote.
    let again = runCommand("run", work.path("net.ir"), "--inputs", work.path("out.npz"))
    #expect(again.status == .done, "\(again.error)")
    let seen = again.output.split(separator: "\n").last { $0.hasPrefix("%seen") }
    #expect(seen?.split(separator: " ") == ["%seen", "i32[1]", "2"], "\(again.output)")
    let trained = runCommand(
      work.training("--optimizer", "momentum", "-o", work.path("w.safetensors")))
    #expect(trained.status == .done, "\(trained.error)")
    let weights = runCommand("run", work.path("net.ir"), "--inputs", work.path("w.safetensors"))
    #expect(weights.status == .done, "\(weights.error)")
    let count = weights.output.split(separator: "\n").last { $0.hasPrefix("%seen") }
    #expect(count?.split(separator: " ").last == "7", "\(weights.output)")
    let missing = runCommand("run", work.path("net.ir"), "--inputs", work.path("none.npz"))
    #expect(missing.status == .input && missing.error.contains("none.npz"))
  }

  @Test func ofNoNumberNothingIsTheLeast() throws {
    let work = try Workplace()
    try work.write(
      """
      func @main(%x: f32[3]) -> f32[3] {
        %y = log %x
        return %y
      }
      """, "log.ir")
    try work.save(Tensor(TensorType(.f32, [3]), floats: [-1, -2, -3]), "in.npy")
    let words = ["run", work.path("log.ir"), "--input", "x=\(work.path("in.npy"))"]
    let result = runCommand(words)
    #expect(result.output.contains("min nan  max nan  mean nan  3 NaN"), "\(result.output)")
    #expect(runCommand(words + ["--json"]).output.contains("\"min\":null,\"max\":null"))
  }

  @Test func namesWhatDoesNotExist() throws {
    let work = try Workplace()
    func error(_ input: String) -> String {
      let result = runCommand(
        "run", work.path("net.ir"), "--input", "\(input)=\(work.path("x.npy"))")
      #expect(result.status == .input)
      return result.error
    }
    #expect(error("scle").contains("@main has no argument %scle; did you mean '%scale'?"))
    #expect(error("17").contains("@main has 9 arguments, none at position 17"))
    #expect(error("x").contains("x.npy holds f32[24,2], but %x is f32[4,2]"))
    let labels = Tensor(TensorType(.i32, [4]), integers: [0, 1, -1, 0])
    try work.save(labels, "labels.npy")
    let wrong = runCommand("run", work.path("net.ir"), "--input", "y=\(work.path("labels.npy"))")
    #expect(wrong.status == .input)
    #expect(wrong.error.contains("labels.npy: row 2 has the label -1, but the labels of %y are 0"))
  }
}

@Suite(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct CheckVerbTests {
  @Test(arguments: ["100%", "min"])
  func whatHoldsPasses(budget: String) throws {
    let work = try Workplace()
    let result = runCommand(
      "check", work.path("net.ir"), "--budget", budget, "--optimizer", "adamw")
    #expect(result.status == .done, "\(result.output)\(result.error)")
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 8 && lines.allSatisfy { $0.hasPrefix("ok ") }, "\(result.output)")
  }

  /// A gradient in `f64` that was computed in `f32` is as good as that.
  @Test func resultsAreAsExactAsTheCoarsestTypeOnTheWay() throws {
    let work = try Workplace()
    try work.write(
      """
      func @main(%x: f32[64, 7], param %h: f64[7] = normal(1.0)) -> (loss %loss: f32) {
        %hc = convert %h : f32[7]
        %lh = add_bias %x, %hc
        %sg = logistic %lh
        %sq = square %sg
        %loss = reduce %sq {kind = add, dims = [0, 1]}
        return %loss
      }
      """, "mixed.ir")
    let result = runCommand("check", work.path("mixed.ir"))
    #expect(result.status == .done, "\(result.output)\(result.error)")
  }

  @Test func aWrongGradientFails() throws {
    let work = try Workplace()
    try work.write(
      """
      func @main(%x: f32[8], param %w: f32[8] = normal(1), param %v: f32[8] = normal(1)) -> (
          loss %loss: f32, grad(%w) %g: f32[8], grad(%v) %k: f32[8]) {
        %y = multiply %x, %w
        %z = multiply %y, %v
        %loss = reduce %z {kind = add, dims = [0]}
        %g = multiply %x, %v
        %k = multiply %x, %v
        return %loss, %g, %k
      }
      """, "wrong.ir")
    let result = runCommand("check", work.path("wrong.ir"), "--json")
    #expect(result.status == .input, "\(result.error)")
    #expect(result.output.contains("\"passed\":false"))
    #expect(result.output.contains("%v: the gradient says"), "\(result.output)")
    #expect(!result.output.contains("%w: the gradient says"))
  }
}

@Suite(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct CompileVerbTests {
  @Test func emitsEverythingAndTakesItsPlanBack() throws {
    let work = try Workplace()
    let result = runCommand(
      "compile", work.path("net.ir"), "--budget", "min", "--emit", "c,lib,exe,ir,plan,report", "-o",
      work.path("out"), "--json")
    #expect(result.status == .done, "\(result.error)")
    let names = [
      "main", "main.c", "main.h", "main.plan.json", "main.planned.ir", "main.report.json",
      "main_main.c", "libmain.so",
    ]
    for name in names {
      #expect(work.exists("out/\(name)"), "\(name)")
      #expect(result.output.contains("out/\(name)\""), "\(name)")
    }
    let program = try Subprocess.run([work.path("out/main"), "3"], joinsStreams: true)
    let text = String(decoding: program.standardOutput, as: UTF8.self)
    #expect(program.isSuccess && text.hasPrefix("3 steps, ") && text.contains(" bytes"), "\(text)")
    let large = ["99999999999999999999", "1152921504606846976"]
    for steps in ["none", "5x", "0", "-1", "+1", ""] + large {
      let refused = try Subprocess.run([work.path("out/main"), steps], joinsStreams: true)
      let text = String(decoding: refused.standardOutput, as: UTF8.self)
      #expect(refused.status == .exited(2) && text.hasPrefix("usage: "), "\(steps): \(text)")
    }

    let again = runCommand(
      "compile", work.path("net.ir"), "--plan", work.path("out/main.plan.json"), "-o",
      work.path("again"))
    #expect(again.status == .done, "\(again.error)")
    #expect(try work.bytes("again/main.c") == work.bytes("out/main.c"))
    try work.write(
      """
      func @main(%x: f32[8], param %w: f32[8]) -> (%y: f32[8]) {
        %n = no_grad {
          %i = multiply %x, %w
          %j = sine %i
          yield %j
        }
        %y = add %n, %x
        return %y
      }
      """, "planned.ir")
    let planned = runCommand(
      "compile", work.path("planned.ir"), "--emit", "c,plan", "-o", work.path("third"))
    #expect(planned.status == .input && !work.exists("third"), "\(planned.error)")
    #expect(planned.error.contains("--emit plan: the graph holds its plan already"))
  }

  @Test func namesLikeEmittedOnesCompile() throws {
    let work = try Workplace()
    try work.write(
      """
      func @main(%main_ARENA_BYTES: f32[4], param %main_step: f32[4], state %main_ARENA_ALIGN: f32[4])
          -> (loss %main_inputs: f32, update(%main_ARENA_ALIGN) %main_ARENA_BYTES_: f32[4]) {
        %h = multiply %main_ARENA_BYTES, %main_step
        %sum = add %h, %main_ARENA_ALIGN
        %loss = reduce %sum {kind = add, dims = [0]}
        return %loss, %h
      }
      """, "names.ir")
    let result = runCommand(
      "compile", work.path("names.ir"), "--emit", "c,lib", "-o", work.path("out"))
    #expect(result.status == .done, "\(result.error)")
  }

  @Test func networksOfDifferentNamesLink() throws {
    let work = try Workplace()
    for (name, budget) in [("first", "100%"), ("second", "min")] {
      let result = runCommand(
        "compile", work.path("net.ir"), "--name", name, "--budget", budget, "-o", work.path("out"))
      #expect(result.status == .done, "\(result.error)")
    }
    try work.write(
      """
      #include "first.h"
      #include "second.h"
      int main(void) { return first_ARENA_BYTES > second_ARENA_BYTES ? 0 : 1; }

      """, "out/app.c")
    let sources = ["app", "first", "second"].map { work.path("out/\($0).c") }
    try #require(TestToolchain.driver).compile(sources, to: work.path("app"), as: .executable)
    #expect(try Subprocess.run([work.path("app")], joinsStreams: true).isSuccess)
    let wrong = runCommand("compile", work.path("net.ir"), "--name", "2nd", "-o", work.path("new"))
    #expect(wrong.status == .usage && wrong.error.contains("an identifier of C"))
    #expect(!work.exists("new"))
  }

  @Test func leavesNothingWhereItCannotWrite() throws {
    let work = try Workplace()
    let blocked = runCommand("compile", work.path("net.ir"), "-o", work.path("x.npy/out"))
    #expect(blocked.status == .input && blocked.output.isEmpty)
    let small = runCommand(
      "compile", work.path("net.ir"), "--budget", "64", "-o", work.path("out"))
    #expect(small.status == .budget && !work.exists("out"))
  }
}

@Suite(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct ProfileVerbTests {
  @Test func writesCostsThatPlanningTakes() throws {
    let work = try Workplace()
    let result = runCommand("profile", work.path("net.ir"), "-o", work.path("costs.json"))
    #expect(result.status == .done, "\(result.error)")
    #expect(result.output.contains("kernels of") && result.output.contains("predicted"))
    let costs = try MeasuredCosts.read(json: try work.bytes("costs.json"))
    #expect(!costs.isEmpty && costs.values.allSatisfy { $0 >= 0 })
    let compiled = runCommand(
      "compile", work.path("net.ir"), "--costs", work.path("costs.json"), "--budget", "min", "-o",
      work.path("out"))
    #expect(compiled.status == .done, "\(compiled.error)")
    // Another budget may take other kernels: they were measured as well.
    #expect(!compiled.error.contains("has no cost"), "\(compiled.error)")
  }
}
