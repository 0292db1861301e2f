// KernelIR as text: how each kernel runs, for readers of `ckc inspect --stage kernels`.
//
// Loops       `for i0 < 64` runs its iterations in order, `map` in any order on one thread, `parallel` on
//             any thread; a block of `width` lanes is what one iteration does at once.
// Names       i0 is a loop variable, v0 a scalar, r0 a row of lanes, b0 a buffer.

/// Prints a kernel, line by line.
struct KernelText {
  private(set) var lines: [String] = []

  /// The lines of a kernel: its buffers, then its body.
  init(_ kernel: KernelFunction, target: Target) {
    for (number, buffer) in kernel.buffers.enumerated() {
      let use = buffer.isRead ? buffer.isWritten ? "read and written" : "read" : "written"
      lines.append("b\(number): \(buffer.dtype.name), \(use)")
    }
    switch kernel.body {
    case .loops(let statements): print(statements, depth: 0)
    case .grid(let grid): print(grid)
    case .contraction(let contraction): print(contraction, target)
    case .attention(let attention):
      let dims = attention.dims
      lines.append(
        "attention\(attention.isGradient ? ", backward" : ""): \(attention.batchCount) places, "
          + "\(dims.queries) queries, \(dims.keys) keys, \(dims.features) features")
      add(
        "tiles of \(AttentionKernel.lanes) queries × \(AttentionKernel.tileKeys) keys; "
          + "\(attention.threads) threads, \(attention.threadBytes) bytes of scratch each", 1)
    case .sort(let sort):
      lines.append(
        "sort \(sort.extent) elements \(sort.step) apart, \(sort.count) in all; "
          + "runs of \(SortKernel.runLength) by insertion, then merged; \(sort.threads) threads")
    }
  }

  private mutating func print(_ grid: GridKernel) {
    if grid.scratchBytes > 0 { lines.append("scratch: \(grid.scratchBytes) bytes") }
    for launch in grid.launches {
      switch launch {
      case .map(let map):
        lines.append("a thread for each of \(map.dims.map(\.extent))")
        print(map.body, depth: 1)
      case .reduction(let reduction):
        lines.append(
          "blocks of \(reduction.shape.columns) sums × \(reduction.shape.walkers) threads, "
            + "\(reduction.shape.parts) parts")
        for stage in reduction.stages {
          add(stage.title, 1)
          print(stage.statements, depth: 2)
        }
      case .updates(let updates):
        lines.append(
          "a block for the first of \(updates.vectorCount) index vectors at each place, a thread for each of "
            + "\(updates.windows.map(\.extent)); for each vector of that place, in order")
        print(updates.definitions + updates.body, depth: 1)
      }
    }
  }

  private mutating func add(_ line: String, _ depth: Int) {
    lines.append(String(repeating: "  ", count: depth) + line)
  }

  // MARK: Contractions

  private mutating func print(_ contraction: Contraction, _ target: Target) {
    let types = contraction.dtypes
    for part in contraction.parts {
      lines.append(
        "products \(types.first.name) × \(types.second.name), sums \(types.sum.name): "
          + "\(part.rowCount) rows × \(part.columnCount) columns, depth \(part.depthCount)"
          + (part.groupCount > 1 ? ", \(part.groupCount) groups" : ""))
      let kinds = [
        ("groups", part.groups), ("rows", part.rows), ("columns", part.columns),
        ("depth", part.depth),
      ]
      for (name, loops) in kinds where !loops.isEmpty {
        let nest = loops.map {
          "\($0.extent) by (\($0.first), \($0.second), \($0.out))"
        }
        add("\(name): \(nest.joined(separator: ", "))", 1)
      }
      for axis in part.axes {
        add("window from \(axis.start) over \(axis.extent), stride \(axis.stride)", 1)
      }
      if target.isCUDA {
        add(CUDAContractionForm(part).description(part), 1)
        continue
      }
      if let winograd = contraction.winograd(target) {
        add(winograd.description(target), 1)
        continue
      }
      switch part.form(types, target) {
      case .lanes: add("lanes along the result, sums outside", 1)
      case .dots: add("lanes along the depth", 1)
      case .packed(let blocking): add(blocking.description, 1)
      case .depthwise(let form): add(form.description, 1)
      }
    }
    for (name, prologue) in [
      ("first", contraction.firstPrologue), ("second", contraction.secondPrologue),
    ] {
      guard let prologue else { continue }
      lines.append("the \(name) factor, over \(prologue.shape), is made as it is packed:")
      for (row, operand) in prologue.operands.enumerated() {
        let place = operand.place.map { "place \($0) + " } ?? ""
        add("r\(row) = b\(operand.buffer) at \(place)\(operand.offset)", 1)
      }
      print(prologue.statements, depth: 1)
      add("element = \(text(prologue.element))", 1)
    }
    if let epilogue = contraction.epilogue {
      lines.append("epilogue over \(epilogue.shape), v\(Epilogue.sum) is the sum:")
      print(epilogue.statements, depth: 1)
    }
  }

  // MARK: Statements

  private mutating func print(_ statements: [Statement], depth: Int) {
    for statement in statements { print(statement, depth) }
  }

