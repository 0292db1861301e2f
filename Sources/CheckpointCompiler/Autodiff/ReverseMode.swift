// Derives the training step from the forward function: only the walk; the rules live with their ops.
//
// Problem     Given a function with one scalar loss and parameters, append the gradient of the loss
//             with respect to every parameter.
// Method      A forward sweep finds the values that depend on a parameter through differentiable
//             ops: the others get no gradient. A backward sweep visits the ops in reverse; an op
//             whose result has a gradient hands one to each operand that needs it. Contributions are
//             added as they arrive, so that two of them are never alive for longer than needed; when
//             an op is visited, all users of its result have been, and its gradient is complete.
// Order       Forward ops first, as they stand; then the backward ops, in reverse order of the
//             forward ops that they belong to.
// Names       The gradient of `%h` is `%d.h`, its parts are `%d.h.part` where there are several, the
//             result for the parameter `%w` is `grad.w`.
//             Backward ops have the location of their forward op.
// Cost        O(ops), apart from what the rules append.

/// The training step of a module's entry function: the forward results as they are, then the
/// gradient of the loss for each parameter that is trained.
///
/// A function that already returns gradients or new parameter values is returned as it stands.
/// Calls of functions that have a gradient function use it; other calls are inlined.
///
/// - Parameters:
///   - module: The functions; the entry returns one scalar loss.
///   - remarks: Gets a warning for every parameter that the loss does not depend on; its gradient
///     is zero.
/// - Returns: A function of the same arguments; results named `grad.` and the parameter are added.
/// - Throws: The reasons why there is no gradient, each at the place of what lacks it.
/// - Complexity: O(ops).
public func differentiated(
  _ module: Module, remarks: inout [Diagnostic]
) throws(DiagnosticList) -> Function {
  try differentiated(module, .stacked, remarks: &remarks)
}

/// The training step of a module, with loops that keep for their backward part what `residuals` says.
func differentiated(
  _ module: Module, _ residuals: LoopResiduals, remarks: inout [Diagnostic]
) throws(DiagnosticList) -> Function {
  let entry = module.entry
  if entry.isTrainingStep { return entry }
  let forward = inlined(entry, in: module, scope: .beforeDifferentiation)
    .fusingAttention(in: module).preparingLoops().expandingScans()
  let loss = try scalarLoss(of: forward)
  try checkRegions(of: forward)
  var walk = ReverseWalk(forward, module, residuals)
  let step = walk.run(from: loss, remarks: &remarks)
  if !walk.errors.isEmpty { throw DiagnosticList(walk.errors) }
  return step
}

extension Function {
  /// Whether it returns gradients or new parameter values, and so needs no differentiation.
  public var isTrainingStep: Bool {
    results.contains { result in
      switch result.role {
      case .gradient: true
      case .update(let argument): arguments[argument].role != .state
      case .output, .loss: false
      }
    }
  }
}

/// The one scalar that is minimized.
private func scalarLoss(of function: Function) throws(DiagnosticList) -> ValueID {
  let losses = function.results.indices.filter { function.results[$0].role == .loss }
  guard let first = losses.first else {
    throw DiagnosticList([
      Diagnostic(
        "no result of @\(function.name) is marked as the loss",
        at: function.results.first?.location ?? .unknown, constraint: "differentiate_c1")
    ])
  }
  if losses.count > 1 {
    let second = function.results[losses[1]]
    throw DiagnosticList([
      Diagnostic(
        "@\(function.name) has \(losses.count) losses; add them up and mark the sum",
        at: second.location, constraint: "differentiate_c1",
        notes: [.note("the first loss is here", at: function.results[first].location)])
    ])
  }
  let value = function.returnedValues[first]
  let type = function.type(of: value)
  guard type.rank == 0, type.dtype.isFloatingPoint else {
    throw DiagnosticList([
      Diagnostic(
        "the loss must be a floating-point scalar, not \(type)",
        at: function.results[first].location, constraint: "differentiate_c2")
    ])
  }
  guard function.arguments.contains(where: { $0.role == .parameter }) else {
    throw DiagnosticList([
      Diagnostic(
        "@\(function.name) has a loss but no parameter to train",
        at: function.results[first].location, constraint: "differentiate_c3")
    ])
  }
  return value
}

