// Loops, branches and what they call, as C functions; and how calls and copies are written.
//
// Routine     Takes a pointer to its arena, which is scratch of the loop, one to each argument and one
//             to each result; what a loop carries is an argument that is written.
// Loop        Calls the condition and the body in turn. Nothing is allocated, nothing is copied but
//             what the routines copy.

/// What the places of one C function are called.
struct CScope {
  var arguments: [String]
  var results: [String]
  /// The static data of dense constants.
  var constantNumbers: [ValueID: Int]

  /// A pointer to a place.
  func pointer(_ storage: Storage, _ dtype: DType, isWritten: Bool) -> String {
    switch storage {
    case .argument(let index): arguments[index]
    case .result(let index): results[index]
    case .arena(let offset):
      "(\(isWritten ? "" : "const ")\(cStorageType(dtype)) *)(void *)(m + \(offset))"
    case .constantData(let value): "c\(constantNumbers[value]!).data"
    }
  }
}

extension CProgramPrinter {
  /// The lines that poison what a call will write.
  func freshLines(_ call: KernelCall) -> String {
    var out = ""
    for fresh in call.written { out += "  CKC_FRESH(\(fresh.offset), \(fresh.sizeBytes));\n" }
    if let offset = call.scratchOffset {
      out += "  CKC_FRESH(\(offset), \(call.scratchBytes));\n"
    }
    return out
  }

  func text(of copy: PlacedCopy, in scope: CScope) -> String {
    let from = scope.pointer(copy.from, .ui8, isWritten: false)
    let to = scope.pointer(copy.to, .ui8, isWritten: true)
    return "memcpy(\(to), \(from), \(copy.sizeBytes))"
  }

  /// A call as an expression, after the copies that it needs.
  func text(of call: KernelCall, in scope: CScope) -> String {
    let symbol: String
    let buffers: [KernelBuffer]
    // The start of the arena may be an operand.
    let scratch = call.scratchOffset.map { "m + \($0)" } ?? "NULL"
    var before: [String] = []
    var after: [String] = []
    switch call.work {
    case .kernel(let number):
      symbol = kernelSymbol(number)
      buffers = program.functions[number].buffers
      if program.functions[number].body.takesScratch { after = [scratch] }
    case .control(let number):
      symbol = controlSymbol(number)
      buffers = program.controls[number].buffers
      before = [scratch]
    }
    let pointers = zip(call.buffers, buffers).map {
      scope.pointer($0, $1.dtype, isWritten: $1.isWritten)
    }
    let text = "\(symbol)(\((before + pointers + after).joined(separator: ", ")))"
    if call.copies.isEmpty { return text }
    let copies = call.copies.map { "(void)" + self.text(of: $0, in: scope) }
    return "(\((copies + [text]).joined(separator: ", ")))"
  }

  func controlSymbol(_ number: Int) -> String {
    let control = program.controls[number]
    let name = program.routines[control.routines.last!].name
    return "\(control.kind == .loop ? "loop" : "branch")\(number)_\(cIdentifier(name))"
  }

  func routineSymbol(_ number: Int) -> String {
    "r\(number)_\(cIdentifier(program.routines[number].name))"
  }

  /// All routines, and the loops and branches, each after what it calls.
  func routines() -> String {
    var out = ""
    var pending = Array(program.controls.indices)
    for number in 0...program.routines.count {
      for control in pending where program.controls[control].routines.allSatisfy({ $0 < number }) {
        out += self.control(control) + "\n"
      }
      pending.removeAll { program.controls[$0].routines.allSatisfy { $0 < number } }
      if number < program.routines.count { out += routine(number) + "\n" }
    }
    return out
  }

  private func parameters(_ buffers: [(name: String, buffer: KernelBuffer)]) -> String {
    let pointers = buffers.map { name, buffer in
      "\(buffer.isWritten ? "" : "const ")\(cStorageType(buffer.dtype)) *\(name)"
    }
    return (["unsigned char *m"] + pointers).joined(separator: ",\n    ")
  }

  private func routine(_ number: Int) -> String {
    let routine = program.routines[number]
    let arguments = routine.arguments.enumerated().map { (name: "a\($0)", buffer: $1) }
    let results = routine.results.enumerated().compactMap { index, buffer in
      buffer.map { (name: "y\(index)", buffer: $0) }
    }
    let scope = CScope(
      arguments: arguments.map(\.name), results: routine.results.indices.map { "y\($0)" },
      constantNumbers: routine.constantNumbers)
    var out = "/* @\(commentText(routine.name)) */\n"
    out += "CKC_KERNEL \(routineSymbol(number))(\n    \(parameters(arguments + results))) {\n"
    for name in ["m"] + (arguments + results).map(\.name) { out += "  (void)\(name);\n" }
    for call in routine.calls {
      out += freshLines(call)
      out += "  \(text(of: call, in: scope)); /* %\(commentText(call.name)) */\n"
    }
    for copy in routine.finalCopies { out += "  \(text(of: copy, in: scope));\n" }
    return out + "}\n"
  }

  private func control(_ number: Int) -> String {
    let control = program.controls[number]
    let buffers = control.buffers.enumerated().map { (name: "b\($0)", buffer: $1) }
    var out = "CKC_KERNEL \(controlSymbol(number))(\n    \(parameters(buffers))) {\n"
    let names = ["m"] + buffers.map(\.name)
    func call(_ routine: Int, _ arguments: some Sequence<String>) -> String {
      "\(routineSymbol(routine))(\(arguments.joined(separator: ", ")))"
    }
    switch control.kind {
    case .loop:
      out += """
          \(cStorageType(.i1)) goes_on;
          for (;;) {
            \(call(control.routines[0], names + ["&goes_on"]));
            if (!goes_on) break;
            \(call(control.routines[1], names));
          }

        """
    case .branch:
      out += "  switch (*b0) {\n"
      for (index, routine) in control.routines.enumerated() {
        let isLast = index == control.routines.count - 1
        out += "    \(isLast ? "default" : "case \(index)"): "
        out += "\(call(routine, [names[0]] + names.dropFirst(2))); break;\n"
      }
      out += "  }\n"
    }
    return out + "}\n"
  }
}
