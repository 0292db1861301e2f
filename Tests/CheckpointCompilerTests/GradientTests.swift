import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// A function of one op or layer, whose gradient is checked.
struct GradientCase: Sendable, CustomTestStringConvertible {
  /// The arguments; those marked `param` are differentiated.
  var arguments: String
  /// The ops up to a value `%y`.
  var body: String
  /// The shape of `%y`.
  var shape: [Int]
  /// The range of the example numbers.
  var range = -1.0...1.0
  /// Functions that the body names.
  var functions = ""

  var testDescription: String { body }

  /// A function whose loss is the weighted sum of the squares of `%y + 1`: with a weight of its own
  /// for every element, it tells every element of the gradient of `%y` from the others.
  var text: String {
    let dims = shape.indices.map(String.init).joined(separator: ", ")
    let type = "f32[\(shape.map(String.init).joined(separator: ","))]"
    let weights =
      shape.isEmpty
      ? ["%weights = constant 0.7 : f32"]
      : [
        "%count = iota {dim = 0} : f32[\(shape.reduce(1, *))]", "%angles = multiply %count, 0.1",
        "%flat = cosine %angles", "%weights = reshape %flat : \(type)",
      ]
    let lines =
      [
        functions, "func @main(\(arguments)) -> (loss %loss: f32) {", body,
        "%shifted = add %y, 1.0",
      ]
      + ["%square = multiply %shifted, %shifted"] + weights
      + ["%terms = multiply %square, %weights"]
      + ["%loss = reduce %terms {kind = add, dims = [\(dims)]}", "return %loss", "}"]
    return lines.joined(separator: "\n")
  }

  /// Checks every element of every gradient.
  func check() throws {
    let module = try moduleOf(text)
    let arguments = exampleArguments(for: module.entry, in: range)
    let mismatches = try gradientMismatches(of: module, at: arguments)
    #expect(mismatches.isEmpty, "\(body)")
    #expect(module.entry.arguments.contains { $0.role == .parameter })
  }
}

/// The module of a text, with the errors of a text that does not parse among the issues.
func moduleOf(_ text: String, entry: String? = nil) throws -> Module {
  var sources = SourceMap()
  do {
    return try parseModule(Array(text.utf8), name: "test.ir", sources: &sources, entry: entry)
  } catch {
    Issue.record("\(DiagnosticRenderer(sources: sources).render(error.diagnostics))\n\(text)")
    throw error
  }
}

@Suite struct GradientTests {
  static let ops = elementwiseOps + movementOps + structuredOps + functions + attentionOps

  @Test(arguments: ops.flatMap(\.cases))
  func gradientsOfOpsAreSlopes(gradientCase: GradientCase) throws { try gradientCase.check() }

  @Test(arguments: layers + specialLayers)
  func gradientsOfLayersAreSlopes(gradientCase: GradientCase) throws { try gradientCase.check() }

  @Test func everyGradientRuleIsChecked() throws {
    for opcode in Opcode.allCases {
      guard case .rule = opcode.definition.gradient else { continue }
      let cases = Self.ops.first { $0.op == opcode }?.cases ?? []
      #expect(!cases.isEmpty, "'\(opcode.name)' has a gradient rule that no case checks")
      for gradientCase in cases {
        #expect(gradientCase.body.contains("= \(opcode.name) "), "\(gradientCase.body)")
      }
    }
  }

  @Test func everyLayerIsChecked() throws {
    var checked: Set<String> = []
    for layer in Self.layers + Self.specialLayers {
      for function in try moduleOf(layer.text).functions {
        checked.insert(function.name.split(separator: ".").dropLast().joined(separator: "."))
      }
    }
    for (name, text) in Prelude.files {
      var sources = SourceMap()
      let parser = Parser(file: sources.add(name: name, text: Array(text.utf8)), in: sources)
      for function in parser.functions
      where !Self.undifferentiableLayers.contains(function.name.text) {
        #expect(checked.contains(function.name.text), "@\(function.name.text) of \(name)")
      }
    }
  }

  @Test func aWrongGradientIsFound() throws {
    let module = try moduleOf(
      """
      func @cube<S...>(%x: f32[S...]) -> f32[S...] gradient @cube.gradient {
        %square = multiply %x, %x
        %y = multiply %square, %x
        return %y
      }
      func @cube.gradient<S...>(%x: f32[S...], %y: f32[S...], %dy: f32[S...]) -> f32[S...] {
        %square = multiply %x, %x
        %slope = multiply %square, 2.0
        %dx = multiply %slope, %dy
        return %dx
      }
      func @main(param %x: f32[3]) -> (loss %loss: f32) {
        %y = cube %x
        %loss = reduce %y {kind = add, dims = [0]}
        return %loss
      }
      """)
    let mismatches = try gradientMismatches(
      of: module, at: [tensor(.f64, [1, 2, 0])])
    #expect(mismatches.map(\.element) == [0, 1])
    #expect(mismatches.first?.description.hasPrefix("grad.x[0] = 2.0, but the loss has") == true)
  }

  /// A layer may end in an `if` that is decided when it is called.
  @Test func dropoutOfRateZeroIsNothing() throws {
    let module = try moduleOf(
      """
      func @main(%x: f32[3], %key: ui32[2]) -> f32[3] {
        %y = dropout %x, %key {rate = 0}
        return %y
      }
      """)
    let function = inlined(module.entry, in: module)
    #expect(function.blocks[function.body].ops.count == 1)
  }
}
