import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler

/// `docs/ir.md`.
private func manual() throws -> String {
  let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  return try String(contentsOf: root.appending(path: "docs/ir.md"), encoding: .utf8)
}

/// The fenced blocks of a language.
private func blocks(_ language: String, of text: String) -> [String] {
  var blocks: [String] = []
  var current: [Substring]?
  for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
    if let lines = current {
      if line == "```" {
        blocks.append(lines.joined(separator: "\n"))
        current = nil
      } else {
        current = lines + [line]
      }
    } else if line == "```\(language)" {
      current = []
    }
  }
  return blocks
}

@Suite struct ManualTests {
  @Test func everyExampleIsAGraph() throws {
    let examples = blocks("ckc", of: try manual())
    #expect(examples.count >= 9)
    for example in examples {
      let module = try moduleOf(example)
      let printed = Printer.print(module)
      #expect(Printer.print(try moduleOf(printed, entry: module.entryName)) == printed)
      let hasLoss = module.entry.results.contains { $0.role == .loss }
      guard hasLoss, !module.entry.isTrainingStep else { continue }
      let arguments = exampleArguments(for: inDoublePrecision(module.entry))
      if module.entry.argumentTypes.reduce(0, { $0 + $1.elementCount }) < 20 {
        #expect(try gradientMismatches(of: module, at: arguments).isEmpty)
      }
      var remarks: [Diagnostic] = []
      #expect(verify(inlined(try differentiated(module, remarks: &remarks), in: module)).isEmpty)
    }
  }

  @Test func everyLayerIsInTheManual() throws {
    let text = try manual()
    for (name, layers) in Prelude.files {
      var sources = SourceMap()
      let parser = Parser(file: sources.add(name: name, text: Array(layers.utf8)), in: sources)
      for function in parser.functions where !function.name.text.hasSuffix(".gradient") {
        #expect(text.contains("`\(function.name.text)"), "\(function.name.text)")
      }
    }
  }

  @Test func everyDtypeAndRegionIsInTheManual() throws {
    let text = try manual()
    let names =
      DType.allCases.map(\.name) + Opcode.allCases.filter(\.hasRegion).map(\.name)
      + ArgumentRole.allCases.map(\.rawValue)
    for name in names {
      #expect(text.contains("`\(name)") || text.contains("\"\(name)\""), "\(name)")
    }
  }
}
