// A StableHLO program with its inputs and what it must give.
//
// Checks      A program may hold its inputs and expectations as constants, compared by
//             `custom_call @check.expect_…`.
// Sidecar     `NAME.json` beside `NAME.mlir` may list `arguments` and `results` in order, each with the `file`
//             (`.npz`) and `key` of its value, and a `tolerance`. Without files the program is planned only.
// Gradients   `fwd.mlir` beside `grad.json` is also differentiated: by the arguments whose gradients are
//             results there. The result for the argument `params.w` or `w` is called `grads.w` or `grad.w`.

import CheckpointCompiler
import Foundation

/// One program.
struct ConformanceCase {
  /// A result that is compared.
  enum Place {
    /// The result at an index.
    case result(Int)
    /// The gradient with respect to the argument at an index.
    case gradient(Int)
  }

  /// What a result is compared with.
  enum Expectation {
    /// Another result of the program.
    case result(Int)
    /// A value from a file.
    case value(Tensor)
  }

  /// One comparison.
  struct Check {
    var place: Place
    var expectation: Expectation
    var agreement: Agreement
  }

  var module: Module
  var sources: SourceMap
  /// One value per argument; nil where the program is planned only.
  var arguments: [Tensor]?
  var checks: [Check]
  /// Bytes of temporary memory that XLA takes, where the sidecar tells.
  var peerBytes: Int?
  /// Seconds to read the text.
  var readSeconds: Double
  var opCount: Int { module.functions.reduce(0) { $0 + $1.ops.count } }

  /// Reads a program.
  ///
  /// - Throws: Every error of the text, rendered, or what is wrong with its sidecar.
  init(_ file: ConformanceFile) throws(BenchError) {
    let url = URL(fileURLWithPath: file.path)
    let start = ContinuousClock.now
    sources = SourceMap()
    let sidecar = try file.sidecarPath.flatMap { path throws(BenchError) in
      try Sidecar(path: path)
    }
    var options = StableHLOOptions(keepsChecks: true)
    if file.isDifferentiated, let sidecar {
      options.roles = GraphRoles(
        loss: "0", parameters: sidecar.gradients.map { "\($0.argument)" })
    }
    let imported: ImportedStableHLO
    do {
      let text = try Data(contentsOf: url)
      let syntax = try parseStableHLO(
        [UInt8](text), name: url.lastPathComponent, sources: &sources)
      imported = try importStableHLO(
        syntax, options: options, sources: &sources)
    } catch let error as DiagnosticList {
      let places = DiagnosticRenderer(sources: sources)
      throw BenchError(message: places.render(error.diagnostics))
    } catch {
      throw BenchError(message: error.localizedDescription)
    }
    readSeconds = start.duration(to: .now) / .seconds(1)
    module = imported.module
    checks = []
    for check in imported.checks {
      guard let agreement = Agreement(check: check.kind) else {
        throw BenchError(message: "there is no check.\(check.kind)")
      }
      checks.append(
        Check(
          place: .result(check.actual), expectation: .result(check.expected),
          agreement: agreement))
    }
    if module.entry.arguments.isEmpty { arguments = [] }
    if let sidecar {
      peerBytes = sidecar.peerBytes
      do {
        try take(sidecar, gradients: file.isDifferentiated)
      } catch {
        throw BenchError(message: "sidecar: \(error.message)")
      }
    }
  }

  /// Takes the values of a sidecar, where it names files.
  private mutating func take(_ sidecar: Sidecar, gradients: Bool) throws(BenchError) {
    let types = module.entry.argumentTypes
    guard sidecar.arguments.count == types.count else {
      throw BenchError(
        message: "it has \(sidecar.arguments.count) arguments, the program \(types.count)")
    }
    var values: [Tensor] = []
    for (entry, type) in zip(sidecar.arguments, types) {
      guard let tensor = try sidecar.value(entry, type) else { return }
      values.append(tensor)
    }
    arguments = values
    if gradients {
      for (result, argument) in sidecar.gradients {
        try addCheck(.gradient(argument), sidecar.results[result], types[argument], sidecar)
      }
    } else {
      for (index, type) in module.entry.resultTypes.enumerated()
      where index < sidecar.results.count {
        try addCheck(.result(index), sidecar.results[index], type, sidecar)
      }
    }
  }

  private mutating func addCheck(
    _ place: Place, _ entry: JSONValue, _ type: TensorType, _ sidecar: Sidecar
  ) throws(BenchError) {
    guard let tensor = try sidecar.value(entry, type) else { return }
    let tolerance = entry["tolerance"]?.doubleValue ?? 0
    checks.append(
      Check(place: place, expectation: .value(tensor), agreement: .within(tolerance)))
  }

  /// What is wrong with the results of the entry, differentiated where that was asked for; nil where all
  /// checks hold.
  func complaint(_ results: [Tensor], of function: Function) -> String? {
    for check in checks {
      let place =
        switch check.place {
        case .result(let index): index
        case .gradient(let argument):
          function.results.firstIndex { $0.role == .gradient(of: argument) }!
        }
      let expected =
        switch check.expectation {
        case .result(let index): results[index]
        case .value(let tensor): tensor
        }
      if let complaint = check.agreement.complaint(results[place], expected) {
        return "%\(function.results[place].name): \(complaint)"
      }
    }
    return nil
  }
}
