import Testing

@testable import CheckpointCompiler

/// The module of a text.
private func parse(_ text: String) throws -> Module {
  var sources = SourceMap()
  return try parseModule(Array(text.utf8), name: "test.ir", sources: &sources)
}

/// The rendered diagnostics of a text.
private func errors(_ text: String) -> String {
  var sources = SourceMap()
  do throws(DiagnosticList) {
    _ = try parseModule(Array(text.utf8), name: "test.ir", sources: &sources)
    return ""
  } catch {
    return DiagnosticRenderer(sources: sources).render(error.diagnostics)
  }
}

/// A function with an `if`.
private func conditional(
  _ head: String, _ first: String, _ second: String, _ result: String = "%y"
) -> String {
  """
  func @f(%x: f32) -> f32 {
    \(head) {
      \(first)
    } else {
      \(second)
    }
    return \(result)
  }
  """
}

@Suite struct TextTests {
  static let mlp = """
    func @linear2<T: dtype, B..., I, O>(%x: T[B..., I], %w: T[I, O]; scale = 2.0) -> T[B..., O] {
      %y = dot_general %x, %w {lhs_contract = [-1], rhs_contract = [0]}
      %z = multiply %y, scale
      return %z
    }
    func @main(
        %x: f32[32,784],
        param %w: f32[784,10] = normal(sqrt(2.0 / 784)),
        param %b: f32[10] = zeros,
        state %count: i32 = zeros) -> (
        loss %loss: f32,
        update(%count) %count.new: i32) {
      %h = linear2 %x, %w {scale = 3.0} : f32[32, 10]
      %bb = broadcast_in_dim %b : f32[32,10]
      %z = add %h, %bb
      %r = relu %z
      %s = reduce %r {kind = add, dims = [0, 1]}
      %n = fusion "sum" {
        %one = constant 1 : i32
        %next = add %count, %one
        yield %next
      }
      return %s, %n
    }
    """

  @Test func printedTextParsesToTheSameText() throws {
    let printed = Printer.print(try parse(Self.mlp))
    #expect(Printer.print(try parse(printed)) == printed)
    #expect(printed.contains("param %w: f32[784,10] = normal(0.050507627227610534)"))
    #expect(printed.contains("%h = call @linear2.1 %x, %w : f32[32,10]"))
    #expect(printed.contains("%bb = broadcast_in_dim %b {dims = [1]} : f32[32,10]"))
    #expect(printed.contains("%n = fusion \"sum\" {\n    %one = constant 1 : i32"))
  }

  /// The ops of the chosen branch stand where the `if` stands; what it passes on keeps its name.
  @Test func anIfIsItsBranch() throws {
    let text = """
      func @pick<N>(%x: f32[N]; large = less(8, N)) -> (f32[N], f32[N]) {
        %y, %same = if large {
          %z = negate %x
          yield %z, %x
        } else {
          %z = sine %x
          %u = cosine %z
          yield %u, %z
        }
        return %y, %same
      }
      func @main(%x: f32[4]) -> (f32[4], f32[4]) {
        %a, %b = pick %x {large = true}
        %c, %d = pick %a
        return %c, %d
      }
      """
    let module = try parse(text)
    let printed = Printer.print(inlined(module.entry, in: module))
    #expect(printed.contains("%a = negate %x"))
    #expect(printed.contains("%d = sine %a"))
    #expect(printed.contains("%c = cosine %d"))
  }

