// Statements and expressions of kernels as C.
//
// Names       Buffers are b0, b1, …; rows r0, …; scalars v0, …; places p0, …; loop variables i0, ….
//             They depend on the statements alone, so that equal kernels have equal text.

/// Prints the body of one kernel.
struct CStatements {
  private let buffers: [KernelBuffer]
  /// The support functions that were used.
  private(set) var uses: Set<String> = []
  /// The dtypes of rows whose elements are wider in C.
  private var narrowRows: [Int: DType] = [:]
  private var lines: [String] = []
  private var depth = 1

  init(buffers: [KernelBuffer]) { self.buffers = buffers }

  /// The lines of the body.
  mutating func print(_ statements: [Statement]) -> [String] {
    lines = []
    emit(withoutUnusedDefinitions(statements))
    return lines
  }

  /// The lines of statements at a depth of a body that also uses what they define.
  mutating func lines(of statements: [Statement], depth: Int) -> [String] {
    lines = []
    self.depth = depth
    emit(statements)
    return lines
  }

  /// The lines of the body of a function that returns whether an expression is not 0.
  mutating func print(_ statements: [Statement], returning result: Expression) -> [String] {
    lines = []
    emit(withoutUnusedDefinitions(statements, keeping: result))
    line("return \(text(result)) != 0;")
    return lines
  }

  /// The lines that lead to an expression, and the expression.
  mutating func print(
    _ statements: [Statement], leadingTo result: Expression
  ) -> (lines: [String], value: String) {
    lines = []
    emit(withoutUnusedDefinitions(statements, keeping: result))
    return (lines, text(result))
  }

  private mutating func line(_ text: String) {
    lines.append(String(repeating: "  ", count: depth) + text)
  }

  // MARK: Indices

  private func text(_ index: Index) -> String {
    var text = ""
    for term in index.terms {
      let atom = self.text(term.atom)
      let magnitude = term.factor.magnitude
      let product = magnitude == 1 ? atom : "\(atom) * \(magnitude)"
      if text.isEmpty {
        text = term.factor < 0 ? "-\(product)" : product
      } else {
        text += term.factor < 0 ? " - \(product)" : " + \(product)"
      }
    }
    if text.isEmpty { return String(index.constant) }
    if index.constant > 0 { text += " + \(index.constant)" }
    if index.constant < 0 { text += " - \(index.constant.magnitude)" }
    return text
  }

  private func text(_ atom: Index.Atom) -> String {
    switch atom {
    case .variable(let number): "i\(number)"
    case .local(let number): "p\(number)"
    case .quotient(let index, let divisor): "((\(text(index))) / \(divisor))"
    case .remainder(let index, let divisor): "((\(text(index))) % \(divisor))"
    }
  }

  private func text(_ conditions: [Condition]) -> String {
    var tests: [String] = []
    for condition in conditions {
      let index = "(\(text(condition.index)))"
      if let lower = condition.lower { tests.append("\(index) >= \(lower)") }
      if let upper = condition.upper { tests.append("\(index) < \(upper)") }
      if condition.divisor != 1 { tests.append("\(index) % \(condition.divisor) == 0") }
    }
    return tests.joined(separator: " && ")
  }

  // MARK: Expressions

