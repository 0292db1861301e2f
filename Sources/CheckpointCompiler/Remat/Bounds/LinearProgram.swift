// Linear programs and a first-order method for them.
//
// Problem     Minimise c·x over lower ≤ x ≤ upper with A x ≤ b, A sparse.
// Method      Primal-dual hybrid gradient: x and y step in turn along their gradients and are cut off
//             at their bounds. Steps are scaled per row and column, the average of the iterates is
//             what converges, and the method starts anew from it when it has come closer.
// Promise     None: y is a set of multipliers, good or bad. Whoever uses them evaluates exactly what
//             they prove.
// Cost        O(entries of A) per iteration.
// Source      Chambolle, Pock, "A first-order primal-dual algorithm", 2011; step sizes: Pock,
//             Chambolle, "Diagonal preconditioning", 2011; restarts and the weight between primal and
//             dual: Applegate et al., "Practical large-scale linear programming using PDHG", 2021.

/// A linear program, built row by row.
struct LinearProgram {
  private(set) var cost: [Double] = []
  private(set) var lower: [Double] = []
  private(set) var upper: [Double] = []
  private(set) var rowStart: [Int32] = [0]
  private(set) var columns: [Int32] = []
  private(set) var entries: [Double] = []
  private(set) var limit: [Double] = []

  var rowCount: Int { limit.count }
  var columnCount: Int { cost.count }

  /// Adds a variable and returns its index.
  mutating func addVariable(cost: Double, lower: Double = 0, upper: Double = 1) -> Int {
    self.cost.append(cost)
    self.lower.append(lower)
    self.upper.append(upper)
    return self.cost.count - 1
  }

  /// Adds a term to the row being built.
  mutating func addTerm(_ variable: Int, _ entry: Double) {
    columns.append(Int32(variable))
    entries.append(entry)
  }

  /// Ends the row being built: its sum is at most `limit`. Returns the index of the row.
  mutating func endRow(limit: Double) -> Int {
    self.limit.append(limit)
    rowStart.append(Int32(columns.count))
    return self.limit.count - 1
  }
}

/// The state of the method on one program.
struct PrimalDualMethod {
  private let program: LinearProgram
  private var cost: [Double]
  private var upper: [Double]
  private(set) var primal: [Double]
  /// Multipliers of the rows, at least zero.
  private(set) var dual: [Double]

  private var columnStart: [Int32]
  private var rows: [Int32]
  private var columnEntries: [Double]
  private var primalStep: [Double]
  private var dualStep: [Double]
  private var weight = 1.0
  private var lastError = Double.infinity
  private var sinceRestart = 0
  private var primalSum: [Double]
  private var dualSum: [Double]
  private var restartPrimal: [Double]
  private var restartDual: [Double]

  /// Starts at zero.
  init(_ program: LinearProgram) {
    self.program = program
    cost = program.cost
    upper = program.upper
    let rowCount = program.rowCount
    let columnCount = program.columnCount
    var counts = [Int32](repeating: 0, count: columnCount + 1)
    for column in program.columns { counts[Int(column) + 1] += 1 }
    for column in 0..<columnCount { counts[column + 1] += counts[column] }
    columnStart = counts
    rows = [Int32](repeating: 0, count: program.columns.count)
    columnEntries = [Double](repeating: 0, count: program.columns.count)
    primalStep = [Double](repeating: 0, count: columnCount)
    dualStep = [Double](repeating: 0, count: rowCount)
    for row in 0..<rowCount {
      for slot in Int(program.rowStart[row])..<Int(program.rowStart[row + 1]) {
        let column = Int(program.columns[slot])
        let place = Int(counts[column])
        counts[column] += 1
        rows[place] = Int32(row)
        columnEntries[place] = program.entries[slot]
        primalStep[column] += abs(program.entries[slot])
        dualStep[row] += abs(program.entries[slot])
      }
    }
    for column in 0..<columnCount { primalStep[column] = 1 / max(primalStep[column], 1e-9) }
    for row in 0..<rowCount { dualStep[row] = 1 / max(dualStep[row], 1e-9) }
    primal = program.lower
    dual = [Double](repeating: 0, count: rowCount)
    primalSum = [Double](repeating: 0, count: columnCount)
    dualSum = [Double](repeating: 0, count: rowCount)
    restartPrimal = primal
    restartDual = dual
  }

  /// Starts anew with other costs and upper bounds, from the given multipliers.
  mutating func restart(cost: [Double], upper: [Double], dual: [Float]) {
    self.cost = cost
    self.upper = upper
    for row in dual.indices { self.dual[row] = Double(dual[row]) }
    for column in primal.indices {
      primal[column] = min(max(primal[column], program.lower[column]), upper[column])
    }
    lastError = .infinity
    startAverage()
  }

  private mutating func startAverage() {
    restartPrimal = primal
    restartDual = dual
    for column in primalSum.indices { primalSum[column] = 0 }
    for row in dualSum.indices { dualSum[row] = 0 }
    sinceRestart = 0
  }

  /// The average of the iterates since the last restart.
  var averagePrimal: [Double] {
    sinceRestart == 0 ? primal : primalSum.map { $0 / Double(sinceRestart) }
  }

