// The parameters that an optimizer updates.

/// A parameter and the value that is its gradient.
struct TrainedParameter {
  /// Index among the arguments.
  var argument: Int
  /// Index of the gradient among the results.
  var result: Int
  var value: ValueID
  var gradient: ValueID
  /// The name of the argument, or its index where it has none.
  var name: String
}

/// The parameters that have a gradient, in the order of the results.
///
/// - Throws: A diagnostic where there are none, or one has an update already or two gradients.
func trainedParameters(of step: Function) throws(Diagnostic) -> [TrainedParameter] {
  let values = step.returnedValues
  var updated: [Int: SourceLocation] = [:]
  for result in step.results {
    if case .update(let argument) = result.role { updated[argument] = result.location }
  }
  var trained: [TrainedParameter] = []
  for (index, result) in step.results.enumerated() {
    guard case .gradient(let argument) = result.role,
      step.arguments[argument].role == .parameter
    else { continue }
    let value = step.arguments[argument].value
    let name = step.values[value].name
    if let place = updated[argument] {
      throw Diagnostic(
        "%\(name) has a gradient and an update already; an optimizer would update it twice",
        at: result.location, constraint: "optimizer_c2",
        notes: [.note("the update is here", at: place)])
    }
    if trained.contains(where: { $0.argument == argument }) {
      throw Diagnostic(
        "%\(name) has two gradients; an optimizer takes one", at: result.location,
        constraint: "optimizer_c2")
    }
    trained.append(
      TrainedParameter(
        argument: argument, result: index, value: value, gradient: values[index],
        name: name.isEmpty ? String(argument) : name))
  }
  guard !trained.isEmpty else {
    throw Diagnostic(
      "an optimizer needs gradients, but no result of @\(step.name) is the gradient of a parameter",
      at: step.results.first?.location ?? .unknown, constraint: "optimizer_c1")
  }
  return trained
}
