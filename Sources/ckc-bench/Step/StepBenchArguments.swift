// The command line of `ckc-bench step`.

import CheckpointCompiler

/// What is asked of the benchmark of steps.
struct StepBenchArguments {
  static let usage = """
    usage: ckc-bench step [--model NAME,…] [--size full|tiny] [--threads N] [--budget B,…] [--steps N]
                          [--numbers DIR] [--cc PATH] [--json] [--peers [PYTHON…]] [--modes NAME,…]
    """

  /// A budget as it was written.
  struct NamedBudget {
    var name: String
    var budget = Budget.unlimited
    /// How much slower than the fastest plan a smaller one may be; nil where only the budget counts.
    var maxOverhead: Double?
  }

  var networks = BenchModel.Network.allCases
  var size = BenchModel.Size.full
  var threads = 2
  var budgets = [NamedBudget(name: "unlimited")]
  /// How many steps are timed at least.
  var steps = 15
  /// A folder with `NAME.npz` and `losses.json`.
  var numbers: String?
  var compiler: String?
  var printsJSON = false
  /// The interpreters in which to look for peers; nil where none is asked for.
  var interpreters: [String]?
  /// The names of the modes to measure; nil for all.
  var modes: [String]?

  init(_ words: [String]) throws(BenchError) {
    var rest = words[...]
    while let word = rest.popFirst() {
      switch word {
      case "--model":
        networks = try Self.list(rest.popFirst()).map { name throws(BenchError) in
          guard let network = BenchModel.Network(rawValue: name) else {
            let names = BenchModel.Network.allCases.map(\.rawValue).joined(separator: ", ")
            throw BenchError(message: "there is no model '\(name)'; there are \(names)")
          }
          return network
        }
      case "--size":
        let name = rest.popFirst() ?? ""
        guard let size = BenchModel.Size(rawValue: name) else {
          throw BenchError(message: "--size takes 'full' or 'tiny', not '\(name)'")
        }
        self.size = size
      case "--threads": threads = try Self.count("--threads", rest.popFirst(), in: 1...256)
      case "--steps": steps = try Self.count("--steps", rest.popFirst(), in: 1...100_000)
      case "--budget":
        budgets = try Self.list(rest.popFirst()).map(Self.budget)
      case "--numbers": numbers = rest.popFirst()
      case "--cc": compiler = rest.popFirst()
      case "--json": printsJSON = true
      case "--modes": modes = Self.list(rest.popFirst())
      case "--peers":
        var named: [String] = []
        while let next = rest.first, !next.hasPrefix("-") {
          named.append(next)
          rest.removeFirst()
        }
        interpreters = named.isEmpty ? ["python3"] : named
      default: throw BenchError(message: "unknown option '\(word)'\n\(Self.usage)")
      }
    }
    if networks.isEmpty || budgets.isEmpty { throw BenchError(message: Self.usage) }
  }

  private static func list(_ text: String?) -> [String] {
    (text ?? "").split(separator: ",").map(String.init)
  }

  private static func count(
    _ option: String, _ text: String?, in range: ClosedRange<Int>
  ) throws(BenchError) -> Int {
    guard let count = Int(text ?? ""), range.contains(count) else {
      throw BenchError(
        message: "\(option) takes a number from \(range.lowerBound) to \(range.upperBound), "
          + "not '\(text ?? "")'")
    }
    return count
  }

  /// A budget: `unlimited`, `min`, a percentage, bytes with or without a unit, or `+5%`: the least
  /// memory for at most so much more time.
  private static func budget(_ text: String) throws(BenchError) -> NamedBudget {
    if text.hasPrefix("+"), text.hasSuffix("%"), let percent = Double(text.dropFirst().dropLast()),
      percent >= 0, percent <= 1000
    {
      return NamedBudget(name: text, maxOverhead: percent / 100)
    }
    return NamedBudget(name: text, budget: try memory(text))
  }

  private static func memory(_ text: String) throws(BenchError) -> Budget {
    let units =
      [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("KB", 1000)]
      + [("MB", 1_000_000), ("GB", 1_000_000_000), ("", 1)]
    if text == "unlimited" { return .unlimited }
    if text == "min" { return .minimum }
    if text.hasSuffix("%"), let percent = Double(text.dropLast()), percent > 0, percent <= 100 {
      return .percent(percent)
    }
    for (unit, size) in units where text.hasSuffix(unit) {
      if let number = Double(text.dropLast(unit.count)), number > 0, number < 1e12 {
        return .bytes(Int(number * Double(size)))
      }
    }
    throw BenchError(
      message: "--budget takes 'unlimited', 'min', '50%', '64MiB' or '+5%', not '\(text)'")
  }
}
