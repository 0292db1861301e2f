import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler

@Suite struct OpReferenceTests {
  @Test func theDocumentationIsPrintedFromTheTable() throws {
    let path = repositoryPath("docs/ops.md")
    let printed = opReferenceTable()
    let written = FileManager.default.contents(atPath: path).map {
      String(decoding: $0, as: UTF8.self)
    }
    if written != printed, isBlessing { try Data(printed.utf8).write(to: URL(filePath: path)) }
    #expect(written == printed, "CKC_BLESS=1 swift test rewrites \(path)")
  }

  @Test func everyOpSaysWhatItDoes() {
    for opcode in Opcode.allCases {
      let text = opReference(opcode)
      #expect(text.hasPrefix("### `\(opcode.name)`\n"))
      for (index, constraint) in opcode.definition.constraints.enumerated() {
        #expect(text.contains("`\(opcode.name)_c\(index + 1)`: \(constraint)"))
        #expect(constraint.hasSuffix("."), "\(constraint)")
      }
      #expect(opcode.definition.summary.hasSuffix("."), "\(opcode.name)")
    }
  }
}