/// Regions are made by the planner, after differentiation.
private func checkRegions(of function: Function) throws(DiagnosticList) {
  let ops = (function.callees + [function]).flatMap(\.ops.elements)
  let errors = ops.filter { $0.opcode.hasRegion }.map { op in
    Diagnostic(
      "'\(op.opcode.name)' in a function that has no backward pass yet",
      at: op.location, constraint: "differentiate_c4")
  }
  if !errors.isEmpty { throw DiagnosticList(errors) }
}

/// One walk over one function.
struct ReverseWalk {
  let forward: Function
  /// The functions that calls and gradients of calls name.
  let functions: [String: Function]
  /// What loops keep for their backward part.
  let residuals: LoopResiduals
  /// The image of each forward value in the function being built.
  var map: ValueMap
  var context: GradientContext
  /// Whether a value depends through differentiable ops on what is asked for: a parameter, or an
  /// argument of a pullback.
  var isActive: Table<ValueID, Bool>
  /// The gradient of each forward value, as far as contributions have arrived.
  var gradients: Table<ValueID, ValueID?>
  var errors: [Diagnostic] = []
  /// What is known of the values of callees.
  var activity = ActivityAnalysis()
  /// The gradients of loops, from when their forward part is written until they are visited.
  var loops: [OpID: LoopGradient] = [:]
  /// The names of all functions, so that new ones get their own.
  var names: Set<String>

