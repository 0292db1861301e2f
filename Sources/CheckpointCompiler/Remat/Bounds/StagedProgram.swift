// A staged relaxation as a linear program, and prices from its multipliers.
//
// Rows        Bytes at a moment; a residence needs the value available; a run needs its inputs
//             available. Bytes are divided by the capacity of the moment, costs by their sum.

/// The linear program of a staged relaxation.
struct StagedProgram {
  private(set) var program = LinearProgram()
  private let dual: StagedDual
  private let costScale: Double
  /// Per moment, its row, or -1, and what its bytes were divided by.
  private var memoryRow: [Int]
  private var byteScale: [Double]
  /// Per slot of the prices of inputs and weights of outputs: the row, or -1.
  private var inputRow: [Int32]
  /// Per value and stage: the row that makes a residence need the value available.
  private var holdRow: [Int32]
  private var runVariable: [Int32] = []
  private var runStart: [Int] = []
  private var residentVariable: [Int32] = []

  init(_ dual: StagedDual) {
    self.dual = dual
    let relaxation = dual.relaxation
    let graph = relaxation.graph
    costScale = max(1e-300, graph.cost.reduce(0, +))
    memoryRow = [Int](repeating: -1, count: relaxation.moments.count)
    byteScale = [Double](repeating: 1, count: relaxation.moments.count)
    inputRow = [Int32](repeating: -1, count: dual.zero.inputPrice.count)
    holdRow = [Int32](repeating: -1, count: dual.absentCost.count)
    residentVariable = [Int32](repeating: -1, count: dual.absentCost.count)
    for node in 0..<graph.nodeCount {
      runStart.append(runVariable.count)
      for stage in relaxation.runStages[node] {
        let isMandatory = relaxation.isMandatory(node, in: Int(stage))
        runVariable.append(
          Int32(
            program.addVariable(
              cost: relaxation.cost(of: node, in: Int(stage)) / costScale,
              lower: isMandatory ? 1 : 0)))
      }
    }
    var isInput = [Int32](repeating: -1, count: graph.valueCount)
    for (moment, node) in relaxation.moments.enumerated() {
      for slot in graph.inputRange(of: node) {
        // The values of a moment's inputs: its residence there is no choice.
        let value = Int(graph.inputValues[slot])
        isInput[value] = Int32(moment)
        let stages = relaxation.residentStages[value]
        if stages.contains(Int32(moment)) {
          residentVariable[dual.stageStart[value] + moment - Int(stages.lowerBound)] = -2
        }
      }
    }
    for value in 0..<graph.valueCount {
      for (offset, stage) in relaxation.residentStages[value].enumerated() {
        let place = dual.stageStart[value] + offset
        let isNeeded =
          residentVariable[place] == -2
          || (Int(stage) == relaxation.moments.count && graph.isKept[value])
        residentVariable[place] = Int32(program.addVariable(cost: 0, lower: isNeeded ? 1 : 0))
      }
    }
    addMemoryRows()
    addHoldRows()
    addInputRows()
  }

  private mutating func addMemoryRows() {
    let relaxation = dual.relaxation
    var members = [[(variable: Int32, bytes: Int)]](
      repeating: [], count: relaxation.moments.count)
    for value in 0..<relaxation.graph.valueCount {
      for (offset, stage) in relaxation.residentStages[value].enumerated()
      where Int(stage) < relaxation.moments.count && relaxation.graph.valueBytes[value] > 0 {
        members[Int(stage)].append(
          (residentVariable[dual.stageStart[value] + offset], relaxation.graph.valueBytes[value]))
      }
    }
    for moment in relaxation.moments.indices {
      let capacity = relaxation.capacity(of: moment)
      if members[moment].reduce(0, { $0 + $1.bytes }) <= capacity { continue }
      byteScale[moment] = Double(max(1, members[moment].map(\.bytes).max() ?? 1))
      for member in members[moment] {
        program.addTerm(Int(member.variable), Double(member.bytes) / byteScale[moment])
      }
      memoryRow[moment] = program.endRow(limit: Double(capacity) / byteScale[moment])
    }
  }

  /// Adds the terms of what makes `value` available in `stage`; returns the constant among them.
  private mutating func addAvailability(of value: Int, in stage: Int) -> Double {
    let relaxation = dual.relaxation
    let node = Int(relaxation.graph.valueNode[value])
    let stages = relaxation.residentStages[value]
    if relaxation.runStages[node].contains(Int32(stage)) {
      let run = runStart[node] + stage - Int(relaxation.runStages[node].lowerBound)
      program.addTerm(Int(runVariable[run]), -1)
    }
    if stages.contains(Int32(stage) - 1) {
      let place = dual.stageStart[value] + stage - 1 - Int(stages.lowerBound)
      program.addTerm(Int(residentVariable[place]), -1)
    }
    return relaxation.isFresh(value, in: stage) ? 1 : 0
  }

