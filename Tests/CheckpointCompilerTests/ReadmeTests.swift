import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler
@testable import ckc

/// A page of the documentation.
private struct Page {
  /// Its path from the root of the repository.
  let path: String
  let text: String

  init(_ path: String) throws {
    self.path = path
    text = String(decoding: try readFile(repositoryPath(path)), as: UTF8.self)
  }

  /// Every page for readers.
  static var all: [Page] {
    get throws {
      let names = try FileManager.default.contentsOfDirectory(atPath: repositoryPath("docs"))
      let paths = ["README.md", "CHANGELOG.md", "IR-examples/digits/README.md"]
      return try (paths + names.filter { $0.hasSuffix(".md") }.sorted().map { "docs/\($0)" })
        .map(Page.init)
    }
  }

  /// The text without fenced blocks and code spans, in which brackets are no links.
  var prose: String {
    var isFenced = false
    var lines: [Substring] = []
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.drop(while: { $0 == " " }).hasPrefix("```") {
        isFenced.toggle()
      } else if !isFenced {
        lines.append(line)
      }
    }
    return lines.joined(separator: "\n").replacing(/`[^`\n]*`/, with: "")
  }

  /// Where its links and images lead.
  var targets: [String] {
    prose.matches(of: /\]\(([^)\s]+)\)/).map { String($0.1) }
      + prose.matches(of: /(?:src|href)="([^"]+)"/).map { String($0.1) }
  }

  /// The anchors of its headings, as GitHub makes them.
  var anchors: Set<String> {
    Set(
      text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
        let heading = line.drop { $0 == "#" }.dropFirst().lowercased()
        return String(
          heading.compactMap { character in
            character == " "
              ? "-"
              : character.isLetter || character.isNumber || "-_".contains(character)
                ? character : nil
          })
      })
  }

  /// The fenced blocks of a language.
  func blocks(_ language: String) -> [String] {
    text.matches(of: /```(\w+)\n([\s\S]*?)```/).filter { $0.1 == language }.map { String($0.2) }
  }
}

@Suite struct ReadmeTests {
  @Test func everyRelativeLinkLeadsSomewhere() throws {
    var count = 0
    for page in try Page.all {
      for target in page.targets where !target.contains("://") {
        count += 1
        let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let folder = page.path.split(separator: "/").dropLast().joined(separator: "/")
        let path = parts[0].isEmpty ? page.path : folder + (folder.isEmpty ? "" : "/") + parts[0]
        #expect(
          FileManager.default.fileExists(atPath: repositoryPath(path)), "\(page.path): \(target)")
        if parts.count == 2, path.hasSuffix(".md") {
          #expect(try Page(path).anchors.contains(String(parts[1])), "\(page.path): \(target)")
        }
      }
    }
    #expect(count > 20)
  }

  @Test func everyFileNamedInTheArchitectureExists() throws {
    let page = try Page("docs/architecture.md")
    let root = "Sources/CheckpointCompiler"
    let files = FileManager.default.enumerator(atPath: repositoryPath(root))?.compactMap {
      $0 as? String
    }
    let names = Set((files ?? []).map { $0.split(separator: "/").last.map(String.init) ?? "" })
    #expect(names.count > 100)
    for match in page.text.matches(of: /`(?:[A-Za-z]+\/)?([A-Za-z]+\.swift)`/) {
      #expect(names.contains(String(match.1)), "\(match.1)")
    }
    for match in page.text.matches(of: /`(([A-Za-z]+\/)+)`/) {
      let path = String(match.1)
      #expect(
        FileManager.default.fileExists(atPath: repositoryPath("\(root)/\(path)"))
          || FileManager.default.fileExists(atPath: repositoryPath(path)), "\(path)")
    }
  }

  @Test func theChangelogBeginsWithThisVersion() throws {
    let page = try Page("CHANGELOG.md")
    let heading = try #require(page.text.split(separator: "\n").first { $0.hasPrefix("## ") })
    #expect(heading.dropFirst(3).prefix { $0 != " " } == VersionVerb.version)
  }

  /// A version in running text is forgotten at the next one.
  @Test func noPageNamesAnotherVersion() throws {
    for page in try Page.all where page.path != "CHANGELOG.md" {
      for match in page.text.matches(of: /Version ([0-9]+\.[0-9]+\.[0-9]+)/) {
        #expect(String(match.1) == VersionVerb.version, "\(page.path)")
      }
    }
  }

  @Test func theProblemsOfTheManualAreSolvedAsItSays() throws {
    let page = try Page("docs/strategies.md")
    let work = try TemporaryDirectory()
    func result(_ verb: String, _ problem: String) throws -> String {
      try writeFileAtomically(Array(problem.utf8), to: work.file("problem"))
      let result = runCommand([verb, work.file("problem")])
      #expect(result.status == .done, "\(result.error)")
      return result.output
    }
    func members(_ text: String) throws -> [JSONMember] {
      let value = try JSONValue.parse(Array(text.utf8))
      return try #require(value.objectValue).filter { $0.key != "seconds" }
    }
    let problems = page.blocks("json")
    try #require(problems.count == 2)
    #expect(try members(try result("solve", problems[0])) == members(problems[1]))
    let buffers = page.blocks("csv")
    try #require(buffers.count == 2)
    #expect(try result("pack", buffers[0]) == buffers[1])
    #expect(try result("pack", buffers[1]) == buffers[1])
  }

  @Test func theErrorsOfTheFunctionsAreThoseOfTheSource() throws {
    let source = String(
      decoding: try readFile(
        repositoryPath("Sources/CheckpointCompiler/Codegen/CSupportTranscendental.swift")),
      as: UTF8.self)
    let page = try Page("docs/architecture.md")
    let rows = page.text.split(separator: "\n").filter {
      $0.contains("| `exp` |") || $0.contains("| 0.90 |")
    }
    try #require(rows.count == 2)
    let cells = rows.map { row in
      row.split(separator: "|").map { $0.filter { !"` ".contains($0) } }.filter { !$0.isEmpty }
    }
    #expect(cells[0].count == cells[1].count && cells[0].count == 10)
    for (name, error) in zip(cells[0], cells[1]) {
      #expect(source.contains("\(name) \(error)"), "\(name)")
    }
  }

  @Test func theGraphBecomesWhatIsShown() throws {
    let blocks = try Page("README.md").blocks("ckc")
    try #require(blocks.count == 2)
    var sources = SourceMap()
    let options = CompileOptions(
      pins: [ValuePin(value: "a", .recompute)], lastStage: .planned)
    let compilation = try Compiler(options: options).compile(
      Array(blocks[0].utf8), fileName: "README.md", sources: &sources)
    let planned = try #require(compilation.text(after: .planned))
    var rest = planned.split(separator: "\n")[...]
    for line in blocks[1].split(separator: "\n") where !line.contains("…") {
      let place = rest.firstIndex(of: line)
      #expect(place != nil, "\(line)\n\(planned)")
      if let place { rest = rest[(place + 1)...] }
    }
  }

  @Test(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
  func theProgramAroundEmittedCTrains() throws {
    let program = try #require(try Page("README.md").blocks("c").first)
    var options = CompileOptions(optimizer: .sgd(weightDecay: 0))
    options.target = .cpu(threadsMax: 2)
    var sources = SourceMap()
    let net = try Compiler(options: options).compile(
      try readFile(repositoryPath("IR-examples/digits-mlp.ir")), fileName: "digits-mlp.ir",
      sources: &sources)
    let work = try TemporaryDirectory()
    var files = OutputBatch()
    files.add(net.header, to: work.file("main.h"))
    files.add(net.source, to: work.file("main.c"))
    files.add(program, to: work.file("app.c"))
    try files.commit()
    let driver = try #require(TestToolchain.driver)
    try driver.compile(
      [work.file("app.c"), work.file("main.c")], to: work.file("app"), as: .executable)
    let run = try Subprocess.run([work.file("app")])
    #expect(run.isSuccess)
    let losses = String(decoding: run.standardOutput, as: UTF8.self)
      .matches(of: /loss ([0-9.]+)/).compactMap { Double($0.1) }
    try #require(losses.count >= 2)
    #expect(losses[losses.count - 1] < losses[0] / 2)
  }
}
