import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// The order of a sum is that of its shape, in whatever kernel it stands.
@Suite struct ReductionOrderTests {
  /// Sums of equal numbers, each in a kernel of its own that walks differently.
  private struct SumGraph {
    let shape: [Int]
    let dims: [Int]
    /// Arguments and ops, and the names and types of the results that must be equal.
    private(set) var arguments: [(name: String, shape: [Int], isZero: Bool)] = []
    private(set) var ops: [String] = []
    private(set) var sums: [String] = []
    private(set) var others: [(name: String, type: String)] = []

    private var kept: [Int] { shape.indices.filter { !dims.contains($0) } }
    private func type(_ shape: [Int], _ dtype: String = "f32") -> String {
      "\(dtype)[\(shape.map(String.init).joined(separator: ","))]"
    }
    private var sumType: String { type(kept.map { shape[$0] }) }

    private mutating func argument(_ shape: [Int], isZero: Bool = false) -> String {
      let name = "x\(arguments.count)"
      arguments.append((name, shape, isZero))
      return "%\(name)"
    }

    private mutating func op(_ text: String) -> String {
      ops.append("%v\(ops.count) = \(text)")
      return "%v\(ops.count - 1)"
    }

    private mutating func sum(_ value: String) -> String {
      let sum = op("reduce \(value) {kind = add, dims = \(dims)}")
      sums.append(sum)
      return sum
    }

    init(_ shape: [Int], along dims: [Int]) {
      self.shape = shape
      self.dims = dims
      let full = type(shape)
      // Alone, and with zeros that are the same along some dimensions, for each of them.
      _ = sum(argument(shape))
      for same in shape.indices where shape[same] > 1 {
        let wide = shape.indices.filter { $0 != same }
        let zero = argument(wide.map { shape[$0] }, isZero: true)
        let broadcast = op("broadcast_in_dim \(zero) {dims = \(wide)} : \(full)")
        _ = sum(op("add \(argument(shape)), \(broadcast)"))
      }
      // Turned; and stored as well.
      let order = Array(shape.indices.reversed())
      let turned = argument(order.map { shape[$0] }, isZero: true)
      let back = op("transpose \(turned) {dims = \(order)}")
      let stored = op("add \(argument(shape)), \(back)")
      _ = sum(stored)
      others.append((stored, full))
      // Part of a larger tensor.
      let large = argument(shape.map { $0 + 1 }, isZero: true)
      let slice = op(
        "slice \(large) {start = \(shape.map { _ in 1 }), limit = \(shape.map { $0 + 1 })}")
      _ = sum(op("add \(argument(shape)), \(slice)"))
      // Beside other reductions, some of them wider, and before a pass that reads the sum.
      let x = argument(shape)
      let total = sum(x)
      let most = op("reduce \(x) {kind = max, dims = \(dims)}")
      let doubled = op("convert \(x) : \(type(shape, "f64"))")
      let precise = op("reduce \(doubled) {kind = add, dims = \(dims)}")
      let spread = op("broadcast_in_dim \(total) {dims = \(kept)} : \(full)")
      others.append((op("subtract \(x), \(spread)"), full))
      others.append((most, sumType))
      others.append((precise, type(kept.map { shape[$0] }, "f64")))
    }

    var text: String {
      let parameters = arguments.map { "%\($0.name): \(type($0.shape))" }
      let results = sums.map { ($0, sumType) } + others
      let declared = results.enumerated().map { "%r\($0): \($1.1)" }
      return """
        func @main(\(parameters.joined(separator: ", "))) -> (\(declared.joined(separator: ", "))) {
          \(ops.joined(separator: "\n  "))
          return \(results.map(\.0).joined(separator: ", "))
        }
        """
    }
  }

  private static let graphs = [
    // Rows: short ones as one, long ones by themselves; in parts of rows and of one row.
    SumGraph([64, 10], along: [0, 1]), SumGraph([5, 6, 7], along: [1, 2]),
    SumGraph([300, 301], along: [0, 1]), SumGraph([9, 7300], along: [0, 1]),
    SumGraph([40, 1, 32, 64], along: [0, 1, 2, 3]),
    // Columns in parts that some walk in one loop and some in three.
    SumGraph([20, 9, 11, 48], along: [0, 1, 2]), SumGraph([2, 9, 140, 3, 80], along: [1, 2]),
    // Groups of lanes, of several dimensions, without and with parts.
    SumGraph([3, 20, 2, 2, 3, 2], along: [1, 4, 5]), SumGraph([40, 60, 8, 4], along: [0, 1, 3]),
  ]

  @Test(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence), arguments: graphs.indices)
  func aSumHasTheSameBitsInEveryKernel(_ number: Int) throws {
    let graph = Self.graphs[number]
    var options = CompileOptions()
    options.lastStage = .code
    options.effort = 0.1
    let compilation = try LoopSamples.compile(graph.text, options)
    #expect(compilation.program!.calls.count >= graph.sums.count)
    let step = try CompiledStep(compilation, driver: TestToolchain.driver!)
    var generator = SeededGenerator(seed: UInt64(number))
    let count = graph.shape.reduce(1, *)
    let numbers = (0..<count).map { _ in Double(generator.index(below: 1 << 20)) / 997 }
    for (index, argument) in graph.arguments.enumerated() {
      let type = TensorType(.f32, argument.shape)
      let zeros = Array(repeating: 0.0, count: type.elementCount)
      step.setArgument(index, to: Tensor(type, floats: argument.isZero ? zeros : numbers))
    }
    #expect(step.run() == 0)
    let sums = step.resultValues.prefix(graph.sums.count)
    for (index, sum) in sums.enumerated() {
      #expect(sum == sums[0], "\(graph.shape) along \(graph.dims): sum \(index)")
    }
  }

  private func order(_ domain: [Int], _ reduced: [Int]) -> ReductionOrder {
    ReductionOrder(LoopFrame(domain: domain, reduced: reduced))
  }

  @Test func dimensionsOfOneElementDoNotCount() {
    for (domain, reduced) in [([6, 7, 40], [0, 1]), ([6, 50], [1]), ([8, 300, 4, 4], [1, 3])] {
      let order = order(domain, reduced)
      let padded = self.order([1] + domain + [1], reduced.map { $0 + 1 })
      #expect(order.walk == padded.walk)
      #expect(order.parts == padded.parts)
    }
  }

  @Test func longRowsStayApart() {
    #expect(order([8, 1000], [0, 1]).apart == [1])
    #expect(order([8, 1024], [0, 1]).apart.isEmpty)
    #expect(order([64, 10], [0, 1]).together == [0..<2])
  }

  @Test func partsAreWholeStepsOfTheFirstDimensions() {
    // 512 images: 16 parts of 32, whatever is in them.
    #expect(order([512, 28, 28, 64], [0, 1, 2]).parts?.size == 32)
    // 8 images are cut within: 8 · 56 rows in parts of 28.
    #expect(order([8, 56, 56, 64], [0, 1, 2]).parts?.size == 28)
    #expect(order([8, 56, 56, 64], [0, 1, 2]).together == [0..<2])
    // Where much is kept, that is shared out.
    #expect(order([16, 4096, 64], [1]).parts == nil)
    #expect(order([4, 4096, 64], [1]).parts?.count == 16)
  }
}
