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

  /// The losses of the model from the numbers that the bench makes; nil where they are not known.
  ///
  /// They are PyTorch's, from the script of the peers in the mode `eager_f64`.
  init?(of model: BenchModel) {
    name = "torch f64"
    switch (model.network, model.size) {
    case (.mlp, .tiny):
      losses = [2.160917829, 1.782965874, 1.509970578, 1.303853246, 1.153720111]
    case (.mlp, .full):
      losses = [2.977108152, 7.570853176, 4.389787801, 2.654251894, 2.205027353]
    case (.deepmlp, .tiny):
      losses = [0.684589687, 0.645792459, 0.610920915, 0.581429106, 0.558831232]
    case (.deepmlp, .full):
      losses = [0.696829367, 0.668065214, 0.654670411, 0.647505975, 0.637429101]
    case (.resnet18, .full):
      losses = [2.467937456, 2.205778917, 1.991040839, 1.810165165, 1.655140248]
      squaresOfStatistics = 6729.564646170
    case (.resnet18, .tiny):
      losses = [2.301870094, 1.461584226, 1.060923449, 0.845030059, 0.698888784]
      squaresOfStatistics = 798.279116226
    case (.gpt, .full):
      losses = [4.632174201, 4.936281314, 4.602035267, 4.426662066, 4.287858411]
    case (.gpt, .tiny):
      losses = [4.499438106, 3.898035430, 3.356244358, 2.977962259, 2.847096918]
    case (.gptWithDropout, .full):
      losses = [4.627739468, 4.837209031, 4.544670860, 4.404032686, 4.279206832]
    case (.gptWithDropout, .tiny):
      losses = [4.477016799, 3.946867732, 3.730372207, 3.564462182, 3.354454684]
    case (.unet, .full):
      losses = [2.452839593, 1.474023041, 1.312887308, 1.259042051, 1.225803443]
    case (.unet, .tiny):
      losses = [2.456485385, 2.154674153, 1.937555900, 1.775042999, 1.666813326]
    case (.mobilenet, .full):
      losses = [2.288932805, 2.037248209, 1.855812291, 1.711746574, 1.593090743]
      squaresOfStatistics = 8484.435503426
    default: return nil
    }
  }
}
