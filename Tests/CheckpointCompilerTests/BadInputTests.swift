import Testing

@testable import CheckpointCompiler

@Suite struct BadInputTests {
  /// What is said about a text under the given options, rendered; empty where it compiles.
  private func refusal(_ text: [UInt8], _ options: CompileOptions = CompileOptions()) -> String {
    var options = options
    options.lastStage = .memory
    var sources = SourceMap()
    do throws(CompileError) {
      _ = try Compiler(options: options).compile(text, fileName: "bad.ir", sources: &sources)
      return ""
    } catch {
      switch error {
      case .input(let list):
        return DiagnosticRenderer(sources: sources).render(list.diagnostics)
      case .budget(let budget):
        return "budget \(budget.budgetBytes), minimum \(budget.minimumBytes ?? -1), "
          + "needed \(budget.neededBytes ?? -1)"
      case .defect(let message): return "defect: \(message)"
      }
    }
  }

  private func refusal(_ text: String, _ options: CompileOptions = CompileOptions()) -> String {
    refusal(Array(text.utf8), options)
  }

  /// A function with the given body of `%x: f32[4]` that returns `%y`.
  private func function(_ body: String) -> String {
    "func @main(%x: f32[4]) -> (%y: f32[4]) {\n\(body)\n  return %y\n}\n"
  }

  static let net = """
    func @main(%x: f32[64], param %w: f32[64]) -> (loss %loss: f32) {
      %h = multiply %x, %w
      %t = tanh %h
      %u = sine %t
      %loss = reduce %u {kind = add, dims = [0]}
      return %loss
    }
    """

  @Test(arguments: [
    ("  %y = tahn %x", "bad.ir:2:8: error: unknown op 'tahn'; did you mean 'tanh'?"),
    ("  %y = tanh %x : f32[5]", "bad.ir:2:8: error: 'tanh' gives f32[4]"),
    ("  %y = tanh %z", "bad.ir:2:13: error: %z is not defined"),
    ("  %y = tanh %x\n  %y = tanh %x", "bad.ir:3:3: error: %y is defined twice"),
    (
      "  %f = fusion {\n    %i = tanh %x\n    yield %i\n  }\n  %y = tanh %i",
      "bad.ir:6:13: error: %i dies at the end of its region"
    ),
    ("  %y = call @main %x", "bad.ir:2:13: error: recursive call: @main calls @main"),
    ("  %y = reshape %x : f32[-4]", "bad.ir:2:21: error: extents are at least 0"),
    ("  %y = reshape %x : f32[4.5]", "error: an extent is an integer, not a number"),
    (
      "  %y = broadcast_in_dim %x {dims = [0]} : f32[4,9223372036854775807]",
      "error: extents are at least 0 and a type takes at most 1 TiB"
    ),
    ("  %y = reshape %x : f32[99999999999999999999]", "is out of range of ui64"),
    ("  %y = constant 1 / 0 : f32[4]", "error: 1 / 0 has no value"),
    (
      "  %y = constant range(0 - 9223372036854775807, 9223372036854775807) : f32[4]",
      "a range of more than 1000 integers"
    ),
    ("  %y = constant nonsense : f32[4]", "the word 'nonsense' is no literal of f32"),
    ("  %y = tanh %x {dims = [0]}", "error: 'tanh' has no attribute 'dims'"),
    ("  %y = tanh %x, %x", "error: 'tanh' takes 1 operand, not 2"),
    ("  %y, %z = tanh %x", "error: 'tanh' has 1 result, not 2"),
    ("  yield %x", "error: nothing may follow 'yield'"),
    ("  return %x\n  %y = tanh %x", "error: nothing may follow 'return'"),
    ("  %y = \"tanh\" %x", "error: expected the name of an op"),
    ("  %y = constant \"abc", "error: a string ends on the line it starts on"),
  ])
  func aWrongOpGetsItsPlaceAndItsReason(body: String, message: String) {
    let found = refusal(function(body))
    #expect(found.contains(message), "\(found)")
  }

  @Test func deepNestingIsRefusedWithoutRunningOutOfStack() {
    for (open, close) in [("(", ")"), ("[", "]"), ("-", "")] {
      let nested =
        String(repeating: open, count: 100_000) + "1"
        + String(repeating: close, count: 100_000)
      let found = refusal(function("  %y = constant \(nested) : f32[4]"))
      #expect(found.contains("nested more than 100 deep"), "\(found.prefix(300))")
    }
    let regions = String(repeating: "  %y = fusion {\n", count: 50_000)
    #expect(refusal(function(regions)).contains("nested more than 100 deep"))
    let sum = String(repeating: "1 + ", count: 50_000) + "1"
    let found = refusal(function("  %y = constant \(sum) : f32[4]"))
    #expect(found.contains("an expression of more than 500 operators"), "\(found.prefix(300))")
  }

