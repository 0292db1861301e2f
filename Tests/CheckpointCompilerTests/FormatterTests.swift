import Testing

@testable import CheckpointCompiler

@Suite struct FormatterTests {
  private func format(_ text: String) throws -> String {
    var sources = SourceMap()
    return String(
      decoding: try formatted(Array(text.utf8), name: "test.ir", sources: &sources), as: UTF8.self)
  }

  private func spellings(_ text: String) -> [String] {
    let bytes = Array(text.utf8)
    return Lexer(file: 0, text: bytes).tokens.map {
      String(decoding: bytes[Int($0.start)..<Int($0.end)], as: UTF8.self)
    }
  }

  private static let written = """


    // A header comment.
    //   indented

    func  @scale<T:dtype,B,I , O...>( %x:T[B,I*2],%w : T[ O... ] ; scale=1.0/sqrt( I ),dims=[0,1])  // layer
    ->T[B , I * 2] {

       // first
       %y = multiply %x,%x   // tail


       // second

       %z=multiply %y,  -1e-3\r
       return %z   // ret
       // last

    }
    func @main(%x: f32[4,8], // the data
      param %w:f32[3,8]=normal( 0.1 ),
      // labels
      input %y: i32[4])->(loss %loss:f32,grad( %w ) %g :f32[3,8]){
      %h=dot_general %x,%w {lhs_contract=[1],
         rhs_contract=[1] // columns
      }
      %c = constant [[1.0,2.0,3.0],
          [4.0,5.0,6.0], // row
      [7.0,8,9],[1,2,3]] : f32[4,3]
      %k = constant hex   "0000803f" : f32
      %f = fusion   "lab" { %a = add %h,%c
        yield %a }
      %loss=reduce %f {kind=add,dims=[0 , 1]} : f32
      %g = multiply %w, 2.0
      return %loss,%g }
    // the end
    """

  private static let standard = """
    // A header comment.
    //   indented

    func @scale<T: dtype, B, I, O...>(%x: T[B, I * 2], %w: T[O...]; scale = 1.0 / sqrt(I), dims = [0, 1])  // layer
        -> T[B, I * 2] {
      // first
      %y = multiply %x, %x  // tail

      // second

      %z = multiply %y, -1e-3
      return %z  // ret
      // last
    }

    func @main(%x: f32[4,8],  // the data
        param %w: f32[3,8] = normal(0.1),
        // labels
        input %y: i32[4]) -> (loss %loss: f32, grad(%w) %g: f32[3,8]) {
      %h = dot_general %x, %w {lhs_contract = [1],
        rhs_contract = [1]  // columns
        }
      %c = constant [[1.0, 2.0, 3.0],
        [4.0, 5.0, 6.0],  // row
        [7.0, 8, 9], [1, 2, 3]] : f32[4,3]
      %k = constant hex "0000803f" : f32
      %f = fusion "lab" {
        %a = add %h, %c
        yield %a
      }
      %loss = reduce %f {kind = add, dims = [0, 1]} : f32
      %g = multiply %w, 2.0
      return %loss, %g
    }
    // the end

    """

  @Test func keepsCommentsLayersAndSpelling() throws {
    #expect(try format(Self.written) == Self.standard)
  }

  @Test func changesOnlyTheSpaceAndOnlyOnce() throws {
    let once = try format(Self.written)
    #expect(spellings(once) == spellings(Self.written))
    #expect(try format(once) == once)
  }

  @Test func breaksLongSignaturesAndKeepsBranches() throws {
    let text = """
      func @drop<S...>(%a:f32[S...];rate=0.5) ->f32[S...] {
      %y = if equal( rate,0 ){ yield %a }
      else { // dropped
      %c=add %a,%a
      yield %c } // done
      return %y }
      func @main(%a: f32, param %b: f32=zeros, %c: f32, %d: f32[2, 3]) -> (%r: f32, %s: f32) {
        return %a, %c
      }
      """
    let standard = """
      func @drop<S...>(%a: f32[S...]; rate = 0.5) -> f32[S...] {
        %y = if equal(rate, 0) {
          yield %a
        } else {  // dropped
          %c = add %a, %a
          yield %c
        }  // done
        return %y
      }

      func @main(
          %a: f32,
          param %b: f32 = zeros,
          %c: f32,
          %d: f32[2,3]) -> (
          %r: f32,
          %s: f32) {
        return %a, %c
      }

      """
    #expect(try format(text) == standard)
    #expect(try format(standard) == standard)
  }

  @Test func leavesPrintedTextAsItIs() throws {
    for text in [
      PlanReportTests.layers(4),
      "func @main(%a: f32, %b: f32, %c: f32, %d: f32) -> (%r: f32) {\n"
        + "  %s = no_grad {\n  %t = add %a, %b\n  yield %t\n  }\n  %r = add %s, %c\n  return %r\n}",
    ] {
      var sources = SourceMap()
      let module = try parseModule(Array(text.utf8), name: "test.ir", sources: &sources)
      let printed = Printer.print(module)
      #expect(try format(printed) == printed)
    }
  }

  @Test func leavesTheLayersOfThePreludeAsTheyMean() throws {
    for (_, text) in Prelude.files {
      let once = try format(text)
      #expect(spellings(once) == spellings(text))
      #expect(try format(once) == once)
    }
  }

  @Test func takesTextWithoutFunctions() throws {
    #expect(try format("") == "")
    #expect(try format("\n\n// only this\n\n\n\n// and that") == "// only this\n\n// and that\n")
  }

  @Test func refusesWhatIsWrong() {
    #expect(throws: DiagnosticList.self) { try format("func @f(") }
    #expect(throws: DiagnosticList.self) {
      try format("func @f(%x: f32) -> f32 {\n  %y = sinus %x\n  return %y\n}")
    }
  }
}
