// The strategy `lowersets`: dynamic programming over sets of forward nodes closed under inputs.
//
// Problem     A growing sequence of lower sets L₁ ⊂ L₂ ⊂ … ⊂ all. What is made in Lᵢ and read outside it is
//             saved; the rest of Lᵢ \ Lᵢ₋₁ is recomputed when its backward part comes.
// Method      Lower sets are the ancestors of each forward node, and everything; at most `setsMax` of them,
//             spread over their sizes. Step i → j costs the run of what is not saved and needs, beside
//             what was saved before, twice its own bytes, the bytes of what reads Lⱼ, and of what
//             else those readers read. For each memory of a ladder, each set keeps the pairs of saved
//             bytes and cost that no other pair beats.
// Cost        O(sets · (nodes + reads + sets · nodes / 64) + rungs · sets² · pairs); 64 sets, 16 pairs, 24
//             rungs, and fewer for large graphs.
// Source      Kusumoto, Inoue, Watanabe, Akiba, Koyama, "A Graph Theoretic Framework of Recomputation
//             Algorithms for Memory-Efficient Backpropagation", NeurIPS 2019, arXiv:1905.11722; the
//             approximate family of sets.

/// The dynamic program over lower sets of the forward part.
struct LowerSetProgram {
  /// One way to reach a lower set.
  private struct State {
    var savedBytes: Int
    var cost: Double
    /// The set before, and the index of its state.
    var previous: Int
    var previousState: Int
  }
  /// Going from one set to a larger one.
  private struct Step {
    var savedBytes: Int
    var cost: Double
    var neededBytes: Int
  }

  /// Per set, whether a forward node is in it; the sets grow in size, the last has all nodes.
  let sets: [[Bool]]
  private let statesMax = 16
  /// Steps from set i (−1: nothing) to set j at `j · (sets + 1) + i + 1`; nil where i is not inside j.
  private var steps: [Step?]

  /// Prices the steps between the sets of a graph.
  init(_ graph: RematGraph, turn: Int, setsMax: Int) {
    sets = Self.ancestorSets(graph, turn: turn, countMax: setsMax)
    let count = sets.count
    steps = [Step?](repeating: nil, count: count * (count + 1))
    let readsByNode = (0..<graph.valueCount).map { value in
      graph.users[graph.userRange(of: value)].prefix { Int($0) <= turn }
    }
    for (index, set) in sets.enumerated() {
      // Per node of the set: bytes, bytes that are read outside it, whether all is saved.
      let width = turn + 1
      var savedBytes = [Int](repeating: 0, count: width)
      var cost = [Double](repeating: 0, count: width)
      var readerBytes = 0
      var besideBytes = 0
      var isReader = [Bool](repeating: false, count: width)
      for node in 0...turn where set[node] {
        var isRecomputed = false
        for value in graph.outputs(of: node) {
          let outside = readsByNode[value].filter { !set[Int($0)] }
          if outside.isEmpty {
            isRecomputed = true
          } else {
            savedBytes[node] += graph.valueBytes[value]
          }
          for reader in outside where !isReader[Int(reader)] {
            isReader[Int(reader)] = true
            readerBytes += graph.outputBytes[Int(reader)]
          }
        }
        if isRecomputed, index + 1 < count { cost[node] = graph.cost[node] }
      }
      var isBeside = [Bool](repeating: false, count: width)
      for reader in 0...turn where isReader[reader] {
        for slot in graph.inputRange(of: reader) {
          let node = Int(graph.valueNode[Int(graph.inputValues[slot])])
          if !set[node], !isBeside[node] {
            isBeside[node] = true
            besideBytes += graph.outputBytes[node]
          }
        }
      }
      for before in -1..<index {
        var step = Step(savedBytes: 0, cost: 0, neededBytes: readerBytes + besideBytes)
        var isInside = true
        for node in 0...turn {
          if before >= 0, sets[before][node] {
            if !set[node] {
              isInside = false
              break
            }
          } else if set[node] {
            step.savedBytes += savedBytes[node]
            step.cost += cost[node]
            step.neededBytes += 2 * graph.outputBytes[node]
          }
        }
        if isInside { steps[index * (count + 1) + before + 1] = step }
      }
    }
  }

