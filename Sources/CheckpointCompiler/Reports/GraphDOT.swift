// A stage as a drawing for Graphviz: kernels are boxes, values the arrows between them.
//
// Colours     Of the planned step: blue for values kept for the backward part, orange for what is
//             dropped and recomputed. Regions are frames.

extension Compilation {
  /// The result of a stage as Graphviz text; nil where the stage has not run or makes no function.
  public func dot(after stage: Stage) -> String? {
    switch stage {
    case .parsed: GraphDOT(module.entry).text()
    case .differentiated: differentiated.map { GraphDOT($0).text() }
    case .simplified: simplified.map { GraphDOT($0).text() }
    case .kernels: grouped.map { GraphDOT($0).text() }
    case .planned, .memory, .schedule: step.map { GraphDOT($0, of: self).text() }
    case .code: nil
    }
  }
}

private struct GraphDOT {
  private let function: Function
  private let order: KernelOrder
  private let names: Table<ValueID, String>
  /// What a value is to the plan; absent where it is nothing in particular.
  private var roles: [ValueID: MemoryTimeline.Role] = [:]
  private var out = ""

  /// A drawing of a function.
  init(_ function: Function) {
    self.function = function
    order = KernelOrder(function)
    names = function.valueNames
  }

  /// A drawing of a planned step, coloured by the plan.
  init(_ step: PlannedStep, of compilation: Compilation) {
    self.init(step.function)
    let timeline = MemoryTimeline(step, of: compilation)
    for (tenant, block) in zip(step.assignment.tenants, timeline.blocks) {
      if case .value(let value) = tenant.content { roles[value] = block.role }
    }
  }

  func text() -> String {
    var copy = self
    return copy.draw()
  }

  private mutating func draw() -> String {
    out = "digraph \"\(function.name)\" {\n"
    out += "  rankdir=TB; nodesep=0.25; ranksep=0.35;\n"
    out += "  node [shape=box, style=\"rounded,filled\", fillcolor=\"#eef1f4\", color=\"#c3cad2\", "
    out += "fontname=\"sans-serif\", fontsize=11];\n"
    out += "  edge [color=\"#8c959f\", fontname=\"sans-serif\", fontsize=9, arrowsize=0.6];\n"
    for (index, argument) in function.arguments.enumerated() {
      let label = "%\(names[argument.value])\\n\(function.type(of: argument.value))"
      out += "  a\(index) [label=\"\(label)\", shape=ellipse, "
      out += "fillcolor=\"\(argument.role == .input ? "#ffffff" : "#f5f0ff")\"];\n"
    }
    drawKernels()
    drawResults()
    drawEdges()
    return out + "}\n"
  }

  /// Draws the kernels in running order, each region as a frame around its own.
  private mutating func drawKernels() {
    var place: [OpID: Int] = [:]
    for (index, kernel) in order.kernels.enumerated() { place[kernel.op] = index }
    var open = 1
    for id in function.opsInOrder {
      let op = function.ops[id]
      let indent = String(repeating: "  ", count: open)
      switch op.opcode {
      case .noGrad, .recompute:
        let isAgain = op.opcode == .recompute
        out += "\(indent)subgraph cluster_\(id.index) {\n\(indent)  label=\"\(op.opcode.name)\"; "
        out += "fontname=\"sans-serif\"; fontsize=10; style=\"rounded,dashed\"; "
        out += "color=\"\(isAgain ? "#e07b2a" : "#8c959f")\";\n"
        open += 1
      case .yield:
        if let owner = function.blocks[op.block].owner, function.ops[owner].opcode != .fusion {
          open -= 1
          out += String(repeating: "  ", count: open) + "}\n"
        }
      default:
        guard let index = place[id] else { continue }
        let isAgain = function.isRecomputation(id)
        out += "\(indent)k\(index) [label=\"\(label(of: order.kernels[index]))\""
        out += isAgain ? ", fillcolor=\"#fbe3cf\", color=\"#e07b2a\"];\n" : "];\n"
      }
    }
  }

  private func label(of kernel: Kernel) -> String {
    var opNames: [String] = []
    for op in function.opsOfKernel(kernel.op) where !function.ops[op].opcode.isTerminator {
      opNames.append(function.ops[op].opcode.name)
    }
    if opNames.count > 4 { opNames = opNames.prefix(3) + ["and \(opNames.count - 3) more"] }
    let values = kernel.writes.map { "%\(names[$0])" }.joined(separator: ", ")
    return "\(values)\\n\(opNames.joined(separator: ", "))"
  }

  private mutating func drawResults() {
    for (index, result) in function.results.enumerated() {
      out += "  r\(index) [label=\"%\(result.name)\", shape=ellipse, fillcolor=\"#ffffff\"];\n"
    }
  }

  private mutating func drawEdges() {
    var source: [ValueID: String] = [:]
    for (index, argument) in function.arguments.enumerated() {
      source[argument.value] = "a\(index)"
    }
    for (index, kernel) in order.kernels.enumerated() {
      for value in kernel.writes { source[value] = "k\(index)" }
    }
    for (index, kernel) in order.kernels.enumerated() {
      for value in kernel.reads { drawEdge(value, from: source[value], to: "k\(index)") }
    }
    for (index, value) in function.returnedValues.enumerated() {
      let root = order.root[value]
      drawEdge(root, from: source[root], to: "r\(index)")
    }
  }

  private mutating func drawEdge(_ value: ValueID, from source: String?, to target: String) {
    guard let source else { return }
    var attributes = ""
    if !source.hasPrefix("a") {
      attributes = "label=\"\(describeBytes(function.type(of: value).sizeBytes))\""
    }
    switch roles[value] {
    case .kept: attributes += ", color=\"#2f6fc4\", penwidth=1.6"
    case .dropped, .recomputed: attributes += ", color=\"#e07b2a\", penwidth=1.6"
    case .forward, .backward, .scratch, nil: break
    }
    out += "  \(source) -> \(target)\(attributes.isEmpty ? "" : " [\(attributes)]");\n"
  }
}