  @Test func everyPrefixOfAProgramIsRefusedOrRead() {
    let text = Array(Self.net.utf8)
    for length in text.indices {
      let found = refusal(Array(text[..<length]))
      #expect(length >= text.count - 1 || found.contains("error: "), "\(length) bytes")
    }
  }

  @Test func aSyntaxErrorHidesNoOther() {
    let found = refusal(
      """
      func @main(%x: f32[4]) -> f32[4] {
        %a = add %x
        %b = multply %x, %x
        %c = add %x, %x {foo = = 1,
                         bar = 2}
        %d = add %nope, %c
        %r = fusion {
          %i, %j = tanh tanh
          %k = add %i, %j
          yield %k,
        }
        %s = add %r, %d
        %e = reshape %x : f32[5]
        %q = fusion label {
          %y = tanh %x
          yield %y
        }
        return %e %e
      }
      func @after(%x: f32[4]) -> f32[4] {
        %y = @tanh
        %z = tahn %x
        return %y
      }
      """)
    let places = found.split(separator: "\n").filter { $0.contains(": error: ") }
      .map { $0.split(separator: " ")[0] }
    #expect(
      places.map(String.init) == [
        "bad.ir:2:8:", "bad.ir:3:8:", "bad.ir:4:26:", "bad.ir:6:12:", "bad.ir:8:19:",
        "bad.ir:11:3:", "bad.ir:13:8:", "bad.ir:14:15:", "bad.ir:18:13:", "bad.ir:21:8:",
        "bad.ir:22:8:",
      ], "\(found)")
  }

  @Test func ofManyErrorsTheFirstAreShown() {
    let body = (1...1000).map { "  %v\($0) = tanh %w\($0 - 1)" }.joined(separator: "\n")
    let found = refusal(function(body + "\n  %y = tanh %x"))
    #expect(found.contains("error: %w99 is not defined"))
    #expect(!found.contains("error: %w100 is not defined"))
    #expect(found.hasSuffix("ckc: and 900 more errors\n"), "\(found.suffix(300))")
    // Similar names are looked for as long as it can be a slip.
    #expect(found.contains("%w2 is not defined; did you mean "))
    #expect(!found.contains("%w50 is not defined; did you mean "))
  }

  @Test func whatIsNoTextIsRefused() {
    #expect(refusal([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0]).contains("is this a text file?"))
    #expect(refusal([0xFF, 0xFE, 0x66, 0]).contains("bad.ir:1:1: error: "))
    #expect(refusal([]).contains("no function to compile"))
    #expect(refusal("// nothing\n").contains("no function to compile"))
    #expect(refusal(Array(repeating: 0, count: 100_000)).contains("byte 0"))
    // The marker that some editors put before UTF-8.
    let marked = [0xEF, 0xBB, 0xBF] + Array(Self.net.utf8)
    #expect(refusal(marked).isEmpty)
  }

  @Test func linesMayEndAsOnWindows() {
    #expect(refusal(Self.net.replacing("\n", with: "\r\n")).isEmpty)
  }

  @Test(arguments: [
    ("param %w: f32[4] = normal(-1.0)", "bad.ir:1:18: error: 'normal' takes a number of at least"),
    ("param %w: f32[4] = uniform(0 - 2)", "'uniform' takes a number of at least 0, not -2"),
    ("%w: f32[4] = zeros", "bad.ir:1:12: error: %w is data of the step and has no first value"),
    ("input %w: f32[4] = ones", "bad.ir:1:18: error: %w is data of the step"),
  ])
  func aWrongFirstValueIsRefused(argument: String, message: String) {
    let found = refusal("func @main(\(argument)) -> f32[4] {\n  %y = tanh %w\n  return %y\n}\n")
    #expect(found.contains(message), "\(found)")
  }

  @Test func anUnknownEntryListsWhatThereIs() {
    let found = refusal(Self.net, CompileOptions(entry: "mian"))
    let message = "no function @mian to compile; the file defines @main; did you mean 'main'?"
    #expect(found.contains(message), "\(found)")
  }

  @Test func aPinOfNothingNamesTheNearestValue() {
    let options = CompileOptions(pins: [ValuePin(value: "tt", .keep)])
    let found = refusal(Self.net, options)
    #expect(found.contains("no kernel writes a value %tt"), "\(found)")
  }

  @Test(arguments: [0, 1, 63])
  func anUnreachableBudgetNamesTheSmallest(bytes: Int) {
    let text = CompilerTests.chain(length: 4, rows: 16)
    let found = refusal(text, CompileOptions(budget: .bytes(bytes)))
    #expect(found.hasPrefix("budget \(bytes), minimum "), "\(found)")
  }

  @Test func aStrategyThatDoesNotFitSaysWhatItNeeds() {
    let text = CompilerTests.chain(length: 12, rows: 16)
    let found = refusal(text, CompileOptions(budget: .bytes(64), strategy: .none))
    #expect(found.hasPrefix("budget 64, minimum -1, needed "), "\(found)")
  }

  @Test func aPlanOfAnotherGraphIsRefused() {
    let options = CompileOptions(plan: SavedPlan(kernels: ["a"], order: [0, 0, 7]))
    let found = refusal(Self.net, options)
    #expect(found.contains("the plan does not fit the graph: it has 1 kernels"), "\(found)")
  }

  @Test func budgetsOutOfRangeDoNotTrap() {
    for budget in [Budget.bytes(-1), .bytes(.max), .percent(0), .percent(-5), .percent(1e300)] {
      let found = refusal(Self.net, CompileOptions(budget: budget))
      #expect(!found.contains("defect"), "\(budget): \(found)")
    }
    for overhead in [0.0, -1, 1e300, .infinity] {
      let found = refusal(Self.net, CompileOptions(maxOverhead: overhead))
      #expect(!found.contains("defect"), "\(overhead): \(found)")
    }
  }

  // MARK: .npy

  /// A `.npy` file of the given header and data.
  private func npy(_ header: String, _ data: [UInt8] = [], version: UInt8 = 1) -> [UInt8] {
    let length = header.utf8.count
    return Npy.magic + [version, 0, UInt8(length & 255), UInt8(length >> 8)] + header.utf8 + data
  }

  private func npyRefusal(_ bytes: [UInt8]) -> String {
    do throws(Diagnostic) {
      _ = try Npy.decode(bytes, name: "x.npy")
      return ""
    } catch {
      return error.message
    }
  }

  @Test(arguments: [
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "f32[3] takes 12 bytes"),
    ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "'<c8' is not supported"),
    ("{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }", "'<U3' is not supported"),
    ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "'|O' is not supported"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "not a whole number"),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }",
      "takes more than"
    ),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "overflows"
    ),
    ("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", "neither True nor False"),
    ("{'descr': '<f4', 'shape': (1,), }", "'fortran_order' is missing"),
    ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "structured"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), ", "header: expected"),
    ("", "header: expected '{'"),
  ])
  func aWrongNpyHeaderIsNamed(header: String, message: String) {
    let found = npyRefusal(npy(header, [0, 0, 0, 0]))
    #expect(found.hasPrefix("x.npy: ") && found.contains(message), "\(found)")
  }

  @Test func everyPrefixAndEveryFlippedByteOfANpyFileIsRefusedOrRead() {
    let file = Npy.encode(Tensor(TensorType(.f32, [2, 3]), floats: [1, 2, 3, 4, 5, 6]))
    for length in 0..<file.count {
      #expect(!npyRefusal(Array(file[..<length])).isEmpty, "\(length) bytes")
    }
    for place in file.indices {
      for bit in 0..<8 as Range<UInt8> {
        var broken = file
        broken[place] ^= 1 << bit
        _ = npyRefusal(broken)
      }
    }
    #expect(npyRefusal(file + [0]).contains("follow the header"))
  }
}

