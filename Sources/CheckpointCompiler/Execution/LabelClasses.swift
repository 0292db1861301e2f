// Which inputs are labels, and of how many classes.
//
// Problem     `cross_entropy` compares labels with the numbers of the classes: a label that is none of
//             them picks no logit, and training goes on with a loss that means nothing.
// Method      One walk over the functions as they were written, callees first. An argument is labels
//             where it reaches those of the layers `cross_entropy` or `accuracy`, through calls and
//             through ops that only move elements or widen integers, so that every element is used.
// Invariants  What looks like a label and is not handed to these layers may be any number: a one-hot
//             code that somebody wrote may mean something by -1.

extension Module {
  /// The number of classes of every argument of the entry that is labels, by name.
  package var labelClasses: [String: Int] {
    var classes: [String: [Int: Int]] = [:]
    for function in functions {
      var own: [Int: Int] = [:]
      for id in function.opsInOrder where function.ops[id].opcode == .call {
        let op = function.ops[id]
        guard let callee = op.attributes.function(.callee).flatMap({ self[$0] }) else { continue }
        let operands = function.operands(of: op)
        for (operand, count) in layerLabels(callee) ?? classes[callee.name] ?? [:] {
          let value = operands[operands.startIndex + operand]
          guard let argument = function.argumentMoved(to: value) else { continue }
          own[argument] = min(own[argument] ?? count, count)
        }
      }
      classes[function.name] = own
    }
    let entry = entry
    return Dictionary(
      (classes[entryName] ?? [:]).map { (entry.argumentName($0), $1) },
      uniquingKeysWith: { first, _ in first })
  }

  /// The classes of the labels that an instance of a layer takes; nil where it is no such layer.
  private func layerLabels(_ function: Function) -> [Int: Int]? {
    let layer = function.name.prefix { $0 != "." }
    // A function of the file may have the name of a layer, and another meaning.
    guard layer == "cross_entropy" || layer == "accuracy", function.arguments.count == 2,
      function.arguments[1].location.file != entry.arguments.first?.location.file,
      let count = function.argumentType(0).shape.last
    else { return nil }
    return [1: count]
  }
}

extension Function {
  /// The argument whose elements a value has, moved about; nil where it has others.
  fileprivate func argumentMoved(to value: ValueID) -> Int? {
    var value = value
    while case .result(let id, _) = values[value].definition {
      let op = ops[id]
      guard let operand = operands(of: op).first else { return nil }
      let (from, to) = (type(of: operand).dtype, type(of: value).dtype)
      switch op.opcode {
      case .reshape, .transpose, .reverse, .broadcastInDim: break
      case .convert:
        guard !from.isFloatingPoint, !to.isFloatingPoint, to.byteCount >= from.byteCount else {
          return nil
        }
      default: return nil
      }
      value = operand
    }
    guard case .argument(let index) = values[value].definition else { return nil }
    return index
  }
}

extension Tensor {
  /// Checks that all elements are labels.
  ///
  /// - Parameters:
  ///   - count: The number of classes; nil where the elements are no labels.
  ///   - source: What to call the tensor in messages.
  ///   - target: What to call the argument.
  /// - Throws: An error that names the first row with another label.
  package func requireLabels(
    of count: Int?, source: String, target: String
  ) throws(Diagnostic) {
    guard let count, !type.dtype.isFloatingPoint else { return }
    let labels = integers
    guard let wrong = labels.indices.first(where: { labels[$0] < 0 || labels[$0] >= count }) else {
      return
    }
    let rowCount = type.elementCount / max(1, type.shape.first ?? 1)
    throw Diagnostic(
      "\(source): row \(wrong / max(1, rowCount)) has the label \(labels[wrong]), but the labels of "
        + "\(target) are 0 to \(count - 1)")
  }
}
