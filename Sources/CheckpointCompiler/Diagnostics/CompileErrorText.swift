// Why a compilation gave nothing, in words.

extension CompileError {
  /// The errors, with the places in the text that explain them.
  public var diagnostics: [Diagnostic] {
    switch self {
    case .input(let list): list.diagnostics
    case .budget(let error):
      [
        Diagnostic(
          error.message,
          notes: error.note.map { note in
            let isCalled = error.callLocation != .unknown
            let call = Diagnostic.note("the layer is called here", at: error.callLocation)
            return [.note(note, at: error.location)] + (isCalled ? [call] : [])
          } ?? [])
      ]
    case .defect(let message):
      [Diagnostic("a checker refused what ckc made: \(message); please report this")]
    }
  }

  /// The errors as `ckc` prints them: place, message, the line and carets below it.
  ///
  /// `sources` is what `compile(_:fileName:sources:)` has filled.
  public func rendered(with sources: SourceMap) -> String {
    DiagnosticRenderer(sources: sources).render(diagnostics)
  }
}

extension BudgetError {
  /// The refusal in one sentence.
  public var message: String {
    func amount(_ bytes: Int) -> String {
      let short = describeBytes(bytes)
      return short == "\(bytes) B" ? "\(bytes) bytes" : "\(bytes) bytes (\(short))"
    }
    if let minimumBytes {
      return "the budget of \(amount(budgetBytes)) cannot be met: "
        + "the smallest that ckc can reach is \(amount(minimumBytes))"
    }
    let what = kernel.isEmpty ? "the planned graph" : "the plan"
    guard let neededBytes else { return "the budget of \(amount(budgetBytes)) cannot be met" }
    return
      "the budget of \(amount(budgetBytes)) cannot be met: \(what) needs \(amount(neededBytes))"
  }

  /// What is in memory where it is fullest; nil where no kernel is to blame.
  public var note: String? {
    guard !kernel.isEmpty else { return nil }
    let shown = resident.prefix(8).map { "%\($0.name) \(describeBytes($0.bytes))" }
    let rest = resident.count - shown.count
    return "memory is fullest while '%\(kernel)' runs; it holds \(shown.joined(separator: ", "))"
      + (rest > 0 ? " and \(rest) more" : "")
  }
}