/// Texts that hold a plan which cannot run.
@Suite struct BadPlanTests {
  private func errors(_ body: String) -> String {
    var sources = SourceMap()
    let text = "func @main(%x: f32[4,3], %m: f32[3,3]) -> f32[4,3] {\n\(body)\n}\n"
    do {
      _ = try Compiler().compile(Array(text.utf8), fileName: "plan.ir", sources: &sources)
      return ""
    } catch {
      return error.rendered(with: sources)
    }
  }

  @Test func aFusionThatIsNoLoopNestIsRefused() {
    let product = errors(
      """
        %y = no_grad {
          %f = fusion {
            %p = dot_general %x, %m {lhs_contract = [1], rhs_contract = [0]}
            %q = dot_general %p, %m {lhs_contract = [1], rhs_contract = [0]}
            yield %q
          }
          yield %f
        }
        return %y
      """)
    #expect(product.contains("plan.ir:3:10: error: this 'fusion' cannot run: it holds two"))
    let misread = errors(
      """
        %y = no_grad {
          %f = fusion {
            %s = reduce %m {kind = add, dims = [0]}
            %b = broadcast_in_dim %s {dims = [1]} : f32[4,3]
            %p = add %x, %b
            yield %p
          }
          yield %f
        }
        return %y
      """)
    #expect(misread.contains("this 'fusion' cannot run: it yields f32[4,3] from loops over [3, 3]"))
  }

  @Test func aRegionInAFusionIsRefused() {
    let found = errors(
      """
        %y = fusion {
          %f = fusion {
            %p = negate %x
            yield %p
          }
          yield %f
        }
        return %y
      """)
    #expect(found.contains("a region cannot stand in a 'fusion'"), "\(found)")
  }

  @Test func aFusionOutsideAPlanIsDissolved() {
    let found = errors(
      """
        %y = fusion {
          %p = dot_general %x, %m {lhs_contract = [1], rhs_contract = [0]}
          yield %p
        }
        return %y
      """)
    #expect(found.isEmpty, "\(found)")
  }
}
