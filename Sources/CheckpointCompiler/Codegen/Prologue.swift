// What a contraction computes of what it reads before it multiplies.
//
// Problem     A factor that is cheap to compute from other values (an activation, a normalized value, a
//             cast) need not be in memory for the product: packing touches each of its elements anyway.
// Form        Statements for one element, as in an `Epilogue`. Operands are apart from them, so that they
//             can be gathered first: place 0 is that of the element in the factor, as if it were in memory;
//             the other places move by strides of their own along its dimensions, as those of a scale for
//             each channel do.
// Loops       The loops of the contraction count places in the factor that is not there. The other places
//             follow from that one by division: `digits` takes it apart.
// Invariants  The element has the bits that it would have in memory. What a window reads outside the factor
//             is zero, whatever the ops make of zero.

/// The elementwise ops on one factor of a contraction.
struct Prologue: Hashable, Sendable {
  /// Dimensions along which all places go on as in one: a digit of the place in the factor.
  struct Digit: Hashable, Sendable {
    var extent: Int
    /// How far a step moves the places 1, 2, ….
    var strides: [Int]
  }

  /// An operand of the ops: a buffer, a place in it, and a constant distance from there.
  struct Operand: Hashable, Sendable {
    var buffer: Int
    /// nil where all elements read the same.
    var place: Int?
    var offset: Int
  }

  /// The shape of the factor.
  var shape: [Int]
  /// For places 1, 2, …: the strides along the dimensions of the shape.
  var places: [[Int]]
  /// What is read for an element.
  var operands: [Operand]
  /// Definitions of scalars; lane `i0` of row n is operand n.
  var statements: [Statement]
  /// The element that follows from them.
  var element: Expression
  /// The buffers of what it is made of.
  var buffers: [Int]
  /// Operations per element.
  var flops: Double

  /// The digits of the place in the factor, the outermost first.
  var digits: [Digit] {
    var digits: [Digit] = []
    for dim in shape.indices.reversed() where shape[dim] > 1 {
      let strides = places.map { $0[dim] }
      if let inner = digits.first,
        zip(strides, inner.strides).allSatisfy({ $0 == $1 * inner.extent })
      {
        digits[0].extent *= shape[dim]
      } else {
        digits.insert(Digit(extent: shape[dim], strides: strides), at: 0)
      }
    }
    return digits.isEmpty ? [Digit(extent: 1, strides: places.map { _ in 0 })] : digits
  }

  /// What an element costs when it is packed, beside the copy, in cycles of a core that multiplies and
  /// adds 16 numbers of 4 bytes in one: operations stand in chains, and their operands are gathered.
  var cycles: Double { 0.5 + Double(operands.count) / 4 + flops / 4 }
}

extension Contraction {
  /// The elementwise ops on a factor; nil where it is in memory.
  func prologue(_ operand: Operand) -> Prologue? {
    operand == .first ? firstPrologue : secondPrologue
  }

  /// How many buffers of the kernel come before those of the epilogue and of results: one for each
  /// factor, and what else the prologues read.
  var factorBufferCount: Int {
    [firstPrologue, secondPrologue].reduce(2) { max($0, ($1?.buffers.max() ?? 0) + 1) }
  }
}

extension PackedSide {
  /// Whether a prologue computes neighbours along the depth, or else along the lanes.
  var computesAlongDepth: Bool {
    guard joinsDepths, joinsLanes else { return joinsDepths || !joinsLanes }
    return depthStep == 1 || laneStep != 1
  }

  /// The distance in the factor of the neighbours that a prologue computes.
  var computedStep: Int {
    guard let loop = computesAlongDepth ? depths.last : lanes.last else { return 1 }
    guard computesAlongDepth ? joinsDepths : joinsLanes, loop.extent > 1 else { return 1 }
    return computesAlongDepth ? depthStep : laneStep
  }

  /// The distance in the factor from one row of what a prologue computes at once to the next.
  var computedRowStep: Int {
    computesAlongDepth ? (joinsLanes ? laneStep : 0) : (joinsDepths ? depthStep : 0)
  }
}

extension Contraction {
  /// Whether prologues can run where their factors are packed: every part has panels, and neighbours
  /// in them ascend. Transforms of tiles read memory.
  func packsPrologues(_ target: Target) -> Bool {
    [Operand.first, .second].allSatisfy { operand in
      guard prologue(operand) != nil else { return true }
      guard winograd == nil else { return false }
      return parts.allSatisfy { part in
        guard case .packed = part.form(dtypes, target) else { return false }
        return PackedSide(part, operand).computedStep > 0
      }
    }
  }
}

extension Contraction {
  /// The operations of prologues beyond one for each element: a window packs an element for each of its
  /// taps, and blocks and tasks pack panels again.
  func repeatedPrologueFlops(_ target: Target) -> Double {
    [Operand.first, .second].reduce(0) { sum, operand in
      guard let prologue = prologue(operand) else { return sum }
      let packed = parts.reduce(0) { $0 + $1.packedElements(operand, dtypes, target) }
      let elements = prologue.shape.reduce(1) { $0 * Double($1) }
      return sum + prologue.flops * max(0, packed - elements)
    }
  }
}

extension Contraction.Part {
  /// How many elements of a factor are packed, over all groups, blocks and tasks.
  fileprivate func packedElements(
    _ operand: Contraction.Operand, _ dtypes: Contraction.DTypes, _ target: Target
  ) -> Double {
    guard case .packed(let blocking) = form(dtypes, target) else { return 0 }
    let isRows = operand == rowOperand
    let (lanes, other) = isRows ? (rowCount, columnCount) : (columnCount, rowCount)
    let block = isRows ? blocking.columns : blocking.rows
    let isShared = blocking.sharesRows == isRows
    let times = (other + block - 1) / block * (isShared ? 1 : blocking.chunks)
    return Double(groupCount) * Double(lanes) * Double(depthCount) * Double(times)
  }
}
