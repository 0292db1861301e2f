import Testing

@testable import CheckpointCompiler

@Suite struct DiagnosticTests {
  @Test func rendersTheLineAndCarets() {
    let sources = SourceMap(name: "a.ir", text: "first\n  second line\n")
    let diagnostic = Diagnostic(
      "no such word", at: SourceLocation(file: 0, offset: 8, length: 6), constraint: "word_c1")
    #expect(
      DiagnosticRenderer(sources: sources).render([diagnostic]) == """
        a.ir:2:3: error: no such word [word_c1]
            second line
            ^~~~~~

        """)
  }
}
