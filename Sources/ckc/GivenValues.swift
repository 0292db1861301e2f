// The values of arguments that a command line gives, and the compiler and threads to run with.

import CheckpointCompiler
import Foundation

/// Values from `--input` and `--inputs`, by argument.
struct GivenValues {
  private let values: [(name: String, source: String, tensor: Tensor)]
  /// The number of values that `--inputs` gave.
  private let archivedCount: Int
  /// The file of `--inputs`, where it holds weights that were saved: other steps may have others.
  private let weightsPath: String?

  /// Reads the files.
  init(_ arguments: Arguments) throws {
    var values: [(name: String, source: String, tensor: Tensor)] = []
    var weightsPath: String?
    if let path = arguments.text(.inputs) {
      let bytes = try readFile(path)
      if path.hasSuffix(".safetensors") { weightsPath = path }
      let entries =
        weightsPath == nil
        ? try Npz.decode(bytes, name: path) : try Safetensors.decode(bytes, name: path).tensors
      for entry in entries {
        values.append((entry.name, "\(path): '\(entry.name)'", entry.tensor))
      }
    }
    self.weightsPath = weightsPath
    archivedCount = values.count
    for (name, path) in arguments.bindings(.input) {
      values.append((name, path, try Npy.decode(try readFile(path), name: path)))
    }
    self.values = values
  }

  /// The values of the arguments of a function; a later one counts where one is given twice.
  ///
  /// What `run --save` wrote holds results as well; those are passed over, as is the state of an
  /// optimizer among weights that `train` saved.
  ///
  /// - Parameters:
  ///   - function: The function.
  ///   - classes: The number of classes of its arguments that are labels, by name.
  /// - Returns: The values by argument.
  /// - Throws: An error for names and positions that do not exist, values of another type, and labels
  ///   of no class.
  func resolved(
    for function: Function, classes: [String: Int]
  ) throws(Diagnostic) -> [Int: Tensor] {
    if let weightsPath,
      !values.prefix(archivedCount).contains(where: { function.argument(named: $0.name) != nil })
    {
      throw Diagnostic("\(weightsPath) holds no argument of @\(function.name)")
    }
    var resolved: [Int: Tensor] = [:]
    for (place, (name, source, tensor)) in values.enumerated() {
      let plain = name.hasPrefix("%") ? String(name.dropFirst()) : name
      if place < archivedCount, function.argument(named: plain) == nil,
        weightsPath != nil || function.results.contains(where: { $0.name == plain })
      {
        continue
      }
      let index = try GivenValues.index(plain, source, function)
      let target = "%\(function.argumentName(index))"
      let value = try tensor.exactly(
        function.argumentType(index), source: source, target: target)
      try value.requireLabels(
        of: classes[function.argumentName(index)], source: source, target: target)
      resolved[index] = value
    }
    return resolved
  }

  private static func index(
    _ name: String, _ source: String, _ function: Function
  ) throws(Diagnostic) -> Int {
    if let index = function.argument(named: name) { return index }
    if let position = Int(name) {
      guard function.arguments.indices.contains(position) else {
        throw Diagnostic(
          "\(source): @\(function.name) has \(function.arguments.count) arguments, "
            + "none at position \(position)")
      }
      return position
    }
    let names = function.arguments.indices.map { function.argumentName($0) }
    throw Diagnostic(
      "\(source): @\(function.name) has no argument %\(name)"
        + Suggestion.clause(for: name, in: names, prefix: "%"))
  }
}

extension Arguments {
  /// The C compiler to use.
  func compilerDriver() throws(ToolchainError) -> CompilerDriver {
    try CompilerDriver(preferred: text(.cc))
  }

  /// The threads to run on.
  var threadCount: Int {
    let processors = max(1, ProcessInfo.processInfo.activeProcessorCount)
    return integer(.threads) ?? min(processors, Target.cpu().threadsMax)
  }

  /// The seed.
  var seed: UInt64 { UInt64(integer(.seed) ?? 0) }
}

extension GraphJob {
  /// Compiles the graph with other options, without a word about warnings.
  func compiledQuietly(
    _ change: (inout CompileOptions) -> Void
  ) throws(Failure) -> Compilation {
    var changed = options
    change(&changed)
    var sources = SourceMap()
    do {
      return try Compiler(options: changed).compile(text, fileName: fileName, sources: &sources)
    } catch {
      throw Failure(error, sources: sources)
    }
  }
}
