// Reductions of a loop kernel whose innermost dimension is kept: columns side by side.
//
// Problem     To reduce `[rows, columns]` along the rows, a walk along one column touches a line of
//             memory per element. A block of columns is reduced at once: each row adds to an
//             accumulator per column.
// Groups      `[rows, groups, lanes]` reduced along rows and a short innermost dimension, as a group
//             normalization does with channels last, is walked in the same way, a column per lane of
//             each group; the columns of a group are then combined in order. What belongs to a group
//             is spread over its lanes before a pass reads it.
// Parts       Where little is kept outside the columns, the rows are cut into parts
//             (`PartialReductions.swift`), and blocks are wide, so that a part is read as it lies.
// Blocks      Columns, and groups, are cut into blocks whose rows fit in `rowBytesMax`; that changes no
//             sum.

/// The columns of a reduction.
struct ReductionColumns {
  /// The loop over all columns.
  var loop: LoopDimension
  /// Columns in a block.
  var width: Int
  /// The parts that the rows are cut into; nil where they are not.
  var parts: LoopParts?
  /// The groups of columns that are combined; nil where each column has a result.
  var groups: LaneGroups?
  /// The variable of the blocks, and the lane of a column in its block.
  var block: Int
  var lane: Int

  /// The place of a column in the rows that hold an element for each.
  var place: Index { .variable(lane) }

  /// Statements for each column of a block.
  func lanes(_ body: [Statement]) -> Statement {
    .lanes(
      variable: loop.variable, lane: lane, block: block, most: width, total: loop.extent, body)
  }

  /// The place of a kept value in the rows that hold an element for each.
  var keptPlace: Index { groups.map { .variable($0.group) } ?? place }
  /// The number of kept values of a block.
  var keptCount: Int { groups?.count ?? width }

  /// Statements for each kept value of a block.
  func kept(_ body: [Statement]) -> Statement {
    groups.map { .loop(variable: $0.group, extent: $0.count, .serial, body) } ?? lanes(body)
  }
}

extension LoopLowering {
  /// Columns of a block where blocks run on threads.
  private static let columnCount = 64

  mutating func reductionNest(_ order: ReductionOrder) -> [Statement] {
    let reduced = loops.filter(\.isReduced)
    switch order.walk {
    case .rows(let lanes):
      let kept = loops.filter { !$0.isReduced }
      let parts = order.parts.map { LoopParts($0, of: reduced[0]) }
      return nest(
        kept, onThreads: isParallel() && !kept.isEmpty && parts == nil,
        rowBody(reduced: reduced, lanes: lanes, parts: parts))
    case .columns, .groups:
      // Blocks become narrower until the local arrays fit.
      var width = ReductionOrder.columnsMax
      while true {
        var attempt = self
        let (statements, next) = attempt.columnNest(order, widthMax: width)
        if next == 0 || statements.reduce(0, { $0 + $1.rowBytes }) <= LoopLowering.rowBytesMax {
          self = attempt
          return statements
        }
        width = next
      }
    }
  }

