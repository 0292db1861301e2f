// What a set of multipliers proves about a staged relaxation.
//
// Method      The bytes at a moment get a price, and so does every input of a run. With these prices
//             the values are independent of each other: each is resident or not from stage to stage,
//             and its cheapest way is found backwards in two states. Whatever the prices are, the sum
//             over the values less what the budget is worth is a lower bound.
// Outputs     A run of a node with several outputs makes them all: its cost and prices are shared
//             out among them, by shares that are multipliers too.
// Cost        O(runs × inputs + residences).

/// Prices for a staged relaxation.
struct StagedMultipliers: Sendable, Equatable {
  /// Price of a byte at each moment.
  var bytePrice: [Double]
  /// Per run and input: what the run pays for the input, in the order of `StagedDual.runSlot`.
  var inputPrice: [Double]
  /// Per run and output: weight of the output in sharing out the price of the run, for nodes with
  /// several outputs; 0 for all others.
  var outputWeight: [Double]
}

/// The least extra cost from a stage on, per value and state.
struct StagedDual {
  var relaxation: StagedRelaxation
  /// Per node: place of its first run in `inputPrice`, and in `outputWeight`.
  let inputSlotStart: [Int]
  let outputSlotStart: [Int]
  /// Per value: place of its first stage in the tables below.
  let stageStart: [Int]
  /// Least cost from the start of a stage with the value absent, resident.
  private(set) var absentCost: [Double]
  private(set) var residentCost: [Double]
  /// Per moment: what the bytes left at this and all later moments are worth.
  private(set) var budgetWorth: [Double] = []

  init(_ relaxation: StagedRelaxation) {
    self.relaxation = relaxation
    let graph = relaxation.graph
    var inputs = 0
    var outputs = 0
    var inputSlotStart: [Int] = []
    var outputSlotStart: [Int] = []
    inputSlotStart.reserveCapacity(graph.nodeCount + 1)
    outputSlotStart.reserveCapacity(graph.nodeCount + 1)
    for node in 0..<graph.nodeCount {
      inputSlotStart.append(inputs)
      outputSlotStart.append(outputs)
      inputs += relaxation.runStages[node].count * graph.inputRange(of: node).count
      outputs += relaxation.runStages[node].count * graph.outputs(of: node).count
    }
    inputSlotStart.append(inputs)
    outputSlotStart.append(outputs)
    self.inputSlotStart = inputSlotStart
    self.outputSlotStart = outputSlotStart
    var stages = 0
    var stageStart: [Int] = []
    for value in 0..<graph.valueCount {
      stageStart.append(stages)
      stages += relaxation.residentStages[value].count
    }
    self.stageStart = stageStart
    absentCost = [Double](repeating: 0, count: stages)
    residentCost = [Double](repeating: 0, count: stages)
  }

  /// Multipliers that are all zero.
  var zero: StagedMultipliers {
    StagedMultipliers(
      bytePrice: [Double](repeating: 0, count: relaxation.moments.count),
      inputPrice: [Double](repeating: 0, count: inputSlotStart.last ?? 0),
      outputWeight: [Double](repeating: 0, count: outputSlotStart.last ?? 0))
  }

  /// Place in `inputPrice` of the first input of the run of `node` in `stage`.
  func inputSlot(of node: Int, in stage: Int) -> Int {
    inputSlotStart[node]
      + (stage - Int(relaxation.runStages[node].lowerBound))
      * relaxation.graph.inputRange(of: node).count
  }

  /// Place in `outputWeight` of the first output of the run of `node` in `stage`.
  func outputSlot(of node: Int, in stage: Int) -> Int {
    outputSlotStart[node]
      + (stage - Int(relaxation.runStages[node].lowerBound))
      * relaxation.graph.outputs(of: node).count
  }