  private mutating func addHoldRows() {
    let relaxation = dual.relaxation
    for value in 0..<relaxation.graph.valueCount {
      for (offset, stage) in relaxation.residentStages[value].enumerated() {
        if relaxation.isFresh(value, in: Int(stage)) { continue }
        let place = dual.stageStart[value] + offset
        program.addTerm(Int(residentVariable[place]), 1)
        _ = addAvailability(of: value, in: Int(stage))
        holdRow[place] = Int32(program.endRow(limit: 0))
      }
    }
  }

  private mutating func addInputRows() {
    let relaxation = dual.relaxation
    let graph = relaxation.graph
    for node in 0..<graph.nodeCount {
      var slot = dual.inputSlotStart[node]
      for (offset, stage) in relaxation.runStages[node].enumerated() {
        for input in graph.inputRange(of: node) {
          let value = Int(graph.inputValues[input])
          if !relaxation.isFresh(value, in: Int(stage)) {
            program.addTerm(Int(runVariable[runStart[node] + offset]), 1)
            _ = addAvailability(of: value, in: Int(stage))
            inputRow[slot] = Int32(program.endRow(limit: 0))
          }
          slot += 1
        }
      }
    }
  }

  /// Costs and upper bounds of all variables under the decisions of `relaxation`.
  func bounds(under relaxation: StagedRelaxation) -> (cost: [Double], upper: [Double]) {
    var cost = program.cost
    var upper = program.upper
    for node in 0..<relaxation.graph.nodeCount {
      for (offset, stage) in relaxation.runStages[node].enumerated() {
        let variable = Int(runVariable[runStart[node] + offset])
        let runCost = relaxation.cost(of: node, in: Int(stage))
        cost[variable] = runCost == .infinity ? 0 : runCost / costScale
        upper[variable] = runCost == .infinity ? 0 : 1
      }
    }
    return (cost, upper)
  }

  /// How often each node runs again in a solution, fractions included.
  func reruns(_ primal: [Double]) -> [Double] {
    let relaxation = dual.relaxation
    return (0..<relaxation.graph.nodeCount).map { node in
      var sum = 0.0
      for (offset, stage) in relaxation.runStages[node].enumerated()
      where stage > relaxation.windowEnd[node] {
        sum += primal[Int(runVariable[runStart[node] + offset])]
      }
      return sum
    }
  }

  /// The prices that the multipliers of the rows stand for.
  func multipliers(_ rowMultipliers: [Double]) -> StagedMultipliers {
    let relaxation = dual.relaxation
    let graph = relaxation.graph
    var result = dual.zero
    for moment in relaxation.moments.indices where memoryRow[moment] >= 0 {
      result.bytePrice[moment] = rowMultipliers[memoryRow[moment]] * costScale / byteScale[moment]
    }
    for slot in inputRow.indices where inputRow[slot] >= 0 {
      result.inputPrice[slot] = rowMultipliers[Int(inputRow[slot])] * costScale
    }
    for node in 0..<graph.nodeCount where graph.outputs(of: node).count > 1 {
      addWeights(of: node, rowMultipliers, to: &result)
    }
    return result
  }

  /// The multipliers of the rows that stand for the given prices of bytes and no others.
  func rowMultipliers(_ bytePrice: [Double]) -> [Float] {
    var rows = [Float](repeating: 0, count: program.rowCount)
    for moment in bytePrice.indices where memoryRow[moment] >= 0 {
      rows[memoryRow[moment]] = Float(bytePrice[moment] * byteScale[moment] / costScale)
    }
    return rows
  }

  /// An output weighs what its readers and its residence pay.
  private func addWeights(
    of node: Int, _ rowMultipliers: [Double], to result: inout StagedMultipliers
  ) {
    let relaxation = dual.relaxation
    let graph = relaxation.graph
    for stage in relaxation.runStages[node] {
      let start = dual.outputSlot(of: node, in: Int(stage))
      for (output, value) in graph.outputs(of: node).enumerated() {
        let stages = relaxation.residentStages[value]
        guard stages.contains(stage) else { continue }
        let row = holdRow[dual.stageStart[value] + Int(stage - stages.lowerBound)]
        if row >= 0 { result.outputWeight[start + output] += rowMultipliers[Int(row)] * costScale }
        for user in graph.userRange(of: value) {
          let reader = Int(graph.users[user])
          guard relaxation.runStages[reader].contains(stage) else { continue }
          let slot = dual.inputSlot(of: reader, in: Int(stage))
          for (offset, input) in graph.inputRange(of: reader).enumerated()
          where Int(graph.inputValues[input]) == value {
            result.outputWeight[start + output] += result.inputPrice[slot + offset]
          }
        }
      }
    }
  }
}
