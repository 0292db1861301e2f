// The losses that a model must have: from a file, or those of PyTorch in double precision.
//
// File        `losses.json`: for every model `torch_f64`, or `torch`, with the losses of five steps, and
//             `torch_f64_checksums_after_5` or `torch_checksums_after_5` with `running_stats`, a sum of
//             squares.

import CheckpointCompiler

extension Curve {
  /// The losses of the model in `losses.json` of a folder; nil where the folder has none.
  ///
  /// - Throws: What is wrong with the file.
  init?(of model: BenchModel, inFolder folder: String) throws(BenchError) {
    let path = "\(folder)/losses.json"
    guard let bytes = try? readFile(path) else { return nil }
    let file: JSONValue
    do {
      file = try JSONValue.parse(bytes)
    } catch {
      throw BenchError(message: "\(path): \(error.message)")
    }
    guard let entry = file[model.name],
      let key = ["torch_f64", "torch"].first(where: { entry[$0] != nil })
    else { return nil }
    name = key
    losses = (entry[key]?.arrayValue ?? []).compactMap(\.doubleValue)
    squaresOfStatistics =
      entry["\(key)_checksums_after_5"]?["running_stats"]?.doubleValue
  }

  /// The losses of the model from the numbers that the bench makes.
  init(of model: BenchModel) {
    let known = Self.known(model)
    name = "torch f64"
    losses = known.losses
    squaresOfStatistics = known.squares
  }

  /// The losses of PyTorch in double precision, and its running statistics.
  private static func known(_ model: BenchModel) -> (losses: [Double], squares: Double?) {
    switch (model.network, model.size) {
    default: ([], nil)
    }
  }
}
