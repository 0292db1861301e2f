// `triangular_solve` as a loop of substitutions, one row of the unknown a turn.
//
// Method      A matrix on the right and a transposed one are turned into a plain one on the left. Of that,
//             the triangle without its diagonal and the diagonal are set apart, so that what stands in the
//             other triangle has no part in anything. The unknown X starts as zeros; a turn makes
//             X[i] = (B[i] - T[i] X) / D[i], from the first row down where T is lower, else from the last
//             row up: the rows still to come are zero in X, and T holds nothing for them either.
// Cost        As many turns as the matrix has rows.
// Source      The specification of `stablehlo.triangular_solve`; forward and back substitution.

extension StableHLOFunctionImporter {
  /// The loop's operands and the functions over them.
  private struct Substitution {
    var n: Int
    var fromFirstRow: Bool
    var place: SourceLocation
    /// The turn, X, T, B, and D where the diagonal is not 1.
    var operands: [(name: String, value: ImportedValue)]
  }

  /// The unknown.
  mutating func importTriangularSolve(
    _ op: MLIROperation, _ operands: [ImportedValue], _ type: TensorType, _ called: String
  ) throws(Diagnostic) -> ImportedValue {
    let isLeft = try flag("left_side", of: op)
    let isUnit = try flag("unit_diagonal", of: op)
    let isLower = try flag("lower", of: op)
    let transpose = op["transpose_a"]?.word ?? "NO_TRANSPOSE"
    // Of real numbers, the adjoint is the transpose.
    guard ["NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"].contains(transpose) else {
      throw Diagnostic("'\(op.name)' has no 'transpose_a' of \(transpose)", at: op.location)
    }
    try require(operands.count == 2, op, "has two operands")
    var a = operands[0]
    var b = operands[1]
    let rank = a.type.rank
    guard rank >= 2, b.type.rank == rank, b.type == type, a.type.dtype == b.type.dtype,
      type.dtype.isFloatingPoint, a.type.shape[rank - 1] == a.type.shape[rank - 2],
      a.type.shape[rank - 1] == b.type.shape[isLeft ? rank - 2 : rank - 1],
      a.type.shape.dropLast(2) == b.type.shape.dropLast(2)
    else {
      throw Diagnostic(
        "'\(op.name)' of \(a.type) and \(b.type) gives no \(type)", at: op.location)
    }
    guard type.elementCount > 0 else { return b }
    let place = op.location
    // X A = B is Aᵀ Xᵀ = Bᵀ.
    let isTurned = (transpose != "NO_TRANSPOSE") == isLeft
    if isTurned { a = transposed(a, at: place) }
    if !isLeft { b = transposed(b, at: place) }
    let solution = substituted(
      a, b, isLower: isLower != isTurned, isUnit: isUnit, called: isLeft ? called : "", at: place)
    return isLeft ? solution : transposed(solution, called: called, at: place)
  }

  private func flag(_ name: String, of op: MLIROperation) throws(Diagnostic) -> Bool {
    guard case .bool(let value)? = op[name] else { throw missing(name, of: op) }
    return value
  }

  /// The matrices with rows and columns exchanged.
  private mutating func transposed(
    _ x: ImportedValue, called: String = "", at place: SourceLocation
  ) -> ImportedValue {
    var dims = Array(0..<x.type.rank)
    dims.swapAt(x.type.rank - 2, x.type.rank - 1)
    return appendOne(
      "transpose", [x], [("dims", .ints(dims, at: place))],
      type: x.type.with(shape: dims.map { x.type.shape[$0] }), called: called, at: place)
  }

  private mutating func zeros(_ type: TensorType, at place: SourceLocation) -> ImportedValue {
    integer(0, type, at: place)
  }

