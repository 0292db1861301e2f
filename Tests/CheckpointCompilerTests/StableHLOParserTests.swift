import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// StableHLO texts that several suites read.
enum StableHLOSamples {
  /// A function of one argument around a body that defines `%r`.
  static func function(
    _ body: String, argument: String = "tensor<2x3xf32>", result: String = "tensor<2x3xf32>"
  ) -> String {
    """
    module {
      func.func @main(%arg0: \(argument)) -> \(result) {
    \(body)
        return %r : \(result)
      }
    }
    """
  }

  /// The IR of a text, or what is said against it.
  static func ir(_ text: String, roles: GraphRoles = GraphRoles()) -> String {
    var sources = SourceMap()
    do throws(DiagnosticList) {
      return Printer.print(
        try readGraph(Array(text.utf8), name: "a.mlir", sources: &sources, roles: roles))
    } catch {
      return DiagnosticRenderer(sources: sources).render(error.diagnostics)
    }
  }

  /// The lines of IR of a function around a body that defines `%r`.
  static func ops(_ body: String, argument: String, result: String) -> [String] {
    let text = ir(function(body, argument: argument, result: result))
    return text.split(separator: "\n").map { $0.drop { $0 == " " } }.map(String.init)
  }

  /// Most of the forms of the grammar in one text.
  static let forms = """
    #loc1 = loc("params['w']")
    !t = tensor<2x3xf32>
    module @jit_f attributes {mhlo.num_partitions = 1 : i32} { // a comment
      func.func public @main(%arg0: !t loc("params['w']"), %arg1: tensor<3xi32> {tf.aliasing_output = 1 : i32}) -> (tensor<f32> {jax.result_info = "loss"}, tensor<3xi32>) {
        %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32> loc(#loc1)
        %0 = stablehlo.reduce(%arg0 init: %cst) applies stablehlo.add across dimensions = [0, 1] : (!t, tensor<f32>) -> tensor<f32> loc(#loc2)
        %1:2 = stablehlo.while(%iterArg = %arg1, %iterArg_0 = %0) : tensor<3xi32>, tensor<f32>
         cond {
          %c = stablehlo.constant dense<true> : tensor<i1>
          stablehlo.return %c : tensor<i1>
        } do {
          %5 = func.call @inc(%iterArg) : (tensor<3xi32>) -> tensor<3xi32>
          stablehlo.return %5, %iterArg_0 : tensor<3xi32>, tensor<f32>
        }
        %2 = stablehlo.slice %arg0 [0:2, 0:3:2] : (!t) -> tensor<2x2xf32>
        %3 = stablehlo.dot_general %2, %2, batching_dims = [0] x [0], contracting_dims = [1] x [1], precision = [DEFAULT, DEFAULT] : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2xf32>
        %4 = "stablehlo.gather"(%arg0, %arg1) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], start_index_map = [0]>, slice_sizes = array<i64: 2, 3>}> : (!t, tensor<3xi32>) -> !t
        return %1#1, %1#0 : tensor<f32>, tensor<3xi32>
      }
      func.func private @inc(%arg0: tensor<3xi32>) -> tensor<3xi32> {
        %c = stablehlo.constant dense<[1, -2, 3]> : tensor<3xi32>
        %0 = stablehlo.add %arg0, %c : tensor<3xi32>
        return %0 : tensor<3xi32>
      } loc(callsite("inc"("inner") at fused<"m">["a", unknown]))
    }
    #loc2 = loc("jit(f)/sum":12:3)
    {-#
      dialect_resources: { builtin: { blob: "0x040000000000803F" } }
    #-}
    """
}

@Suite struct StableHLOParserTests {
  private func parse(_ text: String) throws -> MLIRModule {
    var sources = SourceMap()
    return try parseStableHLO(Array(text.utf8), name: "a.mlir", sources: &sources)
  }

  /// What is said about a text; empty where it parses.
  private func refusal(_ text: [UInt8]) -> String {
    var sources = SourceMap()
    do throws(DiagnosticList) {
      _ = try parseStableHLO(text, name: "a.mlir", sources: &sources)
      return ""
    } catch {
      return DiagnosticRenderer(sources: sources).render(error.diagnostics)
    }
  }

