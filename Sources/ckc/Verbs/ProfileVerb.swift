// `ckc profile`

import CheckpointCompiler

/// Measures every kernel that plans of a graph may run, on this machine.
enum ProfileVerb {
  private static let seconds = 1.0
  private static let rowsMax = 20

  static func run(_ arguments: Arguments, console: Console) throws {
    let job = try GraphJob(arguments, lastStage: .code)
    let toolchain = try StepToolchain(arguments)
    let path = arguments.text(.output)
    guard let compilation = try job.compile(console: console) else { return }
    func measured(_ compilation: Compilation) throws -> [KernelTime] {
      guard let function = compilation.step?.function else { return [] }
      // Weights that drift away would change what branches and denormals cost.
      return try toolchain.kernelTimes(
        compilation, seconds: seconds, start: Self.exampleArguments(of: function))
    }
    let times = try measured(compilation)
    // A plan for another budget may run other kernels.
    var others: [KernelTime] = []
    var keys = Set(times.map(\.key))
    while let variant = try compilation.keepAll(beyond: keys) {
      let fresh = try measured(variant).filter { keys.insert($0.key).inserted }
      if fresh.isEmpty { break }
      others += fresh
    }
    let costs: JSONValue = [
      "machine": toolchain.machine,
      "kernels": .object(
        (times + others).sorted { $0.key < $1.key }.map {
          JSONMember($0.key, .number($0.measuredNs))
        }),
    ]
    if let path { try writeFileAtomically(Array(costs.prettyText.utf8), to: path) }
    if arguments.isJSON {
      console.print(costs.compactText + "\n")
      return
    }
    console.print(table(times))
    if !others.isEmpty { console.print("\(others.count) kinds of kernels of other plans\n") }
    if let path { console.print("written to \(path)\n") }
  }

  /// The values of all arguments: examples of inputs, first values of the rest.
  private static func exampleArguments(of function: Function) throws -> [Tensor] {
    try HostMemory.require(argumentsOf: function)
    let (examples, values) = (ExampleInputs(seed: 0), InitialValues(seed: 0))
    return function.arguments.indices.map { index in
      function.arguments[index].role == .input
        ? examples.value(ofArgument: index, of: function, step: 0)
        : values.value(ofArgument: index, of: function)
    }
  }

  /// The most expensive kinds of kernels, and all of them together.
  private static func table(_ times: [KernelTime]) -> String {
    func total(_ time: KernelTime) -> Double { time.measuredNs * Double(time.count) }
    let sorted = times.enumerated().sorted {
      (total($1.element), $0.offset) < (total($0.element), $1.offset)
    }.map(\.element)
    let all = times.reduce(0) { $0 + total($1) }
    var rows = [["share", "measured", "predicted", "times", "kernel", ""]]
    for time in sorted.prefix(rowsMax) {
      rows.append([
        describePercent(all > 0 ? total(time) / all : 0), describeNs(time.measuredNs),
        describeNs(time.predictedNs), "\(time.count)", "%\(time.name)", time.key,
      ])
    }
    var text = ""
    let right = [true, true, true, true, false, false]
    for line in alignedColumns(rows, rightAligned: right) { text += line + "\n" }
    let rest = sorted.count - rowsMax
    if rest > 0 { text += "and \(rest) more kinds of kernels\n" }
    let kernels = times.reduce(0) { $0 + $1.count }
    return text + "\(describeNs(all)) in \(kernels) kernels of \(times.count) kinds\n"
  }
}
