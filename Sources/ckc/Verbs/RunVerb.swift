// `ckc run`

import CheckpointCompiler
import Foundation

/// Compiles a graph, runs one step, and shows or saves what it computes.
enum RunVerb {
  static func run(_ arguments: Arguments, console: Console) throws {
    let job = try GraphJob(arguments, lastStage: .code)
    let given = try GivenValues(arguments)
    let seed = arguments.seed
    let savePath = arguments.text(.save)
    guard let compilation = try job.compile(console: console) else { return }
    let function = try compilation.plannedStep.function
    let values = try given.resolved(
      for: function, classes: compilation.module.labelClasses)
    let step = try StepToolchain(arguments).step(compilation)
    try step.initialize(seed: seed)
    let examples = ExampleInputs(
      seed: seed,
      learningRate: (job.options.optimizer ?? .sgd(weightDecay: 0)).usualLearningRate)
    for index in function.arguments.indices {
      if let value = values[index] {
        try step.setArgument(index, to: value)
      } else if function.isKey(index) || function.isLearningRate(index) {
        try step.setArgument(
          index, to: examples.value(ofArgument: index, of: function, step: 0))
      }
    }
    let status = try step.run()
    guard status == 0 else { throw Failure(.defect, "the step returned \(status)") }

    let entries = try namedValues(of: step)
    if let savePath {
      try writeFileAtomically(try Npz.encode(entries, name: savePath), to: savePath)
    }
    if arguments.isJSON {
      var members = [JSONMember("name", .string(compilation.name))]
      members.append(JSONMember("values", .array(entries.map(describe))))
      members.append(JSONMember("arenaBytes", .integer(step.arenaBytes)))
      members.append(JSONMember("files", .array(savePath.map { [.string($0)] } ?? [])))
      console.print(JSONValue.object(members).compactText + "\n")
      return
    }
    let rows = entries.map { ["%\($0.name)", $0.tensor.type.description, summary($0.tensor)] }
    for line in alignedColumns(rows, rightAligned: [false, false, false]) {
      console.print(line + "\n")
    }
    if let savePath { console.print("written to \(savePath)\n") }
  }

  /// The results in their order, then parameters and state that were updated, in the order of the
  /// arguments and under the arguments' names: what `--inputs` takes.
  private static func namedValues(of step: any ExecutableStep) throws -> [NamedTensor] {
    let function = step.function
    var entries = try step.interface.results.map {
      NamedTensor(name: function.results[$0].name, tensor: try step.result($0))
    }
    let updated = Set(function.results.compactMap(\.updatedArgument))
    for index in function.arguments.indices where updated.contains(index) {
      var name = function.argumentName(index)
      while entries.contains(where: { $0.name == name }) { name += ".new" }
      entries.append(NamedTensor(name: name, tensor: try step.argument(index)))
    }
    return entries
  }

  /// The value of a scalar, or least, largest and mean.
  private static func summary(_ tensor: Tensor) -> String {
    let numbers = tensor.floats
    guard let figures = Figures(numbers) else { return "empty" }
    if numbers.count == 1 { return short(numbers[0]) }
    return "min \(short(figures.least))  max \(short(figures.largest))  mean \(short(figures.mean))"
      + (figures.nanCount > 0 ? "  \(figures.nanCount) NaN" : "")
  }

  private static func describe(_ entry: NamedTensor) -> JSONValue {
    var members = [
      JSONMember("name", .string(entry.name)),
      JSONMember("type", .string(entry.tensor.type.description)),
    ]
    let numbers = entry.tensor.floats
    if let figures = Figures(numbers) {
      if numbers.count == 1 { members.append(JSONMember("value", .number(numbers[0]))) }
      members.append(JSONMember("min", .number(figures.least)))
      members.append(JSONMember("max", .number(figures.largest)))
      members.append(JSONMember("mean", .number(figures.mean)))
    }
    return .object(members)
  }

  private static func short(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e15
      ? "\(Int64(number))" : significant(number, digits: 6)
  }
}

/// What some numbers look like from afar.
private struct Figures {
  var least = Double.infinity
  var largest = -Double.infinity
  var mean = 0.0
  var nanCount = 0

  init?(_ numbers: [Double]) {
    guard !numbers.isEmpty else { return nil }
    for number in numbers {
      if number.isNaN { nanCount += 1 }
      least = min(least, number)
      largest = max(largest, number)
      mean += number / Double(numbers.count)
    }
    // Where there is no number, none is the least.
    if nanCount == numbers.count { (least, largest) = (.nan, .nan) }
  }
}

/// A number with some significant digits, zeros at the end left out.
func significant(_ number: Double, digits: Int) -> String {
  String(format: "%.\(digits)g", number)
}
