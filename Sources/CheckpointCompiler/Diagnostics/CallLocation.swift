// Where a file calls the layer that a kernel comes from.
//
// Problem     The place of an inlined op is in the text of its layer, which the user has not written.
// Method      By its name: inlining puts the name of the call's result before that of the op. Gradients
//             and clones have the names of what they belong to, in `d.` and `.r1`.

extension Module {
  /// The call, in the file of the entry, of the layer that a refused budget blames; unknown where the
  /// kernel is in that file itself.
  func callLocation(of refusal: BudgetError) -> SourceLocation {
    let file = entry.file
    guard refusal.location != .unknown, refusal.location.file != file else { return .unknown }
    var name = Substring(refusal.kernel)
    while true {
      if let call = callLocation(of: name, in: entry, file: file) { return call }
      guard name.hasPrefix("d.") else { return .unknown }
      name = name.dropFirst(2)
    }
  }

  /// The innermost call in the file whose result the name is, or begins with.
  private func callLocation(
    of name: Substring, in function: Function, file: Int32
  ) -> SourceLocation? {
    var found: (name: String, op: Op)?
    for op in function.ops.elements where op.opcode == .call && op.location.file == file {
      let names = op.resultRange.lazy.map { function.values[ValueID(rawValue: $0)].name }
      for result in names where name == result || name.hasPrefix(result + ".") {
        if !result.isEmpty, result.utf8.count > found?.name.utf8.count ?? 0 { found = (result, op) }
      }
    }
    guard let found else { return nil }
    let rest = name.dropFirst(found.name.count + 1)
    let callee = found.op.attributes.function(.callee).flatMap { self[$0] }
    return callee.flatMap { callLocation(of: rest, in: $0, file: file) } ?? found.op.location
  }
}

extension Function {
  /// The file it was read from.
  fileprivate var file: Int32 {
    arguments.first?.location.file ?? ops.elements.first?.location.file ?? -1
  }
}