  /// A constant of one small integer.
  private mutating func integer(
    _ value: Int, _ type: TensorType, at place: SourceLocation
  ) -> ImportedValue {
    let bytes =
      type.dtype.isFloatingPoint
      ? type.dtype.encode(Double(value))
      : (0..<type.dtype.byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    return appendConstant(.splat(bytes), type: type, at: place)
  }

  /// X of A X = B.
  private mutating func substituted(
    _ a: ImportedValue, _ b: ImportedValue, isLower: Bool, isUnit: Bool, called: String,
    at place: SourceLocation
  ) -> ImportedValue {
    let rank = a.type.rank
    let rows = appendOne(
      "iota", [], [("dim", .int(rank - 2))], type: a.type.with(.i32), at: place)
    let columns = appendOne(
      "iota", [], [("dim", .int(rank - 1))], type: a.type.with(.i32), at: place)
    let zeros = zeros(a.type, at: place)
    func part(
      _ direction: String, _ importer: inout StableHLOFunctionImporter
    ) -> ImportedValue {
      let mask = importer.appendOne(
        "compare", [rows, columns], [("direction", .word(direction, at: place))],
        type: a.type.with(.i1), at: place)
      return importer.appendOne("select", [mask, a, zeros], type: a.type, at: place)
    }
    let turn = self.zeros(TensorType(.i32), at: place)
    let start = self.zeros(b.type, at: place)
    let triangle = part(isLower ? "gt" : "lt", &self)
    var loop = Substitution(
      n: a.type.shape[rank - 1], fromFirstRow: isLower, place: place,
      operands: [("turn", turn), ("x", start), ("triangle", triangle), ("b", b)])
    if !isUnit {
      let kept = part("eq", &self)
      let sums = appendOne(
        "reduce", [kept],
        [("kind", .word("add", at: place)), ("dims", .ints([rank - 1], at: place))],
        type: a.type.with(shape: Array(a.type.shape.dropLast())), at: place)
      let diagonal = appendOne(
        "reshape", [sums], type: a.type.with(shape: a.type.shape.dropLast() + [1]), at: place)
      loop.operands.append(("diagonal", diagonal))
    }
    let condition = solveFunction("solve.condition", loop) { inner, values in
      let n = inner.integer(loop.n, values[0].type, at: place)
      return [
        inner.appendOne(
          "compare", [values[0], n], [("direction", .word("lt", at: place))],
          type: TensorType(.i1), at: place)
      ]
    }
    let body = solveFunction("solve.body", loop) { inner, values in
      inner.substitutionTurn(loop, values)
    }
    return append(
      "while", loop.operands.map(\.value),
      [
        ("condition", .function(SyntaxName(text: condition, location: place))),
        ("body", .function(SyntaxName(text: body, location: place))),
      ], types: [turn.type, b.type], names: ["", called], at: place)[1]
  }

  /// A function over the operands of the loop.
  private mutating func solveFunction(
    _ suffix: String, _ loop: Substitution,
    _ body: (inout StableHLOFunctionImporter, [ImportedValue]) -> [ImportedValue]
  ) -> String {
    let name = context.freshFunctionName("\(functionName).\(suffix)")
    var inner = StableHLOFunctionImporter(context: context, functionName: name)
    var syntax = SyntaxFunction(name: SyntaxName(text: name, location: loop.place))
    var values: [ImportedValue] = []
    for (argument, value) in loop.operands {
      inner.addArgument(argument, called: argument, type: value.type, at: loop.place, to: &syntax)
      values.append(ImportedValue(name: argument, type: value.type))
    }
    let returned = body(&inner, values)
    syntax.body = inner.finished(returning: returned, at: loop.place)
    context.add(syntax)
    return name
  }

  /// The next turn and X with one more row.
  private mutating func substitutionTurn(
    _ loop: Substitution, _ values: [ImportedValue]
  ) -> [ImportedValue] {
    let place = loop.place
    let (turn, x, triangle, b) = (values[0], values[1], values[2], values[3])
    let batch = Array(0..<x.type.rank - 2)
    var row = turn
    if !loop.fromFirstRow {
      let last = integer(loop.n - 1, turn.type, at: place)
      row = appendOne("subtract", [last, turn], type: turn.type, at: place)
    }
    let first = zeros(turn.type, at: place)
    let starts = batch.map { _ in first } + [row, first]
    func slice(
      _ value: ImportedValue, _ importer: inout StableHLOFunctionImporter
    ) -> ImportedValue {
      var shape = value.type.shape
      shape[batch.count] = 1
      return importer.appendOne(
        "dynamic_slice", [value] + starts, [("slice_sizes", .ints(shape, at: place))],
        type: value.type.with(shape: shape), at: place)
    }
    let target = slice(b, &self)
    let product = appendOne(
      "dot_general", [slice(triangle, &self), x],
      present(
        [
          ("lhs_batch", batch, false), ("rhs_batch", batch, false),
          ("lhs_contract", [batch.count + 1], true), ("rhs_contract", [batch.count], true),
        ], at: place), type: target.type, at: place)
    var solved = appendOne("subtract", [target, product], type: target.type, at: place)
    if values.count > 4 {
      let divisor = broadcast(slice(values[4], &self), to: target.type.shape, at: place)
      solved = appendOne("divide", [solved, divisor], type: target.type, at: place)
    }
    let one = integer(1, turn.type, at: place)
    return [
      appendOne("add", [turn, one], type: turn.type, at: place),
      appendOne("dynamic_update_slice", [x, solved] + starts, type: x.type, at: place),
    ]
  }
}
