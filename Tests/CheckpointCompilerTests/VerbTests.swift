import CheckpointCompiler
import Foundation
import Testing

@testable import ckc

/// Files for one test, removed with it.
struct Workspace: ~Copyable {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// The path of a file.
  func path(_ name: String) -> String { directory.file(name) }

  /// Writes a file and returns its path.
  func write(_ name: String, _ text: String) throws -> String {
    try writeFileAtomically(Array(text.utf8), to: path(name))
    return path(name)
  }

  /// The text of a file.
  func read(_ name: String) throws -> String {
    String(decoding: try readFile(path(name)), as: UTF8.self)
  }

  /// A small graph of layers.
  func graph(_ layers: Int = 4) throws -> String {
    try write("graph.ir", PlanReportTests.layers(layers))
  }
}

@Suite struct GraphJobTests {
  @Test func namesFilesAndOptionsThatAreWrong() throws {
    let work = try Workspace()
    let graph = try work.graph()
    let missing = runCommand("plan", work.path("none.ir"))
    #expect(missing.status == .input && missing.output.isEmpty)
    #expect(missing.error.contains("cannot read") && missing.error.contains("none.ir"))
    let hlo = try work.write("net.mlir", "module @jit_f {}")
    #expect(runCommand("plan", hlo).error.contains("net.mlir:1:1: error: no function"))
    #expect(runCommand("plan", hlo).status == .input)
    #expect(runCommand("fmt", hlo).error.contains("'ckc import' writes it as IR"))
    #expect(runCommand("import", graph).error.contains("the file is IR"))
    let roles = runCommand("plan", graph, "--loss", "0")
    #expect(roles.status == .input && roles.error.contains("is IR, which says itself"))
    let syntax = runCommand("plan", try work.write("bad.ir", "func @main(%x: f32) -> f32 {\n"))
    #expect(syntax.status == .input && syntax.error.contains("bad.ir:2:1: error:"))
    let target = runCommand("plan", graph, "--target", "cuda:h200")
    #expect(target.status == .usage && target.error.contains("cuda:h100"))
    #expect(runCommand("plan", graph, "--target", "cuda").status == .done)
    let pin = runCommand("plan", graph, "--pin", "h1=keap")
    #expect(pin.status == .usage && pin.error.contains("did you mean 'keep'?"))
    let value = runCommand("plan", graph, "--pin", "%h11=keep", "--budget", "80%")
    #expect(value.status == .input && value.error.contains("did you mean"))
    let stage = runCommand("plan", graph, "--stop-after", "simplfied")
    #expect(stage.status == .usage && stage.error.contains("did you mean 'simplified'?"))
    let late = runCommand("plan", graph, "--stop-after", "code")
    #expect(late.status == .usage && late.error.contains("ends after the stage 'memory'"))
    let costs = runCommand("plan", graph, "--costs", try work.write("costs.json", "{\n1}"))
    #expect(costs.status == .input && costs.error.contains("costs.json:2:1"))
    let entry = runCommand("plan", graph, "--entry", "mian")
    #expect(entry.status == .input && entry.error.contains("@mian"))
  }

  @Test func nothingIsWrittenOverWhatIsRead() throws {
    let work = try Workspace()
    let graph = try work.graph()
    let text = try work.read("graph.ir")
    try FileManager.default.createSymbolicLink(
      atPath: work.path("link"), withDestinationPath: "graph.ir")
    for (verb, option) in [("inspect", "-o"), ("plan", "-o"), ("train", "-o"), ("run", "--save")] {
      let result = runCommand(verb, graph, option, work.path("link"))
      #expect(result.status == .usage && result.error.contains("that is the input \(graph)"))
    }
    let planned = try work.write("main.planned.ir", text)
    let compiled = runCommand("compile", planned, "--emit", "ir", "-o", work.path("."))
    #expect(compiled.status == .usage && compiled.error.contains("that is the input"))
    #expect(try work.read("graph.ir") == text && work.read("main.planned.ir") == text)
    #expect(runCommand("fmt", "-i", graph).status == .done)
  }

  @Test func machinesGetEveryErrorWithItsPlace() throws {
    let work = try Workspace()
    let graph = try work.write(
      "bad.ir",
      """
      func @main(%x: f32[4], %w: f32[5]) -> f32[4] {
        %a = add %x, %w
        %b = tahn %x
        return %x
      }
      """)
    let value = try JSONValue.parse(Array(runCommand("plan", graph, "--json").output.utf8))
    #expect(value["exitStatus"] == 1)
    let found = try #require(value["diagnostics"]?.arrayValue)
    #expect(found.count == 2 && value["error"] == found[0]["message"])
    #expect(found[0]["file"] == .string(graph) && found[0]["severity"] == "error")
    #expect(found[0]["line"] == 2 && found[0]["column"] == 8 && found[0]["constraint"] == "add_c1")
    let note = try #require(found[0]["notes"]?.arrayValue?.first)
    #expect(note["severity"] == "note" && note["line"] == 1 && note["column"] == 12)
    #expect(found[1]["line"] == 3 && found[1]["notes"] == nil)
    let plain = try JSONValue.parse(Array(runCommand("plan", "none.ir", "--json").output.utf8))
    #expect(plain["diagnostics"]?.arrayValue?.first?["message"] == plain["error"])
    #expect(plain["diagnostics"]?.arrayValue?.first?["file"] == nil)
  }

