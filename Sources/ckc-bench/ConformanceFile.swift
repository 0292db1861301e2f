// The programs of a folder, and what their sidecars say.

import CheckpointCompiler
import Foundation

/// A program to try.
struct ConformanceFile: Sendable {
  /// Where the text is.
  var path: String
  /// What the table calls it.
  var name: String
  /// Where its sidecar is, if it has one.
  var sidecarPath: String?
  /// Whether gradients are to be derived from it.
  var isDifferentiated = false

  /// The programs of files and folders, in the order of their names.
  static func files(in paths: [String]) throws(BenchError) -> [ConformanceFile] {
    var files: [ConformanceFile] = []
    for path in paths {
      var isDirectory: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
        throw BenchError(message: "'\(path)' does not exist")
      }
      guard isDirectory.boolValue else {
        add(path, name: URL(fileURLWithPath: path).lastPathComponent, to: &files)
        continue
      }
      let inside = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
      for name in inside.sorted() where name.hasSuffix(".mlir") {
        add("\(path)/\(name)", name: String(name.dropLast(5)), to: &files)
      }
    }
    return files
  }

  private static func add(_ path: String, name: String, to files: inout [ConformanceFile]) {
    let url = URL(fileURLWithPath: path)
    func existing(_ url: URL) -> String? {
      FileManager.default.fileExists(atPath: url.path) ? url.path : nil
    }
    let own = url.deletingPathExtension().appendingPathExtension("json")
    files.append(ConformanceFile(path: path, name: name, sidecarPath: existing(own)))
    let gradients = url.deletingLastPathComponent().appendingPathComponent("grad.json")
    if url.lastPathComponent == "fwd.mlir", let sidecar = existing(gradients) {
      files.append(
        ConformanceFile(
          path: path, name: name + " differentiated", sidecarPath: sidecar, isDifferentiated: true))
    }
  }
}

/// The values of arguments and results in the files that a sidecar names.
final class Sidecar {
  /// What is known of every argument.
  let arguments: [JSONValue]
  /// What is known of every result.
  let results: [JSONValue]
  /// Bytes of temporary memory that XLA takes, where that is known.
  let peerBytes: Int?
  private let directory: URL
  private var files: [String: [String: Tensor]] = [:]

  init(path: String) throws(BenchError) {
    let url = URL(fileURLWithPath: path)
    directory = url.deletingLastPathComponent()
    do {
      let json = try JSONValue.parse([UInt8](Data(contentsOf: url)))
      arguments = json["arguments"]?.arrayValue ?? []
      results = json["results"]?.arrayValue ?? []
      let peer = json["xla_cpu_without_jax_checkpoint"] ?? json["xla_cpu"]
      peerBytes = peer?["memory"]?["temp_bytes"]?.intValue
    } catch let error as Diagnostic {
      throw BenchError(message: "\(path): \(error.message)")
    } catch {
      throw BenchError(message: "\(path): \(error.localizedDescription)")
    }
  }

  /// The results that are gradients, each with the argument that it belongs to.
  var gradients: [(result: Int, argument: Int)] {
    results.enumerated().compactMap { index, result in
      guard let name = result["name"]?.stringValue,
        let prefix = ["grads.", "grad."].first(where: { name.hasPrefix($0) })
      else { return nil }
      let rest = name.dropFirst(prefix.count)
      let argument = arguments.firstIndex {
        $0["name"]?.stringValue == "params.\(rest)" || $0["name"]?.stringValue == String(rest)
      }
      return argument.map { (index, $0) }
    }
  }

  /// The value of an argument or result; nil where no file has it.
  func value(_ entry: JSONValue, _ type: TensorType) throws(BenchError) -> Tensor? {
    guard let file = entry["file"]?.stringValue, let key = entry["key"]?.stringValue else {
      return nil
    }
    if files[file] == nil {
      do {
        let bytes = try Data(contentsOf: directory.appendingPathComponent(file))
        let tensors = try Npz.decode([UInt8](bytes), name: file)
        files[file] = Dictionary(
          tensors.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
      } catch let error as Diagnostic {
        throw BenchError(message: error.message)
      } catch {
        throw BenchError(message: error.localizedDescription)
      }
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
}
