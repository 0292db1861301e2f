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

  private static func literal(_ value: String, _ type: String) -> String {
    "func @f(%x: f32) -> f32 {\n  %y = constant \(value) : \(type)\n  return %x\n}"
  }

  private static func start(_ dtype: String, _ initializer: String) -> String {
    "func @f(param %x: \(dtype)[2] = \(initializer)) -> \(dtype)[2] {\n  return %x\n}"
  }

  /// Layers, each of which calls the next with a list of twice as many elements.
  private static func doubling(_ list: String) -> String {
    let layers = (0..<40).map {
      "func @l\($0)<N>(%x: f32[N]; a) {\n  %y = l\($0 + 1) %x {a = \(list)}\n  return %y\n}\n"
    }
    return layers.joined() + "func @l40<N>(%x: f32[N]; a) {\n  return %x\n}\n"
      + "func @f(%x: f32[4]) -> f32[4] {\n  %y = l0 %x {a = [1]}\n  return %y\n}"
  }

  /// Numbers at the ends of a dtype, and infinities that are written as such.
  @Test func theLargestNumbersAreLiterals() throws {
    for (value, dtype) in [
      ("3.4028235e+38", "f32"), ("65504.0", "f16"), ("65519", "f16"), ("3.3895314e+38", "bf16"),
      ("1.7976931348623157e+308", "f64"), ("-inf", "f16"), ("inf", "f32"),
    ] { #expect(errors(Self.literal(value, dtype)).isEmpty, "\(value)") }
  }

  /// Lists of nothing are data where there are many of them.
  @Test func manyEmptyListsAreShort() throws {
    for (shape, written) in [("2,0", "[[], []]"), ("0,9", "[]"), ("8,8,8,0", "hex \"\"")] {
      let type = "f32[\(shape)]"
      let text = "func @f() -> \(type) {\n  %c = constant hex \"\" : \(type)\n  return %c\n}"
      let printed = Printer.print(try moduleOf(text).entry)
      #expect(printed.contains("constant \(written) :"))
      #expect(Printer.print(try moduleOf(printed).entry) == printed)
    }
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
    (literal("1e39", "f32"), "test.ir:2:8: error: 1e+39 is out of range of f32"),
    (literal("[1.0, -70000]", "f16[2]"), "-70000 is out of range of f16"),
    (literal("1e400", "f64"), "test.ir:2:17: error: '1e400' is out of range of f64"),
    ("func @f(%x: f32) -> f32 {\n  %y = add %x, 1e39\n  return %y\n}", "1e+39 is out of range"),
    (start("ui8", "fill(-1)"), "test.ir:1:15: error: no element of ui8 is -1.0"),
    (start("i32", "fill(0.5)"), "no element of i32 is 0.5"),
    (start("f32", "fill(1e300)"), "no element of f32 is 1e+300"),
    (start("i1", "fill(2)"), "no element of i1 is 2.0"),
    (start("i1", "normal(1)"), "random initial values are of a floating-point dtype, not i1"),
    (start("f16", "uniform(70000)"), "initial values within 70000.0 do not fit f16"),
    (start("f32", "fil(1)"), "an initial value is zeros, ones, fill(number)"),
    (doubling("a + a"), "a list made of lists has more than 65536 elements"),
    (doubling("[a, a]"), "a list made of lists has more than 65536 elements"),
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