  @Test func anUnreachableBudgetEndsWithStatus3AndNamesTheSmallest() throws {
    let work = try Workspace()
    let graph = try work.graph()
    let result = runCommand("plan", graph, "--budget", "64", "--json")
    #expect(result.status == .budget)
    #expect(result.error.contains("the budget of 64 bytes cannot be met: the smallest"))
    #expect(result.error.contains("note: memory is fullest while '%"))
    let value = try JSONValue.parse(Array(result.output.utf8))
    #expect(value["exitStatus"] == 3)
    let smallest = try #require(value["minimumBudgetBytes"]?.intValue)
    #expect(runCommand("plan", graph, "--budget", "\(smallest)").status == .done)
    let fixed = runCommand("plan", graph, "--budget", "64", "--strategy", "none")
    #expect(fixed.status == .budget && fixed.error.contains("the plan needs"))
  }

  /// The kernel that needs most is in a layer; the line that calls it is the user's.
  @Test func aBudgetThatALayerBreaksNamesTheCall() throws {
    let work = try Workspace()
    let graph = try work.write(
      "net.ir",
      """
      func @block(%x: f32[64,64], %g: f32[64], %b: f32[64]) {
        %n = layer_norm %x, %g, %b
        %a = gelu %n
        return %a
      }
      func @main(%x: f32[64,64], %y: f32[64,64], param %g: f32[64], param %b: f32[64])
          -> (loss %loss: f32) {
        %h = block %x, %g, %b
        %loss = mse %h, %y
        return %loss
      }
      """)
    let result = runCommand("plan", graph, "--budget", "64")
    #expect(result.error.contains("prelude/"), "\(result.error)")
    #expect(result.error.contains("net.ir:2:8: note: the layer is called here"), "\(result.error)")
  }

  @Test func stagesArePrintedAndEndTheCommand() throws {
    let work = try Workspace()
    let graph = try work.graph(3)
    let result = runCommand("plan", graph, "--print-after", "parsed", "--stop-after", "kernels")
    #expect(result.status == .done && result.error.hasPrefix("// after parsed\nfunc @main("))
    #expect(result.output.hasPrefix("func @main("))
    let pass = runCommand("plan", graph, "--stop-after", try #require(simplificationPasses.first))
    #expect(pass.status == .done && pass.output.hasPrefix("func @main("))
    let late = runCommand("plan", graph, "--print-after", "code")
    #expect(late.error.contains("--print-after code prints nothing"))
  }

  @Test func optionsWithoutEffectAreReported() throws {
    let work = try Workspace()
    let graph = try work.graph(3)
    #expect(
      runCommand("plan", graph, "--momentum", "0.5").error
        == "ckc: warning: --momentum changes nothing here\n")
    let costs = try work.write("costs.json", "{\"kernels\":{\"other#1\":3}}")
    let unknown = runCommand("plan", graph, "--costs", costs)
    #expect(unknown.status == .done && unknown.error.contains("has no cost for"))
  }
}

@Suite struct PlanVerbTests {
  @Test func reportsAsTextJSONAndDrawing() throws {
    let work = try Workspace()
    let graph = try work.graph()
    let text = runCommand("plan", graph, "--budget", "60%")
    #expect(text.status == .done && text.error.isEmpty)
    #expect(text.output.contains("arena") && text.output.contains("\nrecomputed\n  %h"))
    let json = runCommand("plan", graph, "--budget", "60%", "--json")
    let value = try JSONValue.parse(Array(json.output.utf8))
    #expect(value["budgetBytes"] != .null && value["name"] == "main")
    let path = work.path("timeline.svg")
    let drawing = runCommand("plan", graph, "--format", "svg", "-o", path)
    #expect(drawing.status == .done && drawing.output.isEmpty)
    #expect(try work.read("timeline.svg").hasPrefix("<svg "))
    #expect(runCommand("plan", graph, "--format", "dot").status == .usage)
    #expect(runCommand("plan", graph, "--format", "svg", "--json").status == .usage)
  }