  @Test func everyFormComesOutInTheGenericOne() throws {
    let module = try parse(StableHLOSamples.forms)
    #expect(module.name == "jit_f" && module.functions.map(\.name) == ["main", "inc"])
    let main = module.functions[0]
    #expect(!main.isPrivate && module.functions[1].isPrivate)
    #expect(main.arguments[0].type == .tensor(shape: [2, 3], element: "f32"))
    #expect(module.name(of: main.arguments[0].debugLocation) == "params['w']")
    #expect(main.arguments[1].attributes[0].value.int == 1)
    #expect(main.results[0].attributes[0].value.string == "loss")
    let ops = main.body
    #expect(
      ops.map(\.name) == [
        "stablehlo.constant", "stablehlo.reduce", "stablehlo.while", "stablehlo.slice",
        "stablehlo.dot_general", "stablehlo.gather", "func.return",
      ])
    #expect(ops[1]["dimensions"]?.integers == [0, 1] && ops[1].operandTypes.count == 2)
    #expect(ops[1].regions[0].body.map(\.name) == ["stablehlo.add", "stablehlo.return"])
    #expect(ops[2].results[0].count == 2 && ops[2].regions.map(\.body.count) == [2, 2])
    #expect(ops[2].regions[1].arguments.map(\.name) == ["iterArg", "iterArg_0"])
    #expect(ops[3]["start_indices"]?.integers == [0, 0])
    #expect(ops[3]["limit_indices"]?.integers == [2, 3] && ops[3]["strides"]?.integers == [1, 2])
    let numbers = ops[4]["dot_dimension_numbers"]
    #expect(numbers?["lhs_batching_dimensions"]?.integers == [0])
    #expect(numbers?["rhs_contracting_dimensions"]?.integers == [1])
    #expect(ops[5]["dimension_numbers"]?["offset_dims"]?.integers == [1])
    #expect(ops[5]["slice_sizes"]?.integers == [2, 3])
    #expect(ops[6].operands.map(\.index) == [1, 0])
  }

  /// The generic form of functions and modules, as `mlir-opt --mlir-print-op-generic` prints it.
  @Test func genericModulesAreRead() throws {
    let module = try parse(
      """
      "builtin.module"() <{sym_name = "m"}> ({
        "func.func"() <{function_type = (tensor<f32>) -> tensor<f32>, sym_name = "main"}> ({
        ^bb0(%arg0: tensor<f32>):
          %0 = "stablehlo.compare"(%arg0, %arg0) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
          "func.return"(%arg0) : (tensor<f32>) -> ()
        }) : () -> ()
      }) : () -> ()
      """)
    #expect(module.functions.map(\.name) == ["main"] && module.name == "m")
    #expect(module.functions[0].results.map(\.type) == [.tensor(shape: [], element: "f32")])
    #expect(module.functions[0].body[0]["comparison_direction"]?.word == "LT")
  }

  @Test(arguments: [
    ("dense<1.5> : tensor<2xf32>", ConstantData.splat([0, 0, 0xC0, 0x3F])),
    ("dense<0xFF800000> : tensor<2xf32>", .splat([0, 0, 0x80, 0xFF])),
    ("dense<-0.000000e+00> : tensor<f32>", .splat([0, 0, 0, 0x80])),
    ("dense<\"0x0000803F\"> : tensor<3xf32>", .splat([0, 0, 0x80, 0x3F])),
    ("dense<\"0x803F0040\"> : tensor<2xbf16>", .dense([0x80, 0x3F, 0, 0x40])),
    ("dense<\"0x0100\"> : tensor<2xi1>", .dense([1, 0])),
    ("dense<[true, false]> : tensor<2xi1>", .dense([1, 0])),
    ("dense<[[1, -2], [3, 4]]> : tensor<2x2xi8>", .dense([1, 0xFE, 3, 4])),
    ("dense<18446744073709551615> : tensor<ui64>", .splat(Array(repeating: 0xFF, count: 8))),
    ("dense<> : tensor<0x2xf32>", .dense([])),
    ("dense_resource<blob> : tensor<1xf32>", .dense([0, 0, 0x80, 0x3F])),
  ])
  func constantsOfEverySpelling(text: String, data: ConstantData) throws {
    let module = try parse(
      """
      func.func @main() {
        %c = stablehlo.constant \(text)
        return
      }
      {-# dialect_resources: { builtin: { blob: "0x040000000000803F" } } #-}
      """)
    guard case .elements(let elements)? = module.functions[0].body[0]["value"],
      case .tensor(let shape, let element) = elements.type, let dtype = DType(name: element)
    else {
      Issue.record("no elements")
      return
    }
    #expect(try module.constant(elements, type: TensorType(dtype, shape)) == data)
  }

  @Test(arguments: [
    ("dense<[1, 2]> : tensor<3xi32>", "2:33: error: i32[3] needs a list of 3, not of 2"),
    ("dense<[[1]]> : tensor<1xi32>", "error: a list too deep for i32[1]"),
    ("dense<[1, x]> : tensor<2xi32>", "2:37: error: 'x' is no element of i32"),
    ("dense<300> : tensor<ui8>", "error: '300' is no element of ui8"),
    ("dense<\"0x00\"> : tensor<3xf32>", "error: 1 bytes for f32[3] of 12"),
    ("dense<\"0xZZ\"> : tensor<1xi8>", "error: no hexadecimal digit"),
    ("dense_resource<none> : tensor<1xf32>", "error: no resource 'none'"),
  ])
  func wrongConstantsGetTheirPlace(text: String, message: String) {
    var sources = SourceMap()
    let source =
      "func.func @main() -> tensor<3xi32> {\n  %c = stablehlo.constant \(text)\n  return %c : tensor<3xi32>\n}"
    do throws(DiagnosticList) {
      _ = try readGraph(Array(source.utf8), name: "a.mlir", sources: &sources)
      Issue.record("accepted")
    } catch {
      let found = DiagnosticRenderer(sources: sources).render(error.diagnostics)
      #expect(found.contains(message), "\(found)")
    }
  }

  @Test func severalErrorsAreReportedWithLineAndColumn() {
    let text = StableHLOSamples.function(
      """
          %0 = stablehlo.add %arg0 %arg0 tensor<2x3xf32>
          %r = stablehlo.negate %arg0 : tensor<2x3xf32
          %1 = "stablehlo.reduce"(%arg0) ({
            %2 = stablehlo.add %arg0, : tensor<2x
          }) : (tensor<2x3xf32>) -> tensor<f32>
          %3 = stablehlo.slice %arg0 [0:2, 0] : (tensor<2x3xf32>) -> tensor<2x3xf32>
      """)
    let found = refusal(Array(text.utf8))
    for place in ["a.mlir:3:36:", "a.mlir:4:41:", "a.mlir:6:41:", "a.mlir:8:"] {
      #expect(found.contains(place), "\(found)")
    }
  }

  @Test func nestingIsBounded() {
    for text in [
      "func.func @a() { %1 = stablehlo.iota dim = \(String(repeating: "[", count: 100_000))",
      "#a = loc(\(String(repeating: "callsite(", count: 100_000))",
      "func.func @a() { \(String(repeating: "\"x\"() ({ ", count: 100_000))",
      "func.func @a(%x: \(String(repeating: "() -> ", count: 100_000))",
    ] {
      #expect(refusal(Array(text.utf8)).contains("nest more than 100 deep"))
    }
  }

  /// Cut anywhere, a text is refused with a place, or is whole.
  @Test func aTextCutAnywhereIsRefusedWithAPlace() {
    let text = Array(StableHLOSamples.forms.utf8)
    for end in 0..<text.count {
      let found = refusal(Array(text[..<end]))
      #expect(found.isEmpty || found.hasPrefix("a.mlir:"), "cut at \(end): \(found)")
    }
  }

  @Test func brokenTextsNeverTrap() {
    for seed in 0..<300 as Range<UInt64> {
      let broken = mutated(StableHLOSamples.forms, seed: seed)
      var sources = SourceMap()
      do throws(DiagnosticList) {
        _ = try readGraph(broken, name: "a.mlir", sources: &sources)
      } catch {
        #expect(error.diagnostics.allSatisfy { $0.location.file >= 0 }, "seed \(seed)")
      }
    }
  }
}
