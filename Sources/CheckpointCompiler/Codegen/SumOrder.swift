// In which order a part of a contraction adds up its sums.
//
// Problem     An epilogue cuts the loops of a contraction. Cut loops may be sorted otherwise, take another
//             form, or be packed from another side: then the same sum would be rounded otherwise, and a
//             kernel with the epilogue would not have the bits of one without.
// Method      What a sum's order depends on is one value, which is compared.

/// What the order of every sum of a part depends on. Parts of the same order have the same bits.
struct SumOrder: Sendable, Hashable {
  /// How a sum is added up.
  enum Form: Sendable, Hashable { case lanes, dots, packed, depthwise }

  var form: Form
  /// The loops that are summed over.
  var depth: [Contraction.Loop]
  /// How they are cut: into slices and blocks, or into sweeps.
  var cuts: [Int]
}

extension Contraction.Part {
  /// The order of the sums of this part, for any number of threads.
  func sumOrder(_ dtypes: Contraction.DTypes) -> SumOrder {
    var order = SumOrder(form: .lanes, depth: depth, cuts: [])
    // The places of the epilogue do not move along the depth.
    for index in depth.indices { order.depth[index].extras = [] }
    switch form(dtypes, .cpu(threadsMax: 1)) {
    case .lanes: break
    case .dots: order.form = .dots
    case .packed(let blocking):
      order.form = .packed
      order.cuts = [blocking.sliceDepth, blocking.depth]
    case .depthwise(let form):
      order.form = .depthwise
      order.cuts = form.sweeps?.order ?? []
    }
    return order
  }
}
