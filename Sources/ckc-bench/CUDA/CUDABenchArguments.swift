// The command line of `ckc-bench cuda`.

import CheckpointCompiler

/// What is asked of the benchmark on a device.
struct CUDABenchArguments {
  static let usage = """
    usage: ckc-bench cuda [--model NAME,…] [--size full|tiny] [--budget B,…] [--steps N]
                          [--target cuda:NAME] [--nvcc PATH] [--cublas DIR] [--products M.N.K,…]
    """

  /// A product of matrices, `rows` by `depth` and `depth` by `columns`.
  struct Product: Equatable {
    var rows: Int
    var columns: Int
    var depth: Int
    var flops: Double { 2 * Double(rows) * Double(columns) * Double(depth) }
  }

  /// Models, budgets and counts, as `ckc-bench step` takes them.
  var step: StepBenchArguments
  /// What plans are made for; nil for the description that is nearest to the device.
  var target: Target?
  var compiler: String?
  /// The folder with cuBLAS's `include` and `lib`; nil where nvcc finds it by itself.
  var cublas: String?
  var products: [Product]

  init(_ words: [String]) throws(BenchError) {
    var rest = words[...]
    var others: [String] = []
    var products: [Product]?
    while let word = rest.popFirst() {
      switch word {
      case "--target":
        let name = rest.popFirst() ?? ""
        guard let target = Target(name: name, threadsMax: 1), target.isCUDA else {
          let names = GPU.all.map { "cuda:\($0.name)" }.joined(separator: ", ")
          throw BenchError(message: "--target takes one of \(names), not '\(name)'")
        }
        self.target = target
      case "--nvcc": compiler = rest.popFirst()
      case "--cublas": cublas = rest.popFirst()
      case "--products":
        products = try (rest.popFirst() ?? "").split(separator: ",").map(Self.product)
      case "--model", "--size", "--budget", "--steps":
        others += [word] + (rest.popFirst().map { [$0] } ?? [])
      default: throw BenchError(message: "unknown option '\(word)'\n\(Self.usage)")
      }
    }
    step = try StepBenchArguments(others)
    let sizes = step.size == .full ? Self.sizes : [[48, 48, 48]]
    self.products =
      products ?? sizes.map { Product(rows: $0[0], columns: $0[1], depth: $0[2]) }
  }

  /// Squares, and the products of `mlp` and `gpt`: rows, columns, depth.
  private static let sizes = [
    [1024, 1024, 1024], [2048, 2048, 2048], [4096, 4096, 4096], [256, 1024, 1024],
    [2048, 1152, 384], [2048, 1536, 384], [2048, 384, 1536],
  ]

  private static func product(_ text: Substring) throws(BenchError) -> Product {
    let sizes = text.split(separator: ".").compactMap { Int($0) }
    guard sizes.count == 3, sizes.allSatisfy({ (1...65_536).contains($0) }) else {
      throw BenchError(message: "--products takes sizes such as 1024.512.256, not '\(text)'")
    }
    return Product(rows: sizes[0], columns: sizes[1], depth: sizes[2])
  }
}