  /// Reduces in columns, side by side in blocks of at most `widthMax`, where that is possible; also
  /// returns a width that makes narrower blocks, or 0.
  private mutating func columnNest(
    _ order: ReductionOrder, widthMax: Int
  ) -> (statements: [Statement], narrower: Int) {
    var outer = loops.filter { !$0.isReduced }
    var reduced = loops.filter(\.isReduced)
    let parts = order.parts.map { LoopParts($0, of: reduced[0]) }
    let bytes = max(1, function.accumulatorBytes(of: reductions))
    // Parts have accumulators alone as local arrays.
    var widthMax = widthMax
    if parts != nil {
      while widthMax > LoopLowering.columnCount, widthMax * bytes > LoopLowering.rowBytesMax {
        widthMax /= 2
      }
    }
    var loop = outer.removeLast()
    var groups: LaneGroups?
    if order.walk == .groups {
      let lanes = reduced.removeLast()
      var block = LaneGroups(
        group: loop.variable, lane: lanes.variable, count: loop.extent, size: lanes.extent,
        rows: reduced.map(\.variable))
      while block.count * block.size > widthMax, block.count > 1 {
        block.count = (1..<block.count).last { block.count % $0 == 0 }!
      }
      if block.count < loop.extent {
        let split = GroupSplit(block: newVariable(), groups: block)
        outer.append(LoopDimension(variable: split.block, extent: loop.extent / block.count))
        reader.groupSplit = split
      }
      loop = LoopDimension(variable: block.lane, extent: block.count * block.size)
      groups = block
    } else if parts == nil {
      widthMax = min(widthMax, LoopLowering.columnCount)
    }
    let columns = ReductionColumns(
      loop: loop, width: groups == nil ? min(widthMax, max(1, loop.extent)) : loop.extent,
      parts: parts, groups: groups, block: newVariable(), lane: newVariable())
    if let parts { _ = takeScratch(bytes: partialBytes(parts, width: columns.width)) }
    let body = columnBody(columns, reduced: reduced)
    let onThreads = isParallel() && parts == nil
    let blocks: Statement = .blocks(
      variable: columns.block, width: columns.width, extent: loop.extent,
      outer.isEmpty && onThreads && columns.width < loop.extent
        ? .parallel(collapsed: 1) : .serial, body)
    let canNarrow = groups.map { $0.count > 1 } ?? (columns.width > 1)
    return (nest(outer, onThreads: onThreads, [blocks]), canNarrow ? columns.width / 2 : 0)
  }

  private mutating func columnBody(
    _ columns: ReductionColumns, reduced: [LoopDimension]
  ) -> [Statement] {
    // What reductions have left, as passes read it and as kept values read it.
    var spread: [ValueID: Expression] = [:]
    var statements = columnKept(columns, level: 0, sums: [:], &spread)
    for pass in 0...passCount {
      let reductions = reductions(inPass: pass)
      guard !reductions.isEmpty || !fullOutputs(inPass: pass).isEmpty else { continue }
      reader.startLoop()
      let kept = reader.rows
      reader.rows = spread
      reader.groups = columns.groups
      var accumulators: [Accumulator] = []
      var accumulations: [Statement] = []
      for op in reductions {
        let sum = Accumulator(op: op, row: newRow(), kind: kind(op), dtype: accumulatorDType(op))
        accumulators.append(sum)
        let element = reader.read(function.operands(of: op).first!, at: fullIndices)
        accumulations.append(sum.adding(element, at: columns.place))
      }
      let stores = storeFull(pass)
      let body = [columns.lanes(reader.statements + accumulations + stores)]
      reader.groups = nil
      reader.rows = kept
      statements += reader.takeSpreadLoads().flatMap { load in
        spreadRow(load.row, load.dtype, load.value, columns)
      }
      var sums: [OpID: Int] = [:]
      statements += overRows(reduced, columns, body, accumulators, &sums)
      statements += columnKept(columns, level: pass + 1, sums: sums, &spread)
    }
    return statements
  }

  /// A row that one pass leaves to the next: in scratch where threads share it.
  private mutating func defineRow(
    _ row: Int, _ dtype: DType, count: Int, _ columns: ReductionColumns
  ) -> Statement {
    guard columns.parts != nil else {
      return .defineRow(row: row, dtype, count: count, .neutral(kind: "or", .i1))
    }
    let offset = takeScratch(bytes: count * dtype.rowByteCount)
    return .defineScratchRow(row: row, dtype, offset: offset, at: Index())
  }

  /// A row with a value of each group at all of its lanes.
  private mutating func spreadRow(
    _ row: Int, _ dtype: DType, _ value: Expression, _ columns: ReductionColumns
  ) -> [Statement] {
    guard let groups = columns.groups else { return [] }
    let lane = newVariable()
    let place = Index.variable(groups.group) * groups.size + .variable(lane)
    return [
      defineRow(row, dtype, count: columns.width, columns),
      columns.kept([
        .loop(
          variable: lane, extent: groups.size, .serial, [.assignLane(row: row, place, value)])
      ]),
    ]
  }

