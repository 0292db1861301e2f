import CheckpointCompiler
import Foundation
import Testing

@testable import ckc

/// What a command wrote and how it ended.
struct CommandResult {
  var status: ExitCode
  var output = ""
  var error = ""
}

/// Runs a command line in this process.
func runCommand(_ words: String...) -> CommandResult {
  var result = CommandResult(status: .done)
  let console = Console(output: { result.output += $0 }, error: { result.error += $0 })
  result.status = Commands.run(words, console: console)
  return result
}

@Suite struct ArgumentsTests {
  private func failure(_ words: String...) -> String {
    do {
      _ = try Arguments.parse(words)
      return "no error"
    } catch {
      #expect(error.status == .usage)
      return error.message
    }
  }

  @Test func readsOptionsInEveryForm() throws {
    let arguments = try Arguments.parse([
      "train", "--data", "x=a.npy", "net.ir", "--data=y=b=c.npy", "--budget=1.5GiB", "-oout",
      "--epochs", "3", "--json",
    ])
    #expect(arguments.verb == .train && arguments.operands == ["net.ir"])
    #expect(arguments.bindings(.data).map(\.name) == ["x", "y"])
    #expect(arguments.bindings(.data).map(\.path) == ["a.npy", "b=c.npy"])
    #expect(arguments.budget == .bytes(3 << 29))
    #expect(arguments.text(.output) == "out" && arguments.integer(.epochs) == 3)
    #expect(arguments.isJSON && !arguments.has(.resume))
    #expect(try Arguments.parse(["fmt", "--", "--odd", "-"]).operands == ["--odd", "-"])
    #expect(
      try Arguments.parse(["compile", "a", "-o", "b", "--emit", "c,ir,c"]).words(.emit)
        == ["c", "ir"])
  }

  @Test func namesWhatIsWrong() {
    #expect(failure() == "no verb is given; 'ckc help' lists them")
    #expect(failure("trian") == "unknown verb 'trian'; did you mean 'train'?")
    #expect(failure("xyzzy") == "unknown verb 'xyzzy'; 'ckc help' lists them")
    #expect(failure("plan") == "GRAPH is missing: ckc plan GRAPH [options]")
    #expect(failure("version", "x").hasPrefix("'x' is one word too many"))
    #expect(
      failure("plan", "a", "--bugdet", "1")
        == "unknown option --bugdet; did you mean '--budget'?")
    #expect(failure("plan", "a", "-z") == "unknown option -z; 'ckc help plan' lists the options")
    #expect(failure("plan", "a", "--budget") == "--budget needs a value: --budget SIZE")
    #expect(failure("plan", "a", "--json=1") == "--json takes no value")
    #expect(
      failure("plan", "a", "--data", "x=y") == "--data is no option of 'plan', only of 'train'")
    #expect(failure("plan", "a", "--budget", "1", "--budget", "2") == "--budget is given twice")
    #expect(failure("plan", "a", "--strategy", "sqr").hasSuffix("did you mean 'sqrt'?"))
    #expect(failure("compile", "a", "--emit", "c,obj").contains("'obj' is none of c, lib"))
    #expect(failure("train", "a", "--data", "x").contains("NAME=FILE.npy is expected"))
    #expect(failure("train", "a", "--epochs", "-1").contains("at least 0"))
    #expect(failure("train", "a", "--epochs", "\(Int.max)").contains("at most 1000000000"))
    #expect(failure("compile", "a", "--threads", "\(Int.max)").contains("at most 1024"))
    #expect(failure("train", "a", "--epochs", "1e3").contains("a whole number is expected"))
    #expect(failure("train", "a", "--lr", "nan").contains("a number is expected"))
    #expect(failure("plan", "a", "--budget", "5MB").contains("a size such as"))
    #expect(failure("completions", "bsh").hasSuffix("did you mean 'bash'?"))
  }

  @Test func tellsWhatWasNotRead() throws {
    let arguments = try Arguments.parse(["plan", "a", "--budget", "1", "--pareto"])
    _ = arguments.budget
    #expect(arguments.unread == [.pareto])
  }
}

