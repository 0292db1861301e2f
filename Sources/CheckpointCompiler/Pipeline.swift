// The one list of passes, and the order that it must keep.
//
// Every pass rewrites a whole function into another one with the same results, bit by bit, apart from
// `attention`, `layout`, `channels` and `merges`, which round in another order. All of them run before
// planning: the order of ops after it is the plan.

/// A rewriting of a function that changes no result.
struct Pass: Sendable {
  /// The spelling in `--print-after` and `--stop-after`.
  let name: String
  /// What it does, in a few words.
  let summary: String
  /// Whether it rewrites the callees of a function itself; others are run on each by itself.
  var includesCallees = false
  /// The rewritten function; nil where there was nothing to do.
  let run: @Sendable (Function) -> Function?
}

/// A reason why one pass stands before another.
struct Before: Sendable {
  let first: String
  let second: String
  let reason: String

  init(_ first: String, _ second: String, because reason: String) {
    self.first = first
    self.second = second
    self.reason = reason
  }
}

/// Passes in the order in which they run.
struct Pipeline: Sendable {
  let passes: [Pass]
  /// What must hold of the order of the passes.
  let order: [Before]

  /// A pipeline; its order is checked here.
  init(passes: [Pass], order: [Before]) {
    self.passes = passes
    self.order = order
    for rule in order {
      guard let first = passes.firstIndex(where: { $0.name == rule.first }),
        let second = passes.lastIndex(where: { $0.name == rule.second }), first < second
      else { preconditionFailure("'\(rule.first)' before '\(rule.second)': \(rule.reason)") }
    }
  }

  /// Passes run again while they change something, at most this often: what the first round leaves
  /// is rare, and a bound keeps the time linear.
  static let roundsMax = 3

  /// What makes a step smaller before it is grouped and planned.
  static let simplification = Pipeline(
    passes: [
      folding, commonSubexpressions, deadCode, attentionFusion, channelsLast,
      concatenatedChannels, mergedDimensions, loopSimplification,
    ],
    order: [
      Before("fold", "cse", because: "folding brings equal ops into the same form"),
      Before("fold", "dce", because: "folding leaves its inputs unread"),
      Before("cse", "dce", because: "joined ops no longer read their operands"),
      Before("dce", "layout", because: "what is dead would be turned for nothing"),
      Before("layout", "channels", because: "it would turn each part"),
      Before("layout", "merges", because: "a turned image has other dimensions to merge"),
      Before("attention", "merges", because: "its patterns are those of texts"),
      Before("dce", "attention", because: "a dead reader of weights is one too many"),
      Before("dce", "loops", because: "only what is read has to be carried"),
    ])

  /// The passes that look at one function alone, for callees before differentiation.
  static let local = Pipeline(passes: [folding, commonSubexpressions, deadCode], order: [])

  /// Runs all passes, on the callees as well, until nothing changes.
  ///
  /// `observe` gets the name of every pass that changed something, and what it made.
  func run(
    _ function: Function, observe: (String, Function) -> Void = { _, _ in }
  ) -> Function {
    var function = function
    for _ in 0..<Pipeline.roundsMax {
      var changed = false
      for pass in passes {
        var passChanged = false
        for index in function.callees.indices where !pass.includesCallees {
          guard let next = pass.run(function.callees[index]) else { continue }
          function.callees[index] = next
          passChanged = true
        }
        if let next = pass.run(function) {
          function = next.prunedCallees()
          passChanged = true
        }
        if passChanged { observe(pass.name, function) }
        changed = changed || passChanged
      }
      if !changed { break }
    }
    return function.mergingEqualCallees()
  }
}