  /// An expression as an atom: a name, a literal, or in parentheses.
  private mutating func text(_ expression: Expression) -> String {
    switch expression {
    case .local(let number): return "v\(number)"
    case .lane(let row, let index):
      let element = "r\(row)[\(text(index))]"
      return narrowRows[row].map { "((\(cComputeType($0)))\(element))" } ?? element
    case .load(let buffer, let index):
      return cLoad(buffers[buffer].dtype, "b\(buffer)[\(text(index))]", uses: &uses)
    case .constant(let dtype, let bytes): return cLiteral(bytes, dtype, uses: &uses)
    case .number(let index, let dtype):
      let value = "(\(cComputeType(dtype)))(\(text(index)))"
      return "(\(cRounded(dtype, "(\(value))", uses: &uses)))"
    case .apply(let opcode, let from, let to, let operands, let direction):
      let texts = operands.map { text($0) }
      let value = cExpression(
        opcode, operandDType: from, resultDType: to, texts, direction: direction, uses: &uses)
      return "(\(value))"
    case .neutral(let kind, let dtype): return cNeutral(kind: kind, dtype: dtype, uses: &uses)
    case .combine(let kind, let dtype, let a, let b):
      let (left, right) = (text(a), text(b))
      return "(\(cCombine(kind: kind, dtype: dtype, left, right, uses: &uses)))"
    case .choose(let conditions, let a, let b):
      return "((\(text(conditions))) ? \(text(a)) : \(text(b)))"
    case .randomWord(let key, let stream, let index):
      uses.insert("ckc_random_word")
      return "ckc_random_word(b\(key)[0], b\(key)[1], \(stream)u, \(text(index)))"
    case .uniform(let word, let dtype):
      let function = dtype == .f64 ? "ckc_uniform_f64" : "ckc_uniform_f32"
      uses.insert(function)
      return "\(function)(\(text(word)))"
    }
  }

  // MARK: Statements

  private mutating func emit(_ statements: [Statement]) {
    for statement in statements { emit(statement) }
  }

  private mutating func emit(_ statement: Statement) {
    switch statement {
    case .define(let local, let dtype, let expression):
      line("const \(cComputeType(dtype)) v\(local) = \(text(expression));")
    case .definePlace(let local, let expression, let range):
      let value = "(ptrdiff_t)\(text(expression))"
      guard let range else {
        line("const ptrdiff_t p\(local) = \(value);")
        return
      }
      uses.insert("ckc_clamped")
      line("const ptrdiff_t p\(local) = ckc_clamped(\(value), \(range.upperBound));")
    case .defineRow(let row, let dtype, let count, let expression):
      let value = text(expression)
      line("\(rowType(row, dtype)) r\(row)[\(count)];")
      line("for (ptrdiff_t i = 0; i < \(count); i++) r\(row)[i] = \(value);")
    case .defineScratchRow(let row, let dtype, let offset, let index):
      let type = rowType(row, dtype)
      let place = index == Index() ? "" : " + (\(text(index)))"
      line("\(type) *const r\(row) = (\(type) *)(void *)(scratch + \(offset))\(place);")
    case .assignLane(let row, let index, let expression):
      line("r\(row)[\(text(index))] = \(text(expression));")
    case .store(let buffer, let index, let dtype, let expression):
      let value = cStore(dtype, text(expression), uses: &uses)
      line("b\(buffer)[\(text(index))] = \(value);")
    case .loop(let variable, let extent, let kind, let body):
      pragma(kind, isVectorized: !body.contains { $0.isLoop })
      let name = "i\(variable)"
      block("for (ptrdiff_t \(name) = 0; \(name) < \(extent); \(name)++)", body)
    case .blocks(let variable, let width, let extent, let kind, let body):
      pragma(kind, isVectorized: false)
      let name = "i\(variable)"
      block("for (ptrdiff_t \(name) = 0; \(name) < \(extent); \(name) += \(width))", body)
    case .lanes(let variable, let lane, let block, let most, let total, let body):
      lanes(variable, lane, block, most: most, total: total, body)
    case .part(let variable, let step, let start, let most, let total, let body):
      let name = "i\(variable)"
      let end = "i\(start) + \(most)"
      let below = total % most == 0 ? end : "(\(end) < \(total) ? \(end) : \(total))"
      let advance = step == 1 ? "\(name)++" : "\(name) += \(step)"
      block("for (ptrdiff_t \(name) = i\(start); \(name) < \(below); \(advance))", body)
    case .when(let conditions, let body):
      if conditions.isEmpty { emit(body) } else { block("if (\(text(conditions)))", body) }
    case .randomWords(let row, let key, let stream, let start, let block, let most, let total):
      uses.insert("ckc_random_words")
      line("uint32_t r\(row)[\(most)];")
      let count =
        total % most == 0
        ? "\(most)" : "i\(block) + \(most) <= \(total) ? \(most) : \(total) - i\(block)"
      line(
        "ckc_random_words(b\(key)[0], b\(key)[1], \(stream)u, \(text(start)), \(count), r\(row));")
    }
  }