  init(_ forward: Function, _ module: Module, _ residuals: LoopResiduals) {
    let functions = Dictionary(
      module.functions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    self.init(
      forward, functions, residuals,
      names: Set(module.functions.map(\.name) + forward.callees.map(\.name)))
  }

  init(
    _ forward: Function, _ functions: [String: Function], _ residuals: LoopResiduals,
    names: Set<String>
  ) {
    self.forward = forward
    self.residuals = residuals
    self.functions = functions
    self.names = names
    map = ValueMap(for: forward)
    context = GradientContext(builder: FunctionBuilder(name: forward.name))
    isActive = Table(repeating: false, count: forward.values.count)
    gradients = Table(repeating: nil, count: forward.values.count)
  }

  mutating func run(from loss: ValueID, remarks: inout [Diagnostic]) -> Function {
    let ops = forward.blocks[forward.body].ops.dropLast()
    context.builder.cloneArguments(of: forward, into: &map)
    for argument in forward.arguments where argument.role == .parameter {
      isActive[argument.value] = forward.type(of: argument.value).dtype.isFloatingPoint
    }
    activity.mark(&isActive, in: forward)
    for op in ops { cloneForward(op) }

    context.location = forward.definingOp(of: loss).map { forward.ops[$0].location } ?? .unknown
    if isActive[loss] {
      gradients[loss] = context.constant(1, like: map[loss]!)
    }
    for op in ops.reversed() { visit(op) }

    var values = forward.returnedValues.map { map[$0]! }
    var results = forward.results
    var names = Set(results.map(\.name))
    for (index, argument) in forward.arguments.enumerated() where argument.role == .parameter {
      let name = forward.values[argument.value].name
      context.location = argument.location
      if let gradient = gradients[argument.value] {
        nameGradient(gradient, of: argument.value)
        values.append(gradient)
      } else {
        remarks.append(
          Diagnostic(
            "the loss does not depend on %\(name); its gradient is zero", at: argument.location,
            severity: .warning))
        let zero = context.zero(like: map[argument.value]!)
        nameGradient(zero, of: argument.value)
        values.append(zero)
      }
      var resultName = "grad.\(name.isEmpty ? String(index) : name)"
      while !names.insert(resultName).inserted { resultName += "_" }
      results.append(
        FunctionResult(
          name: resultName, role: .gradient(of: index), location: argument.location))
    }
    return context.builder.finish(returning: values, as: results)
  }

  /// Hands the gradients of an op's results on to its operands.
  mutating func visit(_ op: OpID) {
    let source = forward.ops[op]
    let results = forward.results(of: op)
    guard results.contains(where: { gradients[$0] != nil }) else { return }
    for result in results {
      if let gradient = gradients[result] { nameGradient(gradient, of: result) }
    }
    let operands = forward.operands(of: source)
    context.location = source.location
    if source.opcode.runsRoutines {
      visitControl(op)
      return
    }
    if source.opcode == .call {
      for (operand, gradient) in zip(operands, callGradients(op)) {
        if let gradient { contribute(gradient, to: operand) }
      }
      return
    }
    guard case .rule(let rule) = source.opcode.definition.gradient else {
      errors.append(
        Diagnostic(
          "'\(source.opcode.name)' has no gradient", at: source.location,
          constraint: "differentiate_c5"))
      return
    }
    context.operands = operands.map { map[$0]! }
    context.result = map[results.first!]!
    context.results = results.map { map[$0]! }
    context.resultGradients = results.map { gradients[$0] }
    context.dy = context.resultGradients.compactMap { $0 }[0]
    context.attributes = source.attributes
    context.needed = operands.map { isActive[$0] }
    context.refusal = nil
    let contributions = rule(&context)
    if let refusal = context.refusal {
      errors.append(
        Diagnostic(refusal, at: source.location, constraint: "differentiate_c5"))
      return
    }
    for (operand, gradient) in zip(operands, contributions) {
      if let gradient { contribute(gradient, to: operand) }
    }
  }

  /// Adds to the gradient of a forward value.
  mutating func contribute(_ gradient: ValueID, to value: ValueID) {
    guard isActive[value] else { return }
    guard let sum = gradients[value] else {
      gradients[value] = gradient
      return
    }
    namePart(sum, of: value)
    namePart(gradient, of: value)
    gradients[value] = context.add(sum, gradient)
  }

  /// Names one of several contributions to the gradient of a value, unless it has a name.
  private mutating func namePart(_ part: ValueID, of value: ValueID) {
    let name = forward.values[value].name
    guard !name.isEmpty, context.builder.function.values[part].name.isEmpty else { return }
    context.builder.rename(part, to: "d.\(name).part")
  }

  /// Names a complete gradient after its value, unless it already is the gradient of another.
  private mutating func nameGradient(_ gradient: ValueID, of value: ValueID) {
    let name = forward.values[value].name
    guard !name.isEmpty, context.builder.function.values[gradient].name.isEmpty else { return }
    context.builder.rename(gradient, to: "d.\(name)")
  }

  /// The gradients of a call's operands, from the callee's own gradient function: it takes the
  /// operands, the results, and the gradients of the results: zeros where there is none.
  private mutating func callGradients(_ op: OpID) -> [ValueID?] {
    let source = forward.ops[op]
    let operands = Array(forward.operands(of: source))
    let results = Array(forward.results(of: op))
    guard let callee = source.attributes.function(.callee).flatMap({ functions[$0] }),
      let name = callee.gradientFunction, let gradientFunction = functions[name]
    else {
      errors.append(
        Diagnostic(
          "the gradient function of this call does not exist", at: source.location,
          constraint: "differentiate_c6"))
      return []
    }
    let arguments =
      operands.map { map[$0]! } + results.map { map[$0]! }
      + results.map { gradients[$0] ?? context.zero(like: map[$0]!) }
    let sought = operands.indices.filter { forward.type(of: operands[$0]).dtype.isFloatingPoint }
    let types = sought.map { forward.type(of: operands[$0]) }
    let argumentTypes = arguments.map { context.type(of: $0) }
    guard gradientFunction.argumentTypes == argumentTypes, gradientFunction.resultTypes == types
    else {
      func list(_ types: [TensorType]) -> String {
        "(\(types.map(\.description).joined(separator: ", ")))"
      }
      errors.append(
        Diagnostic(
          "@\(name), the gradient of @\(callee.name), must be \(list(argumentTypes)) -> "
            + "\(list(types)), not \(list(gradientFunction.argumentTypes)) -> "
            + list(gradientFunction.resultTypes),
          at: source.location, constraint: "differentiate_c6"))
      return []
    }
    let call = context.builder.appendUnchecked(
      .call, arguments, [.callee: .function(name)], types: types, location: source.location)
    var contributions: [ValueID?] = Array(repeating: nil, count: operands.count)
    for (index, value) in zip(sought, context.builder.function.results(of: call)) {
      contributions[index] = value
    }
    return contributions
  }
}