  /// The least extra cost that `multipliers` prove; fills the tables.
  mutating func evaluate(_ multipliers: StagedMultipliers) -> Double {
    let graph = relaxation.graph
    var total = 0.0
    var magnitude = 0.0
    // What the runs that read a value pay for it, per stage, and whether one of them has to run.
    var worth = [Double](repeating: 0, count: absentCost.count)
    var isRead = [Bool](repeating: false, count: absentCost.count)
    var runCost: [Double] = []
    runCost.reserveCapacity(outputSlotStart.last ?? 0)
    for node in 0..<graph.nodeCount {
      let inputs = graph.inputRange(of: node)
      let outputs = graph.outputs(of: node)
      var slot = inputSlotStart[node]
      for stage32 in relaxation.runStages[node] {
        let stage = Int(stage32)
        let isMandatory = relaxation.isMandatory(node, in: stage)
        var price = relaxation.cost(of: node, in: stage)
        for input in inputs {
          let value = Int(graph.inputValues[input])
          let place = stageStart[value] + stage - Int(relaxation.residentStages[value].lowerBound)
          if isMandatory {
            isRead[place] = true
          } else if price < .infinity {
            price += multipliers.inputPrice[slot]
            worth[place] += multipliers.inputPrice[slot]
          }
          slot += 1
        }
        if isMandatory { price = 0 }
        appendShares(of: price, outputs: outputs, multipliers, to: &runCost)
      }
    }
    for value in 0..<graph.valueCount {
      let start = startCost(of: value, worth, isRead, runCost, multipliers)
      total += start
      magnitude += abs(start)
    }
    budgetWorth = [Double](repeating: 0, count: relaxation.moments.count + 2)
    for moment in relaxation.moments.indices.reversed() {
      let bytes = relaxation.capacity(of: moment)
      budgetWorth[moment] = budgetWorth[moment + 1] + multipliers.bytePrice[moment] * Double(bytes)
      magnitude += multipliers.bytePrice[moment] * Double(abs(bytes))
    }
    return relaxation.paidCost + total - budgetWorth[0] - magnitude * Self.rounding
  }

  /// More than all that rounding can add to a bound, relative to what was added up.
  static let rounding = 1e-13

  private func appendShares(
    of price: Double, outputs: Range<Int>, _ multipliers: StagedMultipliers,
    to runCost: inout [Double]
  ) {
    let place = runCost.count
    if outputs.count == 1 || price == .infinity {
      for _ in outputs { runCost.append(price) }
      return
    }
    var weight = 0.0
    for output in 0..<outputs.count { weight += multipliers.outputWeight[place + output] }
    for output in 0..<outputs.count {
      let part =
        weight > 0
        ? multipliers.outputWeight[place + output] / weight : 1 / Double(outputs.count)
      runCost.append(price * part)
    }
  }

  /// Fills the tables of one value, from its last stage to its first.
  private mutating func startCost(
    of value: Int, _ worth: [Double], _ isRead: [Bool], _ runCost: [Double],
    _ multipliers: StagedMultipliers
  ) -> Double {
    let graph = relaxation.graph
    let stages = relaxation.residentStages[value]
    if stages.isEmpty { return 0 }
    let node = Int(graph.valueNode[value])
    let runStages = relaxation.runStages[node]
    let output = value - Int(graph.outputStart[node])
    var absent = 0.0
    var resident = 0.0
    for stage32 in stages.reversed() {
      let stage = Int(stage32)
      let place = stageStart[value] + Int(stage32 - stages.lowerBound)
      var isNeeded = false
      var price = 0.0
      if stage < relaxation.moments.count {
        price = multipliers.bytePrice[stage] * Double(graph.valueBytes[value])
        isNeeded = isInput(value, of: relaxation.moments[stage])
      } else {
        isNeeded = graph.isKept[value]
      }
      let isRequired = isNeeded || isRead[place]
      let hold = resident + price
      let available = (isNeeded ? hold : min(hold, absent)) - worth[place]
      var made = Double.infinity
      if runStages.contains(stage32) {
        made = available
        if !relaxation.isMandatory(node, in: stage) {
          made += runCost[outputSlot(of: node, in: stage) + output]
        }
      }
      absent = isRequired || relaxation.isMandatory(node, in: stage) ? made : min(made, absent)
      resident = available
      absentCost[place] = absent
      residentCost[place] = resident
    }
    return relaxation.isFresh(value, in: Int(stages.lowerBound)) ? resident : absent
  }

  private func isInput(_ value: Int, of node: Int) -> Bool {
    let graph = relaxation.graph
    for slot in graph.inputRange(of: node) where Int(graph.inputValues[slot]) == value {
      return true
    }
    return false
  }
}
