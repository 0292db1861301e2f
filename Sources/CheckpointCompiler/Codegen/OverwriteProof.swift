// Whether two buffers of a kernel may be one: an operand, and a result written over it.
//
// Problem     A kernel is lowered with operand and result apart. If they share their memory, a store
//             to the result destroys an element of the operand: every load of that element must
//             have come before it.
// Method      All pairs of a load of the operand and a store to the result. In one iteration of the
//             loops that both stand in, the load must come first in the text, or stand in the stored
//             expression. That suffices where nothing else can meet: where they share no loop, or
//             where both are at one and the same place, and that place is different in every
//             iteration of the loops they share.
// Injective   A place is a sum of variables times factors. It tells all values of its variables
//             apart if every factor exceeds what all smaller ones reach, as in a number system.
// Threads     An iteration of a shared loop runs on one thread, and a loop on threads ends before the
//             next statement begins; so the order of the text is the order of the run.
// Cost        O(statements + loads · stores).

/// The proof for one operand and one result of a kernel.
struct OverwriteProof {
  /// A loop around an access.
  private struct Loop {
    /// Tells this loop from all others of the kernel.
    var number = 0
    /// Its variable.
    var variable: Int
    /// How many values the variable takes, in all iterations of the loops around it together.
    var extent: Int
    /// How far apart its values are.
    var step = 1
    /// The variable of the blocks that the variable also tells, if it runs over the lanes of a block.
    var block: Int?
  }

  /// One load or store.
  private struct Access {
    var index: Index
    var loops: [Loop]
    /// Its place in the text.
    var position: Int
  }

  private let operand: Int
  private let result: Int
  private var loads: [Access] = []
  private var stores: [Access] = []
  private var loops: [Loop] = []
  private var loopCount = 0
  private var position = 0

  /// Whether buffer `result` of a kernel of loops may lie where buffer `operand` lies, both lowered
  /// as buffers of their own.
  static func holds(for statements: [Statement], operand: Int, result: Int) -> Bool {
    var proof = OverwriteProof(operand: operand, result: result)
    proof.visit(statements)
    return proof.stores.allSatisfy { store in
      proof.loads.allSatisfy { OverwriteProof.comesFirst($0, before: store) }
    }
  }

  /// Whether buffer `result` of a contraction may lie where buffer `operand` lies.
  ///
  /// Every element is finished once, by one thread, in the order of the statements. So an operand of
  /// the epilogue may be overwritten if each of its loads is at the place of the store and comes before
  /// it. The factors, or what they are made of, are read for all elements of a tile; and where sums wait
  /// in the result, it is written before anything is read.
  static func holds(for contraction: Contraction, operand: Int, result: Int) -> Bool {
    guard operand >= contraction.factorBufferCount, let epilogue = contraction.epilogue,
      epilogue.totals != result
    else { return false }
    var proof = OverwriteProof(operand: operand, result: result)
    proof.visit(epilogue.statements)
    return proof.stores.allSatisfy { store in
      proof.loads.allSatisfy { $0.index == store.index && $0.position <= store.position }
        && (store.index == Index.variable(0) || epilogue.shape.reduce(1, *) == 1)
    }
  }

  private init(operand: Int, result: Int) {
    self.operand = operand
    self.result = result
  }

  // MARK: Accesses

  private mutating func visit(_ statements: [Statement]) {
    for statement in statements {
      position += 1
      switch statement {
      case .define(_, _, let expression), .definePlace(_, let expression, _),
        .defineRow(_, _, _, let expression), .assignLane(_, _, let expression):
        visit(expression)
      case .defineScratchRow: break
      case .store(let buffer, let index, _, let expression):
        visit(expression)
        if buffer == result {
          stores.append(Access(index: index, loops: loops, position: position))
        }
      case .loop(let variable, let extent, _, let body):
        visit(body, in: Loop(variable: variable, extent: extent))
      case .blocks(let variable, let width, let extent, _, let body):
        visit(
          body, in: Loop(variable: variable, extent: width < extent ? extent : 1, step: width))
      case .lanes(let variable, _, let block, let most, let total, let body):
        visit(
          body, in: Loop(variable: variable, extent: total, block: self.start(block, of: most)))
      case .part(let variable, let step, let start, let most, let total, let body):
        visit(
          body,
          in: Loop(
            variable: variable, extent: total, step: step, block: self.start(start, of: most)))
      case .when(_, let body):
        visit(body)
      case .randomWords(_, let key, _, _, _, _, _):
        visitKey(key)
      }
    }
  }

  /// A variable if it is that of blocks that are as long as the loop inside them: then no iteration
  /// reaches into the next block.
  private func start(_ variable: Int, of most: Int) -> Int? {
    loops.last { $0.variable == variable }.flatMap { $0.step >= most ? variable : nil }
  }

  private mutating func visit(_ body: [Statement], in loop: Loop) {
    loops.append(loop)
    loops[loops.count - 1].number = loopCount
    loopCount += 1
    visit(body)
    loops.removeLast()
  }

  private mutating func visit(_ expression: Expression) {
    switch expression {
    case .local, .lane, .constant, .neutral, .number: break
    case .load(let buffer, let index):
      if buffer == operand {
        loads.append(Access(index: index, loops: loops, position: position))
      }
    case .apply(_, _, _, let operands, _): for operand in operands { visit(operand) }
    case .combine(_, _, let a, let b), .choose(_, let a, let b):
      visit(a)
      visit(b)
    case .randomWord(let key, _, _): visitKey(key)
    case .uniform(let word, _): visit(word)
    }
  }

  /// A key is read as a whole wherever a word is made.
  private mutating func visitKey(_ key: Int) {
    guard key == operand else { return }
    for word in 0...1 {
      loads.append(Access(index: Index(word), loops: loops, position: position))
    }
  }

  // MARK: Order

  /// Whether a load is always done before a store to the same element.
  private static func comesFirst(_ load: Access, before store: Access) -> Bool {
    guard load.position <= store.position else { return false }
    let shared = zip(load.loops, store.loops).prefix { $0.number == $1.number }.map(\.0)
      .filter { $0.extent > 1 }
    if shared.isEmpty { return true }
    guard load.index == store.index,
      let told = variablesTold(by: load.index, load.loops, store.loops)
    else { return false }
    return shared.allSatisfy { told.contains($0.variable) }
  }

  /// The loop variables whose values follow from a place; nil where two iterations may share it.
  private static func variablesTold(
    by index: Index, _ loads: [Loop], _ stores: [Loop]
  ) -> Set<Int>? {
    var told: Set<Int> = []
    var digits: [(factor: Int, extent: Int)] = []
    for term in index.terms {
      guard case .variable(let variable) = term.atom, term.factor > 0,
        let load = loads.last(where: { $0.variable == variable }),
        let store = stores.last(where: { $0.variable == variable }), load.extent == store.extent
      else { return nil }
      digits.append((term.factor, load.extent))
      told.insert(variable)
      // Lanes of blocks: the variable is the start of the block and the lane within it; the block
      // may lie in a part in turn.
      var (inner, other): (Loop?, Loop?) = (load, store)
      while let block = inner?.block, block == other?.block {
        told.insert(block)
        inner = loads.last { $0.variable == block }
        other = stores.last { $0.variable == block }
      }
    }
    digits.sort { $0.factor < $1.factor }
    var reach = 0
    for digit in digits where digit.extent > 1 {
      guard digit.factor > reach else { return nil }
      reach += digit.factor * (digit.extent - 1)
    }
    return told
  }
}