  /// A pass over the rows of a block of columns: in parts on threads, or one after the other.
  /// `sums` receives the row that holds what each reduction has left for the columns.
  private mutating func overRows(
    _ reduced: [LoopDimension], _ columns: ReductionColumns, _ body: [Statement],
    _ accumulators: [Accumulator], _ sums: inout [OpID: Int]
  ) -> [Statement] {
    guard let parts = columns.parts else {
      for sum in accumulators { sums[sum.op] = sum.row }
      return accumulators.map { $0.defined(count: columns.width) }
        + nest(reduced, onThreads: false, body)
    }
    return overParts(
      parts, accumulators, width: columns.width, place: columns.place, each: columns.lanes,
      sums: &sums
    ) { start in
      parts.walk(from: start, nest(Array(reduced.dropFirst()), onThreads: false, body))
    }
  }

  /// Rows with what reductions have left for each group: its columns combined in order.
  private mutating func groupSums(
    _ sums: [OpID: Int], _ columns: ReductionColumns
  ) -> (statements: [Statement], sums: [OpID: Int]) {
    guard let groups = columns.groups else { return ([], sums) }
    var statements: [Statement] = []
    var grouped: [OpID: Int] = [:]
    for op in reductions {
      guard let row = sums[op] else { continue }
      let sum = Accumulator(op: op, row: newRow(), kind: kind(op), dtype: accumulatorDType(op))
      let lane = newVariable()
      let place = Index.variable(groups.group) * groups.size + .variable(lane)
      statements.append(sum.defined(count: groups.count))
      statements.append(
        columns.kept([
          .loop(
            variable: lane, extent: groups.size, .serial,
            [sum.adding(.lane(row: row, place), at: columns.keptPlace)])
        ]))
      grouped[op] = sum.row
    }
    return (statements, grouped)
  }

  /// Computes kept values of a level into rows that later passes read, and writes those that are
  /// results. `sums` names the rows that hold what reductions have left for the columns; `spread`
  /// receives, for each value that is read later, its element at the lane of a pass.
  private mutating func columnKept(
    _ columns: ReductionColumns, level: Int, sums: [OpID: Int],
    _ spread: inout [ValueID: Expression]
  ) -> [Statement] {
    let (grouping, sums) = groupSums(sums, columns)
    reader.startLoop()
    var rows: [Statement] = []
    var assignments: [Statement] = []
    var stores: [Statement] = []
    var spreads: [Statement] = []
    var computed: [ValueID: Expression] = [:]
    for op in self.reductions {
      guard let row = sums[op] else { continue }
      let result = function.result(of: op)
      let sum = Expression.lane(row: row, columns.keptPlace)
      computed[result] = reader.define(function.type(of: result).dtype, rounded(sum, op))
      reader.rows[result] = computed[result]
    }
    let values = keptValues(level: level)
    for value in values {
      let expression = computed[value] ?? reader.read(value, at: reader.keptIndices)
      reader.rows[value] = expression
      computed[value] = expression
    }
    for value in values {
      let dtype = function.type(of: value).dtype
      for output in outputs where output.value == value {
        let place = reader.place(reader.linear(value, reader.keptIndices))
        stores.append(.store(buffer: output.buffer, place, dtype, computed[value]!))
      }
      if isReadLater(value, than: values) {
        let row = newRow()
        rows.append(defineRow(row, dtype, count: columns.keptCount, columns))
        assignments.append(.assignLane(row: row, columns.keptPlace, computed[value]!))
        let element = Expression.lane(row: row, columns.keptPlace)
        reader.rows[value] = element
        if columns.groups?.count == 1 {
          spread[value] = .lane(row: row, Index())
        } else if columns.groups != nil {
          let wide = newRow()
          spreads += spreadRow(wide, dtype, element, columns)
          spread[value] = .lane(row: wide, columns.place)
        } else {
          spread[value] = element
        }
      }
    }
    let body = reader.statements + assignments + stores
    return grouping + rows + (body.isEmpty ? [] : [columns.kept(body)]) + spreads
  }

  /// Whether an op reads a kept value whose own result is not among those computed beside it: it is
  /// computed in a later loop.
  private func isReadLater(_ value: ValueID, than values: [ValueID]) -> Bool {
    ops.contains { op in
      function.operands(of: op).contains(value)
        && !function.results(of: op).allSatisfy { values.contains($0) }
    }
  }
}
