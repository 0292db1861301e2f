// What a contraction does with its sums before it stores anything.
//
// Problem     Elementwise ops after a product read from memory what the product has just held in
//             registers. Done tile by tile, on sums that are in the nearest cache, they cost no memory
//             traffic but for the operands that they add, and the product itself need not be stored.
// Form        Statements for one element, as in a kernel of loops. Scalar 0 is the sum, rounded to the
//             dtype of the product. An index is a place plus a constant: variable 0 is the place of
//             the element in row-major order, the others are places that move by strides of their
//             own along the dimensions, as those of a bias do.
// Loops       The loops of a contraction follow the dimensions: `Contraction.Part.follow` finds for
//             each how far it moves every place.

/// The elementwise ops on the sums of a contraction.
struct Epilogue: Hashable, Sendable {
  /// The scalar that holds the sum.
  static let sum = 0

  /// The shape whose elements the ops are applied to; the product has as many elements in the same
  /// order.
  var shape: [Int]
  /// For places 1, 2, …: the strides along the dimensions of the shape.
  var places: [[Int]]
  /// Definitions of scalars and stores.
  var statements: [Statement]
  /// A buffer of the dtype of the sums that is written at the place of the element and read nowhere,
  /// even where results take the place of operands: sums of several blocks of the depth may wait in it.
  var totals: Int?
}

extension Contraction.Part {
  /// Gives the loops their strides along the places of an epilogue.
  ///
  /// - Returns: Whether every loop, or the loops it can be cut into, stays within one dimension of the
  ///   shape of the epilogue.
  mutating func follow(_ epilogue: Epilogue) -> Bool {
    extraBases = Array(repeating: 0, count: epilogue.places.count)
    for kind in [\Contraction.Part.groups, \Contraction.Part.rows, \Contraction.Part.columns] {
      var followed: [Loop] = []
      for loop in self[keyPath: kind] {
        guard let pieces = pieces(of: loop, epilogue) else { return false }
        followed += pieces
      }
      self[keyPath: kind] = followed
    }
    return true
  }

  /// A loop over elements of the result as loops over the dimensions of an epilogue, outermost first;
  /// nil where it is none.
  private func pieces(of loop: Loop, _ epilogue: Epilogue) -> [Loop]? {
    var pieces: [Loop] = []
    var rest = loop
    let strides = TensorType(.f32, epilogue.shape).strides
    while rest.extent > 1 {
      let dim = epilogue.shape.indices.last {
        epilogue.shape[$0] > 1 && strides[$0] <= rest.out
          && rest.out < strides[$0] * epilogue.shape[$0]
      }
      guard let dim, rest.out % strides[dim] == 0 else { return nil }
      let step = rest.out / strides[dim]
      // As far as the dimension goes; what is left continues in the next one outwards.
      var extent = rest.extent
      if (extent - 1) * step >= epilogue.shape[dim] {
        guard epilogue.shape[dim] % step == 0 else { return nil }
        extent = epilogue.shape[dim] / step
        guard rest.extent % extent == 0 else { return nil }
      }
      var piece = rest
      piece.extent = extent
      piece.extras = epilogue.places.map { $0[dim] * step }
      pieces.insert(piece, at: 0)
      rest.extent /= extent
      rest.first *= extent
      rest.second *= extent
      rest.out *= extent
      rest.steps = rest.steps.map { $0 * extent }
    }
    if pieces.isEmpty {
      rest.extras = Array(repeating: 0, count: epilogue.places.count)
      pieces = [rest]
    }
    return pieces
  }

  /// The rows as the places of results and of operands of the epilogue see them.
  var resultRows: [Loop] { seenByResult(rows) }
  /// The columns as the same places see them.
  var resultColumns: [Loop] { seenByResult(columns) }

  private func seenByResult(_ loops: [Loop]) -> [Loop] {
    merged(loops.map { Loop(extent: $0.extent, out: $0.out, extras: $0.extras) })
  }

  /// Whether the result could hold sums while they are added up: neighbours along the columns, rows one
  /// stride apart.
  var isInPlaceForSums: Bool {
    (resultColumns.last?.out ?? 1) == 1 && resultColumns.count <= 1 && resultRows.count <= 1
  }
}