  @Test func everyErrorOfAFileIsFoundInOneRun() {
    let text = """
      func @main(%x: f32[2,3], %x: f32) -> f32[2,3] {
        %y = ad %x, %x
        %z = add %x, %w
        %u = add %y, %x
        %v = dot_general %x, %x {lhs_contract = [1], rhs_contract = [0]}
        %n = no_grad {
          %i = negate %x
          yield %i
        }
        %k = add %i, %n
        return %k
      }
      """
    #expect(
      errors(text) == """
        test.ir:1:26: error: %x is defined twice
          func @main(%x: f32[2,3], %x: f32) -> f32[2,3] {
                                   ^~
        test.ir:1:12: note: %x is defined here
          func @main(%x: f32[2,3], %x: f32) -> f32[2,3] {
                     ^~
        test.ir:2:8: error: unknown op 'ad'; did you mean 'add'?
            %y = ad %x, %x
                 ^~
        test.ir:3:16: error: %w is not defined
            %z = add %x, %w
                         ^~
        test.ir:5:8: error: 'dot_general' pairs 3 with 2: dimension 1 of f32[2,3] and dimension 0 of \
        f32[2,3] [dot_general_c4]
            %v = dot_general %x, %x {lhs_contract = [1], rhs_contract = [0]}
                 ^~~~~~~~~~~
        test.ir:1:12: note: %x is f32[2,3], defined here
          func @main(%x: f32[2,3], %x: f32) -> f32[2,3] {
                     ^~
        test.ir:1:12: note: %x is f32[2,3], defined here
          func @main(%x: f32[2,3], %x: f32) -> f32[2,3] {
                     ^~
        test.ir:10:12: error: %i dies at the end of its region; yield it to use it here
            %k = add %i, %n
                     ^~
        test.ir:7:5: note: %i is defined here
              %i = negate %x
              ^~

        """)
  }

  @Test func syntaxErrorsDoNotHideEachOther() {
    let text = """
      func @main(%x: f32) -> f32 {
        %a = add %x %x
        %b = = %x
        return %x
      }
      """
    let found = errors(text)
    #expect(found.contains("test.ir:2:15: error: expected the end of the line, but there is '%x'"))
    #expect(found.contains("test.ir:3:8: error: expected the name of an op, but there is '='"))
  }

  @Test(arguments: [
    (
      "func @f(%x: f32) -> f32 {\n  %y = g %x\n  return %y\n}\nfunc @g(%x: f32) -> f32 {\n"
        + "  %y = f %x\n  return %y\n}", "recursive call: @f calls @g calls @f"
    ),
    ("func @f(%x: f32[99999999999,99999999999]) -> f32 {\n  return %x\n}", "at most 1 TiB"),
    ("func @f(%x: f32[2,-1]) -> f32 {\n  return %x\n}", "extents are at least 0"),
    ("func @f(%x: f23) -> f32 {\n  return %x\n}", "unknown dtype 'f23'; did you mean 'f32'?"),
    (
      "func @f(%x: f32) -> f32 {\n  %y = constant [1, 2] : f32[3]\n  return %y\n}",
      "f32[3] needs a list of 3 at depth 0, not a list of 2"
    ),
    ("func @f(%x: f32) -> f32 {\n  return %x", "expected '}', but the file ends"),
    (
      conditional("%y = if 1", "yield %x", "yield %x"),
      "the condition of 'if' is true or false, not an integer"
    ),
    (
      conditional("%y = if equal(causal, 1)", "yield %x", "yield %x, %x"),
      "'if' has 1 result, but the branch yields 2"
    ),
    (conditional("%y = if true", "%z = negate %x", "yield %x"), "does not end in 'yield'"),
    (
      conditional("%y = if true", "%z = negate %x\n    yield %z", "yield %x", "%z"),
      "%z dies at the end of its region"
    ),
    ("func @f(%x: f32) {\n  %y = if true {\n    yield %x\n  }\n  return %y\n}", "expected 'else'"),
    ("\u{1}\u{2}ELF", "byte 1; is this a text file?"),
    ("", "the file defines none that is not generic"),
    (
      "func @f(%x: f32) -> f32 {\n  %y = constant \(String(repeating: "(", count: 5000))1 : f32\n}",
      "nested more than 100 deep"
    ),
  ])
  func badInputGetsASpecificError(text: String, message: String) {
    #expect(errors(text).contains(message), "\(errors(text))")
  }
}