  private mutating func print(_ statement: Statement, _ depth: Int) {
    switch statement {
    case .define(let local, let dtype, let value):
      add("v\(local): \(dtype.name) = \(text(value))", depth)
    case .definePlace(let local, let value, let range):
      let clamped = range.map { " within \($0.lowerBound)…\($0.upperBound)" } ?? ""
      add("v\(local): place = \(text(value))\(clamped)", depth)
    case .defineRow(let row, let dtype, let count, let value):
      add("r\(row): \(dtype.name)[\(count)] = \(text(value))", depth)
    case .defineScratchRow(let row, let dtype, let offset, let index):
      add("r\(row): \(dtype.name)[] at \(text(index)) of scratch + \(offset)", depth)
    case .assignLane(let row, let index, let value):
      add("r\(row)[\(text(index))] = \(text(value))", depth)
    case .store(let buffer, let index, _, let value):
      add("b\(buffer)[\(text(index))] = \(text(value))", depth)
    case .loop(let variable, let extent, let kind, let body):
      add("\(word(kind)) i\(variable) < \(extent)", depth)
      print(body, depth: depth + 1)
    case .lanes(let variable, let lane, let block, let most, let total, let body):
      add("lanes i\(lane) < \(most), i\(variable) = i\(block) + i\(lane) < \(total)", depth)
      print(body, depth: depth + 1)
    case .blocks(let variable, let width, let extent, let kind, let body):
      add("\(word(kind)) i\(variable) < \(extent) by \(width)", depth)
      print(body, depth: depth + 1)
    case .part(let variable, let step, let start, let most, let total, let body):
      add("for i\(variable) < \(most) after i\(start), below \(total), by \(step)", depth)
      print(body, depth: depth + 1)
    case .when(let conditions, let body):
      add("when \(text(conditions))", depth)
      print(body, depth: depth + 1)
    case .randomWords(let row, let key, let stream, let start, let block, let most, let total):
      add(
        "r\(row): ui32[\(most)] = words of b\(key), stream \(stream), from \(text(start)), "
          + "block i\(block) of \(total)", depth)
    }
  }

  private func word(_ kind: LoopKind) -> String {
    switch kind {
    case .serial: "for"
    case .independent: "map"
    case .parallel(let collapsed): collapsed > 1 ? "parallel(\(collapsed))" : "parallel"
    }
  }

  // MARK: Expressions

  private func text(_ conditions: [Condition]) -> String {
    conditions.map { condition in
      var text = text(condition.index)
      if let lower = condition.lower { text = "\(lower) ≤ \(text)" }
      if let upper = condition.upper { text += " < \(upper)" }
      return condition.divisor > 1 ? "\(text), a multiple of \(condition.divisor)" : text
    }.joined(separator: " and ")
  }

  private func text(_ index: Index) -> String {
    var parts = index.terms.map { term in
      let atom: String =
        switch term.atom {
        case .variable(let number): "i\(number)"
        case .local(let number): "v\(number)"
        case .quotient(let inner, let divisor): "(\(text(inner))) / \(divisor)"
        case .remainder(let inner, let divisor): "(\(text(inner))) % \(divisor)"
        }
      return term.factor == 1 ? atom : "\(term.factor)·\(atom)"
    }
    if index.constant != 0 || parts.isEmpty { parts.append("\(index.constant)") }
    return parts.joined(separator: " + ")
  }

  private func text(_ expression: Expression) -> String {
    switch expression {
    case .local(let local): return "v\(local)"
    case .lane(let row, let index): return "r\(row)[\(text(index))]"
    case .load(let buffer, let index): return "b\(buffer)[\(text(index))]"
    case .constant(let dtype, let bytes): return "\(dtype.decode(bytes[...]))"
    case .number(let index, _): return "(\(text(index)))"
    case .apply(let opcode, _, let to, let operands, let direction):
      let name = opcode.name + (direction.map { ".\($0)" } ?? "")
      let list = operands.map { text($0) }.joined(separator: ", ")
      return opcode == .convert ? "\(to.name)(\(list))" : "\(name)(\(list))"
    case .neutral(let kind, _): return "neutral(\(kind))"
    case .combine(let kind, _, let a, let b): return "\(kind)(\(text(a)), \(text(b)))"
    case .choose(let conditions, let a, let b):
      return "(\(text(conditions)) ? \(text(a)) : \(text(b)))"
    case .randomWord(let key, let stream, let index):
      return "word(b\(key), \(stream), \(text(index)))"
    case .uniform(let word, _): return "uniform(\(text(word)))"
    }
  }
}

extension Compilation {
  /// Every distinct kernel of the grouped function and how it runs, as comments of the IR; calls,
  /// loops and branches are not kernels of this kind.
  var kernelTexts: String {
    guard let grouped else { return "" }
    let order = KernelOrder(grouped)
    var places: [KernelFunction: Int] = [:]
    var kernels: [(function: KernelFunction, names: [String])] = []
    for kernel in order.kernels where !grouped.ops[kernel.op].opcode.runsRoutines {
      var lowering = KernelLowering(
        grouped, kernel, order: order, storage: nil, target: options.target)
      let function = lowering.run()
      let name = grouped.kernelName(kernel)
      if let place = places[function] {
        kernels[place].names.append(name)
      } else {
        places[function] = kernels.count
        kernels.append((function, [name]))
      }
    }
    var text = ""
    for (function, names) in kernels {
      let others = names.count > 1 ? " and \(names.count - 1) more" : ""
      text += "\n// \(function.label): \(names[0])\(others)\n"
      for line in KernelText(function, target: options.target).lines { text += "//   \(line)\n" }
    }
    return text
  }
}
