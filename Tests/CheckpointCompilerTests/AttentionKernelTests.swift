import Testing

@testable import CheckpointCompiler

/// An attention whose emitted code is compared with its meaning.
private struct AttentionShape: Sendable {
  var dtype = "f32"
  var batch = [2]
  var queries: Int
  var keys: Int
  var features: Int
  var values: Int
  var attributes = ""
  /// Types of the operands after queries, keys and values.
  var extras: [String] = []
  /// Whether the batch dimension stands behind the sequence.
  var isTurned = false

  /// A function of the attention and its gradients, in the place of the given number.
  func text(_ number: Int) -> (arguments: [String], body: String, results: [String]) {
    func type(_ extents: [Int], _ dtype: String) -> String {
      "\(dtype)[\(extents.map(String.init).joined(separator: ","))]"
    }
    func tensor(_ rows: Int, _ width: Int) -> String {
      type(isTurned ? [rows] + batch + [width] : batch + [rows, width], dtype)
    }
    let sums = dtype == "f64" ? "f64" : "f32"
    var types = [
      "q": tensor(queries, features), "k": tensor(keys, features), "v": tensor(keys, values),
      "dy": tensor(queries, values),
    ]
    for (index, extra) in extras.enumerated() { types["e\(index)"] = extra }
    let orders = ["q", "k", "v", "y"].map { "\($0)_dims = [1, 0, 2]" }
    let attributes = "{\(((isTurned ? orders : []) + [attributes]).joined(separator: ", "))}"
    func name(_ short: String) -> String { "%\(short)\(number)" }
    func list(_ names: [String]) -> String { names.map(name).joined(separator: ", ") }
    let extraNames = extras.indices.map { "e\($0)" }
    let body = """
        \(list(["y", "s"])) = softmax_attention \(list(["q", "k", "v"] + extraNames)) \(attributes)
        \(list(["dq", "dk", "dv"])) = softmax_attention_gradient \(
          list(["q", "k", "v", "y", "s", "dy"] + extraNames)) \(attributes)
      """
    let results = [
      ("y", tensor(queries, values)), ("s", type(batch + [queries], sums)), ("dq", types["q"]!),
      ("dk", types["k"]!), ("dv", types["v"]!),
    ]
    return (
      types.keys.sorted().map { "\(name($0)): \(types[$0]!)" }, body,
      results.map { "\(name($0.0)): \($0.1)" }
    )
  }
}

@Suite struct AttentionKernelTests {
  fileprivate static let shapes: [[AttentionShape]] = [
    [
      // Several tiles of keys and of queries, neither full; features beyond a vector.
      AttentionShape(
        queries: 70, keys: 200, features: 20, values: 33,
        attributes: "scale = 0.25, causal_offset = 130"),
      // Rows that see nothing of the first tile, and some that see little.
      AttentionShape(
        queries: 131, keys: 40, features: 3, values: 5, attributes: "causal_offset = 0",
        isTurned: true),
      // A chunk of features and a little more; one batch, whose queries are split.
      AttentionShape(
        batch: [1], queries: 150, keys: 9, features: 330, values: 170, attributes: "scale = 0.0625"),
      AttentionShape(
        queries: 5, keys: 180, features: 4, values: 4,
        attributes: "mask = add, mask_dims = [0, 2], rate = 0.3, keep_scale = 1.25, stream = 3",
        extras: ["f32[2,180]", "ui32[2]"]),
      AttentionShape(
        batch: [], queries: 3, keys: 7, features: 1, values: 1,
        attributes: "mask = select, mask_dims = [0, 1], fill = -3.0", extras: ["i1[3,7]"]),
    ],
    [
      AttentionShape(
        dtype: "f64", queries: 65, keys: 170, features: 17, values: 9,
        attributes: "causal_offset = 105, rate = 0.5, keep_scale = 2.0, stream = 0",
        extras: ["ui32[2]"]),
      AttentionShape(
        dtype: "f64", queries: 2, keys: 3, features: 2, values: 2,
        attributes: "mask = add, mask_dims = [1]", extras: ["f64[2]"]),
    ],
    [
      AttentionShape(
        dtype: "bf16", queries: 20, keys: 30, features: 16, values: 16, attributes: "scale = 0.5"),
      AttentionShape(
        dtype: "f16", queries: 9, keys: 9, features: 8, values: 8,
        attributes: "causal_offset = 0, mask = add, mask_dims = [2]", extras: ["f16[9]"]),
    ],
  ]

  @Test(arguments: shapes)
  fileprivate func theCodeComputesWhatTheOpMeans(shapes: [AttentionShape]) throws {
    let texts = shapes.enumerated().map { $1.text($0) }
    let results = texts.flatMap(\.results)
    let text = """
      func @main(\(texts.flatMap(\.arguments).joined(separator: ", "))) -> (
          \(results.joined(separator: ", "))) {
      \(texts.map(\.body).joined(separator: "\n"))
        return \(results.map { $0.split(separator: ":")[0] }.joined(separator: ", "))
      }
      """
    var sources = SourceMap()
    let compilation = try Compiler().compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
    guard let driver = try? CompilerDriver() else { return }
    let step = try CompiledStep(compilation, driver: driver)
    for (index, type) in step.function.argumentTypes.enumerated() {
      let numbers = (0..<type.elementCount).map { Double(($0 * 37 + index) % 23) / 16 - 0.6 }
      step.setArgument(index, to: Tensor(type, floats: numbers))
    }
    let outcome = try #require(try InterpreterCheck(compilation)?.run(step))
    guard case .agrees = outcome else {
      Issue.record("the compiled step differs from the interpreter: \(outcome)")
      return
    }
  }
}
