// Functions to text that parses to the same functions.

/// Prints modules and functions.
public struct Printer {
  private var out: [UInt8] = []
  /// The number given to each value without a name; -1 where it has none.
  private var numbers = Table<ValueID, Int32>()
  private var function: Function

  /// The text of every function, a blank line between two.
  public static func print(_ module: Module) -> String {
    module.functions.map { print($0) }.joined(separator: "\n")
  }

  /// The text of a function, after that of its callees. O(ops + operands).
  public static func print(_ function: Function) -> String {
    (function.callees + [function]).map { printAlone($0) }.joined(separator: "\n")
  }

  private static func printAlone(_ function: Function) -> String {
    var printer = Printer(function)
    printer.printFunction()
    return String(decoding: printer.out, as: UTF8.self)
  }

  private init(_ function: Function) {
    self.function = function
    numbers = Table(repeating: -1, count: function.values.count)
    var next: Int32 = 0
    func number(_ value: ValueID, _ numbers: inout Table<ValueID, Int32>) {
      if function.values[value].name.isEmpty {
        numbers[value] = next
        next += 1
      }
    }
    for argument in function.arguments { number(argument.value, &numbers) }
    for op in function.opsInOrder {
      for result in function.results(of: op) { number(result, &numbers) }
    }
  }

  private mutating func write(_ text: String) { out.append(contentsOf: text.utf8) }

  private mutating func write(_ value: ValueID) {
    out.append(UInt8(ascii: "%"))
    let number = numbers[value]
    write(number < 0 ? function.values[value].name : String(number))
  }

  private mutating func indent(_ depth: Int) {
    for _ in 0..<(2 * depth) { out.append(UInt8(ascii: " ")) }
  }

  private mutating func printFunction() {
    write("func @\(function.name)(")
    // Short signatures stand on one line, long ones have a line for each argument.
    let breaks = function.arguments.count > 3
    for (index, argument) in function.arguments.enumerated() {
      if index > 0 { write(breaks ? "," : ", ") }
      if breaks { write("\n    ") }
      if argument.role != .input { write("\(argument.role.rawValue) ") }
      write(argument.value)
      write(": \(function.type(of: argument.value))")
      if let initializer = argument.initializer { write(" = \(initializer.text)") }
    }
    write(")")
    let values = function.returnedValues
    write(" -> (")
    for (index, result) in function.results.enumerated() {
      if index > 0 { write(breaks ? "," : ", ") }
      if breaks { write("\n    ") }
      switch result.role {
      case .output: break
      case .loss: write("loss ")
      case .gradient(let argument): writeRole("grad", argument)
      case .update(let argument): writeRole("update", argument)
      }
      write("%\(result.name): \(function.type(of: values[index]))")
    }
    write(")")
    if let gradient = function.gradientFunction { write(" gradient @\(gradient)") }
    write(" {\n")
    printBody()
    write("}\n")
  }

  private mutating func writeRole(_ word: String, _ argument: Int) {
    write("\(word)(")
    write(function.arguments[argument].value)
    write(") ")
  }

  /// Prints all blocks with an explicit stack.
  private mutating func printBody() {
    var stack: [(block: BlockID, next: Int)] = [(function.body, 0)]
    while let (block, next) = stack.last {
      guard next < function.blocks[block].ops.count else {
        stack.removeLast()
        if !stack.isEmpty {
          indent(stack.count)
          write("}\n")
        }
        continue
      }
      stack[stack.count - 1].next += 1
      let op = function.blocks[block].ops[next]
      indent(stack.count)
      printOp(op)
      if let region = function.ops[op].regions.first {
        write(" {\n")
        stack.append((region, 0))
      } else {
        write("\n")
      }
    }
  }

  private mutating func printOp(_ id: OpID) {
    let op = function.ops[id]
    for (index, result) in function.results(of: id).enumerated() {
      if index > 0 { write(", ") }
      write(result)
    }
    if op.resultCount > 0 { write(" = ") }
    write(op.opcode.name)
    if let callee = op.attributes.function(.callee) { write(" @\(callee)") }
    if case .string(let label)? = op.attributes[.label] { write(" \"\(label)\"") }
    if let data = op.attributes.constant {
      write(" \(literal(data, type: function.type(of: function.result(of: id))))")
    }
    for (index, operand) in function.operands(of: op).enumerated() {
      write(index == 0 ? " " : ", ")
      write(operand)
    }
    printAttributes(op.attributes)
    if !op.opcode.hasRegion, op.resultCount > 0 {
      for (index, result) in function.results(of: id).enumerated() {
        write(index == 0 ? " : " : ", ")
        write(function.type(of: result).description)
      }
    }
  }

  private mutating func printAttributes(_ attributes: Attributes) {
    var isFirst = true
    for entry in attributes.entries {
      let text: String
      switch entry.value {
      case .int(let value): text = String(value)
      case .number(let value): text = String(value)
      case .ints(let values): text = "[\(values.map(String.init).joined(separator: ", "))]"
      case .symbol(let word): text = word
      case .string(let string):
        if entry.name == .label { continue }
        text = "\"\(string)\""
      case .function(let name):
        // A call has the name before its operands.
        if entry.name == .callee { continue }
        text = "@\(name)"
      case .functions(let names):
        text = "[\(names.map { "@\($0)" }.joined(separator: ", "))]"
      case .constant: continue
      }
      write(isFirst ? " {" : ", ")
      write("\(entry.name.rawValue) = \(text)")
      isFirst = false
    }
    if !isFirst { write("}") }
  }
}

extension Initializer {
  /// The spelling in the IR.
  var text: String {
    switch self {
    case .fill(0): "zeros"
    case .fill(1): "ones"
    case .fill(let value): "fill(\(value))"
    case .normal(let deviation): "normal(\(deviation))"
    case .uniform(let bound): "uniform(\(bound))"
    }
  }
}
