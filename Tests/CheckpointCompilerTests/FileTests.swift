import CompilerTesting
import Testing

@testable import CheckpointCompiler

@Suite struct FileTests {
  @Test(arguments: FileTest.all())
  func theFileSaysWhatHappens(test: FileTest) {
    for failure in test.failures() { Issue.record("\(failure)") }
  }

  @Test func everyConstraintOfTheOpTableHasAFile() {
    let marked = Dictionary(
      FileTest.all(in: "verify").map { ($0.path, $0.markedConstraints) },
      uniquingKeysWith: { first, _ in first })
    for opcode in Opcode.allCases {
      for number in opcode.definition.constraints.indices {
        let constraint = "\(opcode.name)_c\(number + 1)"
        let path = "Tests/Files/verify/\(constraint).ir"
        #expect(marked[path]?.contains(constraint) == true, "\(path) does not mark \(constraint)")
      }
    }
  }

  @Test func aTestWithoutItsErrorFails() {
    let text = """
      // test: verify
      func @main(%x: f32[2]) -> f32[2] {
        %y = negate %x
        //   ^~ error: nothing
        return %y
      }
      // run: @main([1, 2]) == [-1, 2]
      """
    let failures = FileTest(path: "memory.ir", text: text).failures()
    #expect(failures.count == 2)
    #expect(failures.first?.contains("no 'error: nothing'") == true)
    #expect(failures.last?.contains("result 0 is f32[2] [-1.0, -2.0]") == true)
  }

  @Test func anUnmarkedErrorFails() {
    let text = """
      // test: verify
      func @main(%x: f32[2]) -> f32[2] {
        %y = negat %x
        return %y
      }
      """
    let failures = FileTest(path: "memory.ir", text: text).failures()
    #expect(failures.count == 1 && failures[0].contains("unmarked error: unknown op 'negat'"))
  }
}
