// What the scripts of the peers read, in a temporary folder: the scripts, the sizes, the numbers.

import CheckpointCompiler

/// The files of one model.
enum PeerFiles {
  /// Writes everything.
  ///
  /// - Throws: Why a file cannot be written.
  static func write(
    _ model: BenchModel, _ numbers: ModelNumbers, threads: Int,
    into folder: borrowing TemporaryDirectory
  ) throws(BenchError) {
    let description = JSONValue.object([
      JSONMember("network", .string(model.name)),
      JSONMember("learning_rate", .number(model.learningRate)),
      JSONMember("threads", .integer(threads)),
      JSONMember("dimensions", .object(model.dimensions)),
    ])
    var batch = OutputBatch()
    batch.add(PackageResources.peer_py, to: folder.file("peer.py"))
    batch.add(PackageResources.torch_peer_py, to: folder.file("torch_peer.py"))
    batch.add(PackageResources.jax_peer_py, to: folder.file("jax_peer.py"))
    batch.add(description.prettyText, to: folder.file("model.json"))
    do {
      for (name, arrays) in [
        ("torch.npz", numbers.arrays(model.text)), ("graph.npz", numbers.arrays()),
      ] {
        batch.add(try Npz.encode(arrays, name: name), to: folder.file(name))
      }
      try batch.commit()
    } catch let error as Diagnostic {
      throw BenchError(message: error.message)
    } catch {
      throw BenchError(message: "\(error)")
    }
  }
}