  /// The ancestors of every forward node, itself among them, thinned, and everything.
  private static func ancestorSets(_ graph: RematGraph, turn: Int, countMax: Int) -> [[Bool]] {
    // Nodes spread over the order give sets spread over the sizes.
    let count = min(turn + 1, countMax)
    var sets: [[Bool]] = []
    for index in 1...count {
      let top = index * (turn + 1) / count - 1
      var set = [Bool](repeating: false, count: turn + 1)
      set[top] = true
      for node in stride(from: top, through: 0, by: -1) where set[node] {
        for slot in graph.inputRange(of: node) {
          set[Int(graph.valueNode[Int(graph.inputValues[slot])])] = true
        }
      }
      sets.append(set)
    }
    sets.append([Bool](repeating: true, count: turn + 1))
    let sizes = sets.map { $0.count { $0 } }
    let order = sets.indices.sorted { (sizes[$0], $0) < (sizes[$1], $1) }
    var distinct: [[Bool]] = []
    for index in order where distinct.last != sets[index] { distinct.append(sets[index]) }
    return distinct
  }

  /// The cheapest sequence of sets within a number of bytes, smallest set first; nil if there is none.
  func path(bytes: Int) -> [Int]? {
    var states = [[State]](repeating: [], count: sets.count)
    let start = State(savedBytes: 0, cost: 0, previous: -1, previousState: -1)
    for index in sets.indices {
      var found: [State] = []
      for before in -1..<index {
        guard let step = steps[index * (sets.count + 1) + before + 1], step.neededBytes <= bytes
        else { continue }
        let sources = before < 0 ? [start] : states[before]
        for (place, source) in sources.enumerated() {
          // Sources are sorted: all further ones hold more.
          if source.savedBytes + step.neededBytes > bytes { break }
          Self.insert(
            State(
              savedBytes: source.savedBytes + step.savedBytes, cost: source.cost + step.cost,
              previous: before, previousState: place), into: &found)
        }
      }
      states[index] = thinned(found)
    }
    guard let last = states.last, !last.isEmpty else { return nil }
    var path: [Int] = []
    var place = (set: sets.count - 1, state: last.indices.min { last[$0].cost < last[$1].cost }!)
    while place.set >= 0 {
      path.append(place.set)
      let state = states[place.set][place.state]
      place = (state.previous, state.previousState)
    }
    return path.reversed()
  }

  /// Adds a state unless another is as good; bytes grow and costs fall along `states`.
  private static func insert(_ state: State, into states: inout [State]) {
    var place = states.count
    while place > 0, states[place - 1].savedBytes > state.savedBytes { place -= 1 }
    if place > 0, states[place - 1].cost <= state.cost { return }
    let start = place > 0 && states[place - 1].savedBytes == state.savedBytes ? place - 1 : place
    var end = place
    while end < states.count, states[end].cost >= state.cost { end += 1 }
    states.replaceSubrange(start..<end, with: CollectionOfOne(state))
  }

  /// At most `statesMax` of the states, the first and the last among them.
  private func thinned(_ states: [State]) -> [State] {
    guard states.count > statesMax else { return states }
    return (0..<statesMax).map { states[$0 * (states.count - 1) / (statesMax - 1)] }
  }
}

extension RematGraph {
  /// The plans of the program over lower sets for a ladder of memories.
  func lowerSetSequences() -> [[Int32]] {
    guard nodeCount > 0 else { return [] }
    let turn = turningPosition
    let rungs = rungCount(24)
    let program = LowerSetProgram(self, turn: turn, setsMax: rungCount(64))
    // One set keeps everything, whatever the method says it needs.
    var sequences = [keepAllSequence()]
    var known: [[Int]] = []
    // What the method counts, gradients and two copies, may be up to twice what keeping all needs.
    let most = 2 * outputBytes[0...turn].reduce(0, +) + 1
    for rung in 1...rungs {
      let bytes = Int(Double(most) * Double(rung) / Double(rungs))
      guard let path = program.path(bytes: bytes), !known.contains(path) else { continue }
      known.append(path)
      // The first set of the path that has a node.
      var part = [Int](repeating: path.count - 1, count: turn + 1)
      for (index, set) in path.enumerated().reversed() {
        for node in 0...turn where program.sets[set][node] { part[node] = index }
      }
      let isSaved = (0..<valueCount).map { value in
        let node = Int(valueNode[value])
        if node > turn || part[node] == path.count - 1 { return true }
        return users[userRange(of: value)].contains {
          Int($0) <= turn && part[Int($0)] > part[node]
        }
      }
      sequences.append(sequence(saving: isSaved, turn: turn))
    }
    return sequences
  }
}