  @Test func drawsTheCurve() throws {
    let work = try Workspace()
    let graph = try work.graph(4)
    let text = runCommand("plan", graph, "--pareto", "--budget", "50%", "--time-limit", "0.05")
    #expect(
      text.status == .done && text.output.hasPrefix("  arena") || text.output.contains("of all"))
    #expect(text.error == "ckc: warning: --budget changes nothing beside --pareto\n")
  }

  @Test func writesNothingWhereItCannot() throws {
    let work = try Workspace()
    let file = try work.write("file", "")
    let result = runCommand("plan", try work.graph(3), "-o", file + "/plan.txt")
    #expect(result.status == .input && result.error.contains("file"))
    #expect(try work.read("file") == "")
  }
}

@Suite struct ExplainVerbTests {
  @Test func tellsTheDecisionAndTheOtherWay() throws {
    let work = try Workspace()
    let graph = try work.graph()
    let result = runCommand("explain", graph, "%h2")
    #expect(result.status == .done && result.output.hasPrefix("%h2: f32[8,16], 512 B\nkept:"))
    #expect(result.output.contains("With --pin %h2=recompute:"))
    let json = runCommand("explain", graph, "h2", "--budget", "min", "--json")
    let value = try JSONValue.parse(Array(json.output.utf8))
    #expect(value["decision"] != nil && value["sizeBytes"] == 512)
    #expect(runCommand("explain", graph, "%x").output.contains("an argument"))
  }

  @Test func suggestsTheValueThatWasMeant() throws {
    let work = try Workspace()
    let result = runCommand("explain", try work.graph(3), "%los")
    #expect(result.status == .input && result.error.contains("no value %los; did you mean 'loss'?"))
  }
}

@Suite struct InspectVerbTests {
  @Test func printsEveryStage() throws {
    let work = try Workspace()
    let graph = try work.graph()
    for stage in ["parsed", "differentiated", "simplified", "kernels", "planned", "memory"] {
      let text = runCommand("inspect", graph, "--stage", stage, "--budget", "60%")
      #expect(text.status == .done && text.output.contains("func @main("), "\(stage)")
      let json = runCommand("inspect", graph, "--stage", stage, "--json")
      let value = try JSONValue.parse(Array(json.output.utf8))
      #expect(value["stage"] == .string(stage))
      #expect(value["functions"]?.arrayValue?.first?["ops"]?.arrayValue?.isEmpty == false)
      #expect(runCommand("inspect", graph, "--stage", stage, "--format", "dot").status == .done)
    }
    let memory = runCommand("inspect", graph, "--stage", "memory")
    // What is added to the IR are comments: the text is read back.
    let again = try work.write("memory.ir", memory.output)
    #expect(memory.output.contains("// arena:"))
    #expect(runCommand("inspect", again, "--stage", "parsed").status == .done)
  }

  @Test func drawsTheMemory() throws {
    let work = try Workspace()
    let graph = try work.graph(3)
    #expect(runCommand("inspect", graph, "--format", "svg").output.hasPrefix("<svg "))
    #expect(runCommand("inspect", graph, "--format", "html").output.hasPrefix("<!DOCTYPE html>"))
    let wrong = runCommand("inspect", graph, "--format", "svg", "--stage", "parsed")
    #expect(wrong.status == .usage && wrong.error.contains("--format dot"))
    #expect(runCommand("inspect", graph, "--format", "text").status == .usage)
  }
}

@Suite struct SolveVerbTests {
  private static let problem = """
    {"nodes":[{"name":"a","cost":1,"outputs":[100],"inputs":[]},
    {"name":"b","cost":1,"outputs":[100],"inputs":[[0,0]]},
    {"name":"c","cost":1,"outputs":[100],"inputs":[[1,0]]},
    {"name":"d","cost":1,"outputs":[100],"inputs":[[2,0],[0,0]],"keep":[true]}]}
    """

  @Test func solvesWithinTheBudget() throws {
    let work = try Workspace()
    let file = try work.write("problem.json", Self.problem)
    let result = runCommand("solve", file, "--budget", "300", "--json")
    let value = try JSONValue.parse(Array(result.output.utf8))
    #expect(result.status == .done && value["peak"] == 300 && value["status"] == "optimal")
    let path = work.path("schedule.json")
    let summary = runCommand("solve", file, "--budget", "min", "--order", "given", "-o", path)
    #expect(summary.status == .done && summary.output.contains("peak 300 B"))
    #expect(try work.read("schedule.json").contains("\"schedule\":[[\"compute\",0]"))
    #expect(runCommand("solve", file, "--budget", "75%").status == .budget)
  }

  @Test func refusesWhatCannotBeMet() throws {
    let work = try Workspace()
    let file = try work.write("problem.json", Self.problem)
    let result = runCommand("solve", file, "--budget", "299", "-o", work.path("s.json"))
    #expect(result.status == .budget && result.output.isEmpty)
    #expect(result.error.contains("none is below 300, which node 3 'd' needs"))
    #expect(throws: FileError.self) { try work.read("s.json") }
    let json = runCommand("solve", file, "--budget", "299", "--json")
    #expect(json.output.contains("\"status\":\"infeasible\""))
    let wrong = runCommand("solve", try work.write("wrong.json", "{\"nodes\":[{\"cost\":1}]}"))
    #expect(wrong.status == .input && wrong.error.contains("wrong.json:1:11: error:"))
  }
}

