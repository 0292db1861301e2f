// The comparison of the strategies as a value, a table, a drawing, and on the command line.

import CompilerTesting
import Testing

@testable import CheckpointCompiler
@testable import ckc

@Suite struct StrategyComparisonTests {
  private static func comparison() throws -> StrategyComparison {
    try StrategyComparison(
      of: try RematSamples.chain(16), name: "chain", options: SolveOptions(effort: 0.02))
  }

  @Test func rowsAreOrderedByWhatTheyPromise() throws {
    let comparison = try Self.comparison()
    #expect(comparison.rows.map(\.strategy) == RematStrategy.allCases)
    #expect(comparison.budgets.first == 17 && comparison.budgets.last == 4)
    #expect(comparison.keepAllPeakBytes == 17 && comparison.keepAllCost == 32)
    let auto = try #require(comparison.rows.first { $0.strategy == .auto })
    for index in comparison.budgets.indices {
      let best = try #require(auto.plans[index])
      #expect(best.peakBytes <= comparison.budgets[index])
      #expect(comparison.lowerBounds[index] <= best.cost)
      for row in comparison.rows {
        if let plan = row.plans[index] { #expect(best.cost <= plan.cost, "\(row.strategy)") }
      }
    }
    for row in comparison.rows {
      let costs = row.plans.map { $0?.cost ?? .infinity }
      #expect(costs == costs.sorted(), "\(row.strategy)")
      #expect(row.smallestPeakBytes >= auto.smallestPeakBytes)
    }
  }

  @Test func theTableHasARowPerStrategyAndTheBound() throws {
    let comparison = try Self.comparison()
    let lines = comparison.text().split(separator: "\n", omittingEmptySubsequences: true)
    #expect(lines[0].hasPrefix("chain: cost in % over running everything once"))
    let names = lines.dropFirst(4).map { $0.prefix { $0 != " " } }
    #expect(names.map(String.init) == RematStrategy.allCases.map(\.rawValue) + ["bound"])
    let none = try #require(lines.first { $0.hasPrefix("none") })
    #expect(none.contains("0.00") && none.contains("-") && none.hasSuffix("100 %"))
  }

  @Test func theJSONHasItsKeys() throws {
    let value = try Self.comparison().jsonValue
    #expect(
      value.objectValue?.map(\.key) == [
        "name", "keepAllPeakBytes", "keepAllCost", "budgets", "lowerBounds", "strategies",
      ])
    let rows = try #require(value["strategies"]?.arrayValue)
    #expect(rows.count == RematStrategy.allCases.count)
    #expect(
      rows[0].objectValue?.map(\.key) == [
        "strategy", "smallestPeakBytes", "peaks", "costs", "overheads",
      ])
    #expect(rows[0]["costs"]?.arrayValue?.last == .null)
  }

  @Test func theDrawingHasALinePerStrategy() throws {
    let comparison = try Self.comparison()
    let drawing = comparison.svg()
    for name in RematStrategy.allCases.map(\.rawValue) + ["bound"] {
      #expect(drawing.contains(".line-\(name) {") && drawing.contains(">\(name)</text>"))
    }
    #expect(!drawing.contains("<script") && !drawing.contains("href"))
    #expect(drawing == comparison.svg())
  }

  @Test func everyStrategyIsInTheManual() throws {
    let manual = String(decoding: try readFile(repositoryPath("docs/strategies.md")), as: UTF8.self)
    for strategy in RematStrategy.allCases {
      #expect(manual.contains("\n| `\(strategy.rawValue)` |"), "\(strategy)")
    }
  }

  @Test func theCommandLineCompares() throws {
    let work = try Workspace()
    let graph = try work.graph(3)
    let plan = runCommand("plan", graph, "--compare", "--time-limit", "0.1")
    #expect(plan.status == .done && plan.output.contains("\nmincut"))
    let both = runCommand("plan", graph, "--compare", "--pareto")
    #expect(both.status == .usage)
    let problem = try work.write("chain.json", RematSamples.chain(8).json())
    let half = runCommand(
      "solve", problem, "--compare", "--budget", "60%", "--json", "--time-limit", "0.1")
    #expect(half.status == .done)
    let value = try JSONValue.parse(Array(half.output.utf8))
    #expect(value["budgets"]?.arrayValue == [5])
    let drawing = runCommand(
      "solve", problem, "--compare", "--format", "svg", "--budget", "min", "--time-limit", "0.1")
    #expect(drawing.output.hasPrefix("<svg "))
    #expect(runCommand("solve", problem, "--format", "svg").status == .usage)
    #expect(runCommand("solve", problem, "--compare", "--format", "dot").status == .usage)
    let named = runCommand("solve", problem, "--strategy", "revolve", "--budget", "60%")
    #expect(named.status == .done && named.output.contains("\"status\":\"feasible\""))
    let tight = runCommand("solve", problem, "--strategy", "none", "--budget", "60%")
    #expect(tight.status == .budget)
  }
}