@Suite struct ByteSizeTests {
  @Test func readsSizes() {
    for (text, expected) in [
      ("0", 0), ("12345", 12345), ("7B", 7), ("512KiB", 524_288), ("64MiB", 67_108_864),
      ("2GiB", 2_147_483_648), ("1.5KiB", 1536), ("100.3KiB", 102_707), ("0.001953125KiB", 2),
      ("2G", 2_147_483_648),
      ("9223372036854775807", Int.max),
    ] { #expect(ByteSize.parse(text) == expected, "\(text)") }
    for text in [
      "", "KiB", "5MB", "-1", "1.5", "100.3", "1.0B", "1e3", "0x10", "9223372036854775808",
      "9007199254740992GiB", "8388608TiB", "1..5KiB", ".5KiB", "5.KiB", "5 KiB", "٣",
    ] { #expect(ByteSize.parse(text) == nil, "\(text)") }
  }

  @Test func readsBudgets() {
    #expect(ByteSize.parseBudget("min") == .minimum)
    #expect(ByteSize.parseBudget("50%") == .percent(50))
    #expect(ByteSize.parseBudget("12.5%") == .percent(12.5))
    #expect(ByteSize.parseBudget("1KiB") == .bytes(1024))
    for text in ["0", "0%", "%", "-5%", "max", "50 %", "1e9%", "1e999%"] {
      #expect(ByteSize.parseBudget(text) == nil, "\(text)")
    }
  }

  @Test func describesSizes() {
    for (bytes, expected) in [
      (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (1_100_000, "1.05 MiB"),
      (5 << 30, "5 GiB"), (Int.max, "8388608 TiB"),
    ] { #expect(ByteSize.describe(bytes) == expected) }
  }
}

@Suite struct SuggestionTests {
  @Test func measuresDistance() {
    #expect(Suggestion.distance("", "") == 0)
    #expect(Suggestion.distance("", "abc") == 3 && Suggestion.distance("abc", "") == 3)
    #expect(Suggestion.distance("kitten", "sitting") == 3)
    #expect(Suggestion.distance("ab", "ba") == 1)
  }

  @Test func suggestsOnlyWhatIsClose() {
    let words = ["compile", "completions", "inspect", "plan"]
    #expect(Suggestion.closest(to: "comple", in: words) == "compile")
    #expect(Suggestion.closest(to: "palan", in: words) == "plan")
    #expect(Suggestion.closest(to: "insp", in: words) == "inspect")
    #expect(Suggestion.closest(to: "zzz", in: words) == nil)
    #expect(Suggestion.closest(to: "", in: words) == nil)
  }
}

@Suite struct CommandLineTextTests {
  @Test func everyOptionBelongsToAVerbAndEveryVerbHasAPage() {
    for option in OptionName.allCases {
      #expect(!option.definition.verbs.isEmpty && !option.definition.help.isEmpty)
    }
    for verb in Verb.allCases {
      let page = HelpText.page(of: verb)
      for option in verb.options { #expect(page.contains(option.spelling)) }
      for line in page.split(separator: "\n") where !line.contains("ckc ") {
        #expect(line.count <= 80, "\(line)")
      }
      let shorts = verb.options.compactMap(\.definition.short)
      #expect(Set(shorts).count == shorts.count)
      #expect(runCommand(verb.rawValue, "--help").output == page)
      #expect(runCommand("help", verb.rawValue).output == page)
    }
    #expect(runCommand("help").output == HelpText.overview)
    #expect(runCommand("--help").output == HelpText.overview)
  }

  @Test func wrongCommandLinesEndWithStatus2() {
    let result = runCommand("plam")
    #expect(result.status == .usage && result.output.isEmpty)
    #expect(result.error == "ckc: error: unknown verb 'plam'; did you mean 'plan'?\n")
    let json = runCommand("plam", "--json")
    #expect(json.output.contains("\"exitStatus\":2"))
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completionsKnowEveryVerbAndOption(shell: String) throws {
    let script = try #require(Completions.script(for: shell))
    for verb in Verb.allCases { #expect(script.contains(verb.rawValue)) }
    for option in OptionName.allCases { #expect(script.contains(option.rawValue)) }
    #expect(runCommand("completions", shell).output == script)
  }

  @Test func bashCompletes() throws {
    let directory = try TemporaryDirectory()
    try writeFileAtomically(
      Array(try #require(Completions.script(for: "bash")).utf8), to: directory.file("c"))
    func complete(_ words: [String]) throws -> String {
      let list = words.map { "'\($0)'" }.joined(separator: " ")
      let script =
        "source \(directory.file("c")); COMP_WORDS=(\(list)); COMP_CWORD=\(words.count - 1); "
        + "_ckc; echo \"${COMPREPLY[*]}\""
      let result = try Subprocess.run(["bash", "-c", script], joinsStreams: true)
      return String(decoding: result.standardOutput, as: UTF8.self)
    }
    #expect(try complete(["ckc", "comp"]) == "compile completions\n")
    #expect(try complete(["ckc", "train", "--ep"]) == "--epochs\n")
    #expect(try complete(["ckc", "plan", "a", "--strategy", "s"]) == "sqrt\n")
    #expect(try complete(["ckc", "completions", "z"]) == "zsh\n")
  }

  /// `CKC_BLESS=1 swift test` rewrites the page and fails once.
  @Test func documentationIsUpToDate() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let path = root.appending(path: "docs/cli.md").path
    let text = (try? readFile(path)) ?? []
    let isCurrent = text == Array(HelpText.markdown.utf8)
    #expect(isCurrent, "docs/cli.md is out of date; CKC_BLESS=1 rewrites it")
    if !isCurrent, ProcessInfo.processInfo.environment["CKC_BLESS"] != nil {
      try writeFileAtomically(Array(HelpText.markdown.utf8), to: path)
    }
  }
}

@Suite struct ProgressTests {
  private let progress = Progress(
    label: "epoch 2/5", done: 300, total: 1200, seconds: 30, rate: 3210, unit: "samples",
    figures: ["loss 0.1234", "accuracy 97.1 %"])

  @Test func fitsEveryWidth() {
    for width in 1...200 { #expect(progress.line(width: width).count <= width) }
    let wide = progress.line(width: 120)
    for part in ["epoch 2/5", "25%", "loss 0.1234", "300/1200", "1:30 left", "3.21k samples/s"] {
      #expect(wide.contains(part), "\(wide)")
    }
    #expect(progress.line(width: 30) == "epoch 2/5  25%  loss 0.1234")
  }

  @Test func copesWithNothing() {
    let empty = Progress(
      label: "", done: 0, total: 0, seconds: 0, rate: 0, unit: "", figures: [])
    #expect(empty.line(width: 40).contains("100%"))
    #expect(empty.secondsLeft == nil)
    #expect(Progress.clock(.infinity) == "-:--" && Progress.clock(3661) == "1:01:01")
    #expect(Progress.describe(0.5) == "0.5" && Progress.describe(1_500_000) == "1.5M")
  }

  @Test func writesFewPlainLinesWithoutATerminal() {
    var text = ""
    let bar = ProgressBar(console: Console(output: { _ in }, error: { text += $0 }))
    var state = progress
    for done in 0...1200 {
      state.done = done
      bar.update(state, isLast: done == 1200)
    }
    let lines = text.split(separator: "\n")
    #expect(lines.count >= 10 && lines.count <= 25 && !text.contains("\r"))
    #expect(lines.last?.contains("1200/1200") == true)
  }

  @Test func redrawsOneLineOnATerminal() {
    var text = ""
    let console = Console(
      errorIsTerminal: true, columns: { 40 }, output: { _ in }, error: { text += $0 })
    let bar = ProgressBar(console: console)
    var state = progress
    for done in 0...1200 {
      state.done = done
      state.seconds = Double(done) / 1200
      bar.update(state, isLast: done == 1200)
    }
    #expect(text.filter { $0 == "\n" }.count == 1 && text.hasSuffix("\n"))
    for frame in text.split(separator: "\r") {
      #expect(frame.dropFirst(4).count <= 40)
    }
  }
}
