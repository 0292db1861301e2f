// A StableHLO program with its inputs and what it must give.
//
// Checks      A program may hold its inputs and expectations as constants, compared by
//             `custom_call @check.expect_…`.
// Sidecar     `NAME.json` beside `NAME.mlir` may list `arguments` and `results` in order, each with the `file`
//             (`.npz`) and `key` of its value, and a `tolerance`. Without files the program is planned only.

import CheckpointCompiler
import Foundation

/// One program.
struct ConformanceCase {
  /// What a result is compared with.
  enum Expectation {
    /// Another result of the program.
    case result(Int)
    /// A value from a file.
    case value(Tensor)
  }

  /// One comparison.
  struct Check {
    var result: Int
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
  init(path: String) throws(BenchError) {
    let url = URL(fileURLWithPath: path)
    let start = ContinuousClock.now
    sources = SourceMap()
    let imported: ImportedStableHLO
    do {
      let text = try Data(contentsOf: url)
      let syntax = try parseStableHLO(
        [UInt8](text), name: url.lastPathComponent, sources: &sources)
      imported = try importStableHLO(
        syntax, options: StableHLOOptions(keepsChecks: true), sources: &sources)
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
        Check(result: check.actual, expectation: .result(check.expected), agreement: agreement))
    }
    if module.entry.arguments.isEmpty { arguments = [] }
    let sidecar = url.deletingPathExtension().appendingPathExtension("json")
    if let text = try? Data(contentsOf: sidecar) {
      try readSidecar([UInt8](text), directory: url.deletingLastPathComponent())
    }
  }

  private mutating func readSidecar(
    _ text: [UInt8], directory: URL
  ) throws(BenchError) {
    do {
      let json = try JSONValue.parse(text)
      let peer = json["xla_cpu_without_jax_checkpoint"] ?? json["xla_cpu"]
      peerBytes = peer?["memory"]?["temp_bytes"]?.intValue
      var files: [String: [String: Tensor]] = [:]
      func value(_ entry: JSONValue, _ type: TensorType) throws -> Tensor? {
        guard let file = entry["file"]?.stringValue, let key = entry["key"]?.stringValue else {
          return nil
        }
        if files[file] == nil {
          let bytes = try Data(contentsOf: directory.appendingPathComponent(file))
          let tensors = try Npz.decode([UInt8](bytes), name: file)
          files[file] = Dictionary(
            tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
        }
        guard let tensor = files[file]?[key] else {
          throw BenchError(message: "\(file) has no entry '\(key)'")
        }
        guard tensor.type.shape == type.shape, tensor.bytes.count == type.sizeBytes else {
          throw BenchError(message: "'\(key)' of \(file) is \(tensor.type), not \(type)")
        }
        // A dtype that numpy lacks stands there as unsigned integers of its width.
        return Tensor(type, bytes: tensor.bytes)
      }
      let types = module.entry.argumentTypes
      let entries = json["arguments"]?.arrayValue ?? []
      guard entries.count == types.count else {
        throw BenchError(
          message: "the sidecar has \(entries.count) arguments, the program \(types.count)")
      }
      var values: [Tensor] = []
      for (entry, type) in zip(entries, types) {
        guard let tensor = try value(entry, type) else { return }
        values.append(tensor)
      }
      arguments = values
      for (index, entry) in (json["results"]?.arrayValue ?? []).enumerated() {
        guard index < module.entry.results.count else { break }
        guard let tensor = try value(entry, module.entry.resultTypes[index]) else { continue }
        checks.append(
          Check(
            result: index, expectation: .value(tensor),
            agreement: .within(entry["tolerance"]?.doubleValue ?? 0)))
      }
    } catch let error as BenchError {
      throw error
    } catch let error as Diagnostic {
      throw BenchError(message: "sidecar: \(error.message)")
    } catch {
      throw BenchError(message: "sidecar: \(error.localizedDescription)")
    }
  }

  /// What is wrong with the results; nil where all checks hold.
  func complaint(_ results: [Tensor]) -> String? {
    for check in checks {
      let expected =
        switch check.expectation {
        case .result(let index): results[index]
        case .value(let tensor): tensor
        }
      if let complaint = check.agreement.complaint(results[check.result], expected) {
        return "%\(module.entry.results[check.result].name): \(complaint)"
      }
    }
    return nil
  }
}
