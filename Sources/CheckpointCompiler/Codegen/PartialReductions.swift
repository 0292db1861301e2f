// Passes of a reduction in parts that run on threads.
//
// Problem     A batch normalization or the gradient of a bias leaves few values, each a sum over all
//             rows: without parts, such a kernel runs on one thread.
// Method      The walk is cut into parts (`ReductionOrder.Parts`). Each adds up in accumulators of its
//             own and leaves them in scratch, where they are then combined in the order of the parts.
// Invariants  The order of a sum is that of its shape, for any number of threads. A part writes lines
//             of a cache that no other part writes.

/// The row in which a reduction adds up.
struct Accumulator {
  var op: OpID
  var row: Int
  var kind: String
  var dtype: DType

  /// The row of a number of accumulators, before the first element.
  func defined(count: Int) -> Statement {
    .defineRow(row: row, dtype, count: count, .neutral(kind: kind, dtype))
  }

  /// An element combined into one of them.
  func adding(_ element: Expression, at place: Index) -> Statement {
    .assignLane(
      row: row, place, .combine(kind: kind, dtype, .lane(row: row, place), element))
  }
}

/// The parts of a loop.
struct LoopParts {
  /// The loop that is cut, and its steps in a part.
  let loop: LoopDimension
  let size: Int
  let count: Int

  /// The parts of the loop that walks the dimensions that are cut, and maybe more.
  init(_ parts: ReductionOrder.Parts, of loop: LoopDimension) {
    self.loop = loop
    size = parts.size * (loop.extent / parts.extent)
    count = parts.count
  }

  /// A walk over the part that starts where a variable says.
  func walk(
    from start: Int, variable: Int? = nil, step: Int = 1, _ body: [Statement]
  ) -> Statement {
    .part(
      variable: variable ?? loop.variable, step: step, start: start, most: size,
      total: loop.extent, body)
  }

  /// The elements between the accumulators of two parts.
  func stride(_ width: Int, _ dtype: DType) -> Int {
    alignedBytes(width * dtype.rowByteCount) / dtype.rowByteCount
  }
}

extension LoopLowering {
  /// Bytes of scratch that the accumulators of all parts take in one pass.
  func partialBytes(_ parts: LoopParts, width: Int) -> Int {
    (0...passCount).map { pass in
      reductions(inPass: pass).reduce(0) { bytes, op in
        let dtype = accumulatorDType(op)
        return bytes + parts.count * parts.stride(width, dtype) * dtype.rowByteCount
      }
    }.max() ?? 0
  }

  /// A pass over all parts of a walk. Its partial results begin at the start of the scratch.
  ///
  /// - Parameters:
  ///   - parts: The parts.
  ///   - accumulators: The reductions of the pass.
  ///   - width: Accumulators of each reduction.
  ///   - place: The place of an accumulator in the loop that `each` makes.
  ///   - each: A loop over the accumulators.
  ///   - sums: Receives the row that holds what each reduction has left.
  ///   - walk: The walk over the part that starts where a variable says.
  /// - Returns: The statements of the pass.
  mutating func overParts(
    _ parts: LoopParts, _ accumulators: [Accumulator], width: Int, place: Index,
    each: ([Statement]) -> Statement, sums: inout [OpID: Int],
    walk: (_ start: Int) -> Statement
  ) -> [Statement] {
    let (part, start) = (newVariable(), newVariable())
    var inPart = accumulators.map { $0.defined(count: width) }
    var partials: [Statement] = []
    var saved: [Statement] = []
    var after: [Statement] = []
    var combined: [Statement] = []
    var offset = 0
    for sum in accumulators {
      let partial = newRow()
      let total = Accumulator(op: sum.op, row: newRow(), kind: sum.kind, dtype: sum.dtype)
      let stride = parts.stride(width, sum.dtype)
      let number = Index(.quotient(.variable(start), parts.size))
      partials.append(
        .defineScratchRow(row: partial, sum.dtype, offset: offset, at: number * stride))
      saved.append(.assignLane(row: partial, place, .lane(row: sum.row, place)))
      // The first part is where all others are combined into.
      after.append(.defineScratchRow(row: total.row, sum.dtype, offset: offset, at: Index()))
      let next = (Index.variable(part) + 1) * stride + place
      combined.append(total.adding(.lane(row: total.row, next), at: place))
      sums[sum.op] = total.row
      offset += parts.count * stride * sum.dtype.rowByteCount
    }
    inPart.append(walk(start))
    if !saved.isEmpty { inPart += partials + [each(saved)] }
    var statements: [Statement] = [
      .blocks(
        variable: start, width: parts.size, extent: parts.loop.extent, .parallel(collapsed: 1),
        inPart)
    ]
    if !combined.isEmpty {
      statements += after
      statements.append(
        .loop(variable: part, extent: parts.count - 1, .serial, [each(combined)]))
    }
    return statements
  }
}