@Suite struct PackVerbTests {
  private static let instance = "id,lower,upper,size\na,0,2,4\nb,1,3,4\nc,2,4,4\n"

  @Test func writesOffsets() throws {
    let work = try Workspace()
    let file = try work.write("instance.csv", Self.instance)
    let result = runCommand("pack", file)
    #expect(
      result.status == .done && result.output.hasPrefix("id,lower,upper,size,offset\na,0,2,4,"))
    #expect(result.output.split(separator: "\n").count == 4)
    let both = runCommand("pack", file, "--capacity", "8", "-o", work.path("o.csv"), "--json")
    #expect(both.output.hasPrefix("{\"status\":\"optimal\",\"height\":8,\"lowerBound\":8"))
    #expect(try work.read("o.csv") == result.output)
  }

  @Test func refusesWhatDoesNotFit() throws {
    let work = try Workspace()
    let file = try work.write("instance.csv", Self.instance)
    let result = runCommand("pack", file, "--capacity", "7", "-o", work.path("o.csv"))
    #expect(result.status == .budget && result.error.contains("none has fewer than 8"))
    #expect(throws: FileError.self) { try work.read("o.csv") }
    let wrong = runCommand("pack", try work.write("w.csv", "id,lower,upper,size\na,0,x,4\n"))
    #expect(wrong.status == .input && wrong.error.contains("w.csv:2:5: error: 'x'"))
    for (row, message) in [
      ("a,0,1,99999999999999999999", "'99999999999999999999' is too large"),
      ("a,0,1,-4", "the size of buffer 'a' is negative: -4"),
    ] {
      let wrong = runCommand("pack", try work.write("w.csv", "id,lower,upper,size\n\(row)\n"))
      #expect(wrong.error.contains("w.csv:2:7: error: \(message)"), "\(wrong.error)")
    }
  }
}

@Suite struct FmtVerbTests {
  private static let text = "// c\nfunc @main(%x:f32)->f32 { return %x }"
  private static let standard = "// c\nfunc @main(%x: f32) -> f32 {\n  return %x\n}\n"

  @Test func printsChecksAndRewrites() throws {
    let work = try Workspace()
    let file = try work.write("a.ir", Self.text)
    #expect(runCommand("fmt", file).output == Self.standard)
    let check = runCommand("fmt", "--check", file)
    #expect(check.status == .input && check.output == "\(file)\n" && check.error.isEmpty)
    #expect(try work.read("a.ir") == Self.text)
    #expect(runCommand("fmt", "-i", file).status == .done)
    #expect(try work.read("a.ir") == Self.standard)
    #expect(runCommand("fmt", "--check", file).status == .done)
    let json = runCommand("fmt", "--check", file, "--json")
    #expect(json.output.contains("\"isChanged\":false"))
  }

  @Test func rewritesAllFilesOrNone() throws {
    let work = try Workspace()
    let good = try work.write("a.ir", Self.text)
    let bad = try work.write("b.ir", "func @main(")
    let worse = try work.write("c.ir", "fnc")
    let result = runCommand("fmt", "-i", good, bad, worse)
    #expect(result.status == .input && result.error.contains("b.ir:1:12: error:"))
    #expect(result.error.contains("c.ir:1:1: error:"))
    #expect(try work.read("a.ir") == Self.text)
    #expect(runCommand("fmt", "-i", "--check", good).status == .usage)
    #expect(runCommand("fmt", "-i", "-").status == .usage)
  }
}

@Suite struct OpsVerbTests {
  @Test func listsAndDescribes() throws {
    let list = runCommand("ops")
    for opcode in Opcode.allCases { #expect(list.output.contains(opcode.name)) }
    #expect(runCommand("ops", "pad").output.contains("pad"))
    let longer = runCommand("ops", "dot")
    #expect(longer.error.hasSuffix("no op 'dot'; did you mean 'dot_general'?\n"), "\(longer.error)")
    let several = runCommand("ops", "slice")
    #expect(several.status == .done)
    let part = runCommand("ops", "window")
    #expect(part.error.contains("did you mean 'reduce_window' or 'reduce_window_with'?"))
    let wrong = runCommand("ops", "padd")
    #expect(wrong.status == .usage && wrong.error.contains("did you mean 'pad'?"))
    let json = try JSONValue.parse(Array(runCommand("ops", "--json").output.utf8))
    #expect(json.arrayValue?.count == Opcode.allCases.count)
  }
}