  /// The average of the iterates since the last restart.
  var averageDual: [Double] {
    sinceRestart == 0 ? dual : dualSum.map { $0 / Double(sinceRestart) }
  }

  /// Does `count` iterations.
  mutating func iterate(_ count: Int) {
    var point = primal
    let columnStep = primalStep.map { $0 / weight }
    // Copies, which nothing else holds.
    var (primal, primalSum, dual, dualSum) = (primal, primalSum, dual, dualSum)
    for _ in 0..<count {
      stepColumns(columnStep, dual, &primal, &primalSum, &point)
      stepRows(point, &dual, &dualSum)
    }
    (self.primal, self.primalSum, self.dual, self.dualSum) = (primal, primalSum, dual, dualSum)
    sinceRestart += count
  }

  /// Moves the primal point, `point` to where it comes if it moves on as far. Almost all of the time of a
  /// proof is spent here and in `stepRows`: indices are not checked.
  private func stepColumns(
    _ columnStep: [Double], _ dual: [Double], _ primal: inout [Double],
    _ primalSum: inout [Double], _ point: inout [Double]
  ) {
    let cost = cost.span
    let lower = program.lower.span
    let upper = upper.span
    let start = columnStart.span
    let rows = rows.span
    let entries = columnEntries.span
    let dual = dual.span
    let columnStep = columnStep.span
    var primal = primal.mutableSpan
    var primalSum = primalSum.mutableSpan
    var point = point.mutableSpan
    var slot = 0
    for column in cost.indices {
      var gradient = cost[unchecked: column]
      let end = Int(start[unchecked: column + 1])
      while slot < end {
        gradient += entries[unchecked: slot] * dual[unchecked: Int(rows[unchecked: slot])]
        slot &+= 1
      }
      let last = primal[unchecked: column]
      let moved = last - columnStep[unchecked: column] * gradient
      let next = min(max(moved, lower[unchecked: column]), upper[unchecked: column])
      point[unchecked: column] = 2 * next - last
      primal[unchecked: column] = next
      primalSum[unchecked: column] += next
    }
  }

  /// Moves the multipliers along the excess of the rows at `point`.
  private func stepRows(_ point: [Double], _ dual: inout [Double], _ dualSum: inout [Double]) {
    let start = program.rowStart.span
    let columns = program.columns.span
    let entries = program.entries.span
    let limit = program.limit.span
    let point = point.span
    let rowStep = dualStep.span
    var dual = dual.mutableSpan
    var dualSum = dualSum.mutableSpan
    var slot = 0
    for row in limit.indices {
      var excess = -limit[unchecked: row]
      let end = Int(start[unchecked: row + 1])
      while slot < end {
        excess += entries[unchecked: slot] * point[unchecked: Int(columns[unchecked: slot])]
        slot &+= 1
      }
      let next = max(0, dual[unchecked: row] + rowStep[unchecked: row] * weight * excess)
      dual[unchecked: row] = next
      dualSum[unchecked: row] += next
    }
  }

  /// Continues from the average if it has come much closer to the optimum than the last start.
  mutating func restartIfCloser() {
    guard sinceRestart > 0 else { return }
    let count = Double(sinceRestart)
    let averagePrimal = primalSum.map { $0 / count }
    let averageDual = dualSum.map { $0 / count }
    let errorOfAverage = error(averagePrimal, averageDual)
    let errorOfLast = error(primal, dual)
    let closer = min(errorOfAverage, errorOfLast)
    guard closer < 0.5 * lastError || sinceRestart > 2000 else { return }
    if errorOfAverage < errorOfLast {
      primal = averagePrimal
      dual = averageDual
    }
    let primalMove = distance(primal, restartPrimal)
    let dualMove = distance(dual, restartDual)
    if primalMove > 1e-12 && dualMove > 1e-12 {
      weight = (weight * (dualMove / primalMove)).squareRoot()
    }
    lastError = closer
    startAverage()
  }

  private func distance(_ one: [Double], _ other: [Double]) -> Double {
    var sum = 0.0
    for index in one.indices { sum += (one[index] - other[index]) * (one[index] - other[index]) }
    return sum.squareRoot()
  }

  /// How far a pair is from the optimum: excess of rows, and the gap between the two objectives.
  private func error(_ primal: [Double], _ dual: [Double]) -> Double {
    var excessSquares = 0.0
    var dualValue = 0.0
    for row in dual.indices {
      var excess = -program.limit[row]
      for slot in Int(program.rowStart[row])..<Int(program.rowStart[row + 1]) {
        excess += program.entries[slot] * primal[Int(program.columns[slot])]
      }
      if excess > 0 { excessSquares += excess * excess }
      dualValue -= dual[row] * program.limit[row]
    }
    var primalValue = 0.0
    for column in primal.indices {
      var gradient = cost[column]
      for slot in Int(columnStart[column])..<Int(columnStart[column + 1]) {
        gradient += columnEntries[slot] * dual[Int(rows[slot])]
      }
      dualValue += min(gradient * program.lower[column], gradient * upper[column])
      primalValue += cost[column] * primal[column]
    }
    let gap = abs(primalValue - dualValue)
    return (weight * weight * excessSquares + gap * gap).squareRoot()
  }
}
