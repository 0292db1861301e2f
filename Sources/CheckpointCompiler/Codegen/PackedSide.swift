// One operand of a packed contraction, as the loops that pack it.
//
// Problem     A panel is `lanes` (rows or columns) by depths of an operand. What can be copied at once
//             decides the speed of packing, and which way the panel should lie.
// Method      Loops are merged as this operand sees them. The innermost loops of lanes and depths make
//             a block where what they move is linear: no gaps, and not the same axis of a window. Taps
//             of a window that continue the channels (taps along the last spatial axis of a tensor
//             whose channels are last) are one run with the channels, in which the window moves by one
//             position in `unit` elements.

/// The loops that pack one operand.
struct PackedSide: Sendable, Hashable {
  typealias Loop = Contraction.Loop

  var operand: Contraction.Operand
  var lanes: [Loop]
  var depths: [Loop]
  /// The axes of a window; none for the second operand.
  var axes: [Contraction.Axis]
  /// Whether the innermost loop of lanes, of depths, is copied at once.
  var joinsLanes: Bool
  var joinsDepths: Bool
  /// The distance of neighbours in memory, along joined lanes and depths.
  var laneStep: Int
  var depthStep: Int
  /// How many depths make one position of a window.
  var unit = 1

  /// How far a block reaches along the depth.
  var run: Int { joinsDepths ? depths.last!.extent : 1 }

  /// Whether memory is read along the depth.
  var isAlong: Bool { joinsDepths && depthStep == 1 && (run >= 8 || laneStep != 1) }

  /// Whether memory is read across the lanes, from depths that lie apart.
  var readsAcross: Bool {
    joinsLanes && laneStep == 1 && joinsDepths && depths.count == 1 && !isAlong
  }

  /// - Parameters:
  ///   - part: A part of a contraction.
  ///   - operand: One of its operands.
  init(_ part: Contraction.Part, _ operand: Contraction.Operand) {
    let apart = PackedSide(apart: part, operand)
    guard let taps = apart.tapsWithChannels else {
      self = apart
      return
    }
    let channels = apart.depths.last!.extent
    let joined = PackedSide(
      part, operand, Array(apart.depths.dropLast(2)) + [taps], unit: channels)
    self = joined.joinsDepths ? joined : apart
  }

  /// The same with taps and channels apart.
  init(apart part: Contraction.Part, _ operand: Contraction.Operand) {
    self.init(part, operand, part.seen(part.depth, by: operand), unit: 1)
  }

  private init(
    _ part: Contraction.Part, _ operand: Contraction.Operand, _ depths: [Loop], unit: Int
  ) {
    self.operand = operand
    self.depths = depths
    self.unit = unit
    lanes = part.seen(part.rowOperand == operand ? part.rows : part.columns, by: operand)
    axes = operand == .first ? part.axes : []
    (joinsLanes, joinsDepths, laneStep, depthStep) = (false, false, 0, 0)
    let (lane, depth) = (lanes.last!, depths.last!)
    (laneStep, depthStep) = (step(lane), step(depth) / unit)
    joinsLanes = isLinear(lane)
    joinsDepths = isLinear(depth)
    if joinsLanes, joinsDepths, moves(lane).contains(where: moves(depth).contains) {
      let isRun = depthStep == 1 && depth.extent >= 8
      if isRun || depth.extent > lane.extent { joinsLanes = false } else { joinsDepths = false }
    }
  }

  private func moves(_ loop: Loop) -> [Int] { axes.indices.filter { loop.steps[$0] != 0 } }

  private func isLinear(_ loop: Loop) -> Bool {
    moves(loop).allSatisfy { axes[$0].dilation == 1 }
  }

  /// The distance in memory of neighbours along a loop.
  private func step(_ loop: Loop) -> Int {
    moves(loop).reduce(loop.stride(operand)) { $0 + loop.steps[$1] * axes[$1].stride }
  }

  /// The innermost two loops over the depth as one, where taps continue the channels.
  private var tapsWithChannels: Loop? {
    guard depths.count > 1 else { return nil }
    let (taps, channels) = (depths[depths.count - 2], depths[depths.count - 1])
    let continues = step(taps) == channels.extent * channels.stride(operand)
    guard moves(channels).isEmpty, moves(taps).count == 1, isLinear(taps), continues else {
      return nil
    }
    var both = taps
    both.extent *= channels.extent
    return both
  }
}

extension PackedSide {
  /// The C table of the loops, named `name`.
  func table(_ name: String) -> String {
    let axisCount = axes.count
    func numbers(_ values: [Int]) -> String { values.map(String.init).joined(separator: ", ") }
    func loops(_ loops: [Loop]) -> String {
      loops.map { loop in
        let steps = axisCount == 0 ? "0" : numbers(loop.steps)
        return "{\(loop.extent), \(loop.stride(operand)), {\(steps)}}"
      }.joined(separator: ", ")
    }
    var text = "static const ckc_loop \(name)_lanes[] = {\(loops(lanes))};\n"
    text += "static const ckc_loop \(name)_depths[] = {\(loops(depths))};\n"
    if axisCount > 0 {
      let rows = axes.map { "{\(numbers([$0.start, $0.extent, $0.dilation, $0.stride]))}" }
      text += "static const ckc_axis \(name)_axes[] = {\(rows.joined(separator: ", "))};\n"
    }
    text += "static const ckc_side \(name) = {\(name)_lanes, \(name)_depths, "
    text += axisCount > 0 ? "\(name)_axes" : "0"
    text += ", \(lanes.count), \(depths.count), \(axisCount), \(joinsLanes ? 1 : 0), "
    text += "\(joinsDepths ? 1 : 0), \(laneStep), \(depthStep), \(unit)};\n"
    return text
  }
}
