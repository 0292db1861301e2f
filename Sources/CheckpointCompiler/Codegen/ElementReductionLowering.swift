// `reduce_with` and `reduce_window_with` as loops.
//
// Method      One row of accumulators for each tensor. Where the innermost dimension stays, a block of
//             it is combined side by side, lane by lane; else a row has one element.
// Order       Elements are combined one after the other, in row-major order: nothing is known of the
//             function.

/// Lowers one reduction by a function.
struct ElementReductionLowering {
  private static let laneCount = 64

  private let function: Function
  private let op: OpID
  private let code: ElementFunctionCode
  /// The tensors; the initial values follow them among the operands.
  private let tensors: [TensorType]
  private let results: [TensorType]
  private let operandBuffers: [Int]
  private let resultBuffers: [Int]

  init(_ function: Function, _ op: OpID, operandBuffers: [Int], resultBuffers: [Int]) {
    self.function = function
    self.op = op
    code = ElementFunctionCode(.function, of: op, in: function)
    results = function.results(of: op).map { function.type(of: $0) }
    tensors = function.operands(of: op).prefix(results.count).map { function.type(of: $0) }
    self.operandBuffers = operandBuffers
    self.resultBuffers = resultBuffers
  }

  private var attributes: Attributes { function.ops[op].attributes }
  private var rank: Int { tensors[0].rank }

  /// The statements of the op.
  func run() -> [Statement] {
    function.ops[op].opcode == .reduceWith ? reduction() : windowReduction()
  }

  private func reduction() -> [Statement] {
    let dims = attributes.ints(.dims)!.sorted()
    let shape = tensors[0].shape
    let kept = shape.indices.filter { !dims.contains($0) }
    let from = Index.linear(shape.indices.map { .variable($0) }, strides: tensors[0].strides)
    let to = Index.linear(kept.map { .variable($0) }, strides: results[0].strides)
    return nest(
      kept: kept.map { LoopDimension(variable: $0, extent: shape[$0]) },
      reduced: dims.map { LoopDimension(variable: $0, extent: shape[$0]) },
      lanesAreInnermost: kept.last == rank - 1, to: to
    ) { number in .load(buffer: operandBuffers[number], from) }
  }

  private func windowReduction() -> [Statement] {
    let window = PoolingWindow(attributes, rank: rank)
    let shape = results[0].shape
    let tap = window.place(
      of: tensors[0], windows: shape, windowVariables: Array(0..<rank),
      tapVariables: Array(rank..<2 * rank))
    let to = Index.linear(shape.indices.map { .variable($0) }, strides: results[0].strides)
    return nest(
      kept: shape.indices.map { LoopDimension(variable: $0, extent: shape[$0]) },
      reduced: shape.indices.map {
        LoopDimension(variable: rank + $0, extent: window.window[$0])
      }, lanesAreInnermost: rank > 0 && window.isStill(rank - 1), to: to
    ) { number in
      let element = Expression.load(buffer: operandBuffers[number], tap.place)
      return tap.conditions.isEmpty
        ? element : .choose(tap.conditions, element, initialValue(number))
    }
  }

  private func initialValue(_ number: Int) -> Expression {
    .load(buffer: operandBuffers[tensors.count + number], Index())
  }

  /// Loops over what is kept, and in them over what is combined; the innermost dimension is walked in
  /// lanes where it is kept.
  private func nest(
    kept: [LoopDimension], reduced: [LoopDimension], lanesAreInnermost: Bool, to place: Index,
    _ element: (Int) -> Expression
  ) -> [Statement] {
    let (block, lane) = (2 * rank, 2 * rank + 1)
    let column = lanesAreInnermost ? kept.last : nil
    // The rows of all tensors are local arrays.
    let bytes = tensors.reduce(0) { $0 + $1.dtype.rowByteCount }
    let most = min(ElementReductionLowering.laneCount, LoopLowering.rowBytesMax / bytes)
    let width = column.map { max(1, min(most, $0.extent)) } ?? 1
    func lanes(_ body: [Statement]) -> Statement {
      guard let column else { return .loop(variable: lane, extent: 1, .serial, body) }
      return .lanes(
        variable: column.variable, lane: lane, block: block, most: width, total: column.extent,
        body)
    }
    let rows = tensors.indices.map { Expression.lane(row: $0, .variable(lane)) }
    var nextLocal = 0
    let step = code.applied(to: rows + tensors.indices.map(element), nextLocal: &nextLocal)
    let body: [Statement] =
      tensors.indices.map { number in
        .defineRow(row: number, tensors[number].dtype, count: width, initialValue(number))
      }
      + CheckpointCompiler.nest(
        reduced, onThreads: false,
        [
          lanes(
            step.statements
              + tensors.indices.map {
                .assignLane(row: $0, .variable(lane), step.results[$0])
              })
        ])
      + [
        lanes(
          tensors.indices.map {
            .store(buffer: resultBuffers[$0], place, tensors[$0].dtype, rows[$0])
          })
      ]
    let work = (kept + reduced).reduce(1.0) { $0 * Double($1.extent) }
    let blocks: [Statement] =
      column.map {
        [.blocks(variable: block, width: width, extent: $0.extent, .serial, body)]
      } ?? body
    return CheckpointCompiler.nest(
      column == nil ? kept : kept.dropLast(), onThreads: work >= Double(LoopLowering.parallelWork),
      blocks)
  }
}