  /// The type of the elements of a row. GCC 12 loses what rows of narrower integers hold where it makes
  /// 16-bit AVX-512 vectors of them: they are rows of 32-bit integers.
  private mutating func rowType(_ row: Int, _ dtype: DType) -> String {
    let isNarrow = !dtype.isFloatingPoint && dtype.byteCount < 4
    narrowRows[row] = isNarrow ? dtype : nil
    return isNarrow ? (dtype.isUnsigned ? "uint32_t" : "int32_t") : cComputeType(dtype)
  }

  private mutating func pragma(_ kind: LoopKind, isVectorized: Bool) {
    switch kind {
    case .serial: break
    case .independent: line("CKC_INDEPENDENT")
    case .parallel(let collapsed):
      line(isVectorized ? "CKC_PARALLEL_VECTOR" : "CKC_PARALLEL(\(collapsed))")
    }
  }

  private mutating func block(_ head: String, _ body: [Statement]) {
    line("\(head) {")
    depth += 1
    emit(body)
    depth -= 1
    line("}")
  }

  /// The lanes of a block: full blocks, whose number of lanes the C compiler knows, and the rest.
  private mutating func lanes(
    _ variable: Int, _ lane: Int, _ block: Int, most: Int, total: Int, _ body: [Statement]
  ) {
    func loop(_ count: String, _ printer: inout CStatements) {
      printer.line("CKC_INDEPENDENT")
      printer.line("for (ptrdiff_t i\(lane) = 0; i\(lane) < \(count); i\(lane)++) {")
      printer.depth += 1
      let start = printer.lines.count
      printer.emit(body)
      let isNamed = printer.lines[start...].contains { mentions($0, "i\(variable)") }
      if isNamed {
        let indent = String(repeating: "  ", count: printer.depth)
        printer.lines.insert(
          "\(indent)const ptrdiff_t i\(variable) = i\(block) + i\(lane);", at: start)
      }
      printer.depth -= 1
      printer.line("}")
    }
    if total % most == 0 {
      loop("\(most)", &self)
    } else if total < most {
      loop("\(total)", &self)
    } else {
      line("if (i\(block) + \(most) <= \(total)) {")
      depth += 1
      loop("\(most)", &self)
      depth -= 1
      line("} else {")
      depth += 1
      loop("\(total) - i\(block)", &self)
      depth -= 1
      line("}")
    }
  }
}

/// Whether a line of C holds a name as a whole word.
private func mentions(_ line: String, _ name: String) -> Bool {
  let text = Array(line.utf8)
  let word = Array(name.utf8)
  func isWord(_ byte: UInt8) -> Bool {
    (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
      || byte == UInt8(ascii: "_")
      || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }
  guard text.count >= word.count else { return false }
  for start in 0...(text.count - word.count)
  where text[start..<start + word.count].elementsEqual(word) {
    let end = start + word.count
    if (start == 0 || !isWord(text[start - 1])) && (end == text.count || !isWord(text[end])) {
      return true
    }
  }
  return false
}

extension Statement {
  /// Whether it is, or holds, a loop.
  fileprivate var isLoop: Bool {
    switch self {
    case .loop, .lanes, .blocks, .part, .defineRow, .randomWords: true
    case .when(_, let body): body.contains { $0.isLoop }
    case .define, .definePlace, .defineScratchRow, .assignLane, .store: false
    }
  }
}
