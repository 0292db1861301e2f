// Planning problems as JSON, and what is refused.

import Testing

@testable import CheckpointCompiler

@Suite struct RematProblemTests {
  @Test func jsonRoundTrip() throws {
    for seed in 0..<10 as Range<UInt64> {
      let problem = try RematSamples.random(20, seed: seed)
      #expect(try RematProblem(json: Array(problem.json().utf8)) == problem)
    }
  }

  @Test func readsTheDocumentedKeysAndSkipsOthers() throws {
    let text = """
      {"constantBytes": 12, "extra": {"a": [1, {"b": "]"}]}, "nodes": [
        {"name": "a\\u0041\\n", "cost": 1.5, "outputs": [4, 0], "inputs": [], "cheap": true},
        {"cost": 2, "outputs": [8], "inputs": [[0, 1]], "scratch": 3, "keep": [true],
         "once": true, "invalidates": [0]}], "budget": 16}
      """
    let problem = try RematProblem(json: Array(text.utf8))
    #expect(problem.budgetBytes == 16)
    #expect(
      problem.nodes == [
        .init(name: "aA\n", cost: 1.5, outputBytes: [4, 0], isCheap: true),
        .init(
          cost: 2, outputBytes: [8], inputs: [.init(node: 0, output: 1)], scratchBytes: 3,
          keep: [true], isOnce: true, invalidates: [0]),
      ])
  }

  @Test(arguments: [
    (#"{"nodes":[{"cost":-1,"outputs":[1],"inputs":[]}]}"#, "cost", 10),
    (#"{"nodes":[{"cost":1,"outputs":[-4],"inputs":[]}]}"#, "negative", 10),
    (#"{"nodes":[{"cost":1,"outputs":[],"inputs":[]}]}"#, "no output", 10),
    (#"{"nodes":[{"cost":1,"outputs":[1],"inputs":[[0,0]]}]}"#, "does not stand before", 10),
    (#"{"nodes":[{"cost":1,"outputs":[1],"inputs":[[7,0]]}]}"#, "does not exist", 10),
    (#"{"nodes":[{"cost":1,"outputs":[1.5],"inputs":[]}]}"#, "whole number", 31),
    (#"{"nodes":[{"outputs":[1],"inputs":[]}]}"#, "no \"cost\"", 10),
    (#"{"nodes":[{"cost":1,"outputs":[1],"inputs":[[0]]}]}"#, "[node, output]", 44),
    (#"{"nodes":[{"cost":1,"outputs":[9223372036854775807],"inputs":[]}]}"#, "exceed", 10),
    (#"{"nodes":[] "budget":3}"#, "expected ',' or '}'", 12),
    (#"{"budget":3}"#, "no \"nodes\"", 0),
    (#"{"nodes":[]} x"#, "after the end", 13),
    (#"{"nodes":[{"cost":1,"outputs":[1],"invalidates":[0]}]}"#, "invalidates node 0", 10),
    (#"{"nodes":[{"cost":+1,"outputs":[1]}]}"#, "expected a number", 18),
    (#"{"nodes":[{"cost":01,"outputs":[1]}]}"#, "does not start with 0", 19),
    (#"{"nodes":[{"cost":1.,"outputs":[1]}]}"#, "a digit after '.'", 20),
    (#"{"nodes":[{"cost":1,"outputs":[1],"outputs":[2]}]}"#, "'outputs' is given twice", 34),
    (#"{"nodes":[],"nodes":[]}"#, "'nodes' is given twice", 12),
    (#"{"nodes":[],"x":[1}}"#, "expected ',' or ']'", 18),
    (#"{"nodes":[],"x":{"a":1]}"#, "expected ',' or '}'", 22),
    (#"{"nodes":[],"x":{1:2}}"#, "expected a string", 17),
    (#"{"nodes":[],"x":[1,]}"#, "expected a value", 19),
    (#"{"nodes":[],"x":[1 2]}"#, "expected ',' or ']'", 19),
    (#"{"nodes":[],"x":[[]"#, "expected ',' or ']'", 19),
  ])
  func refuses(text: String, message: String, offset: Int) throws {
    let thrown = #expect(throws: Diagnostic.self) { try RematProblem(json: Array(text.utf8)) }
    let diagnostic = try #require(thrown)
    #expect(diagnostic.message.contains(message))
    #expect(Int(diagnostic.location.offset) == offset, "\(diagnostic.message)")
  }

  @Test func resultJSONHasItsKeysInOrder() throws {
    let problem = try RematProblem(nodes: [.init(cost: 2, outputBytes: [3])])
    let text = solve(problem, options: SolveOptions(budgetBytes: 5)).json(seconds: 0.5)
    #expect(
      text == """
        {"status":"optimal","budget":5,"peak":3,"cost":2,"keepAllPeak":3,"keepAllCost":2,\
        "lowerBound":2,"gap":0,"minimumBudget":3,"schedule":[["compute",0],["free",0,0]],\
        "minimumBudgetLowerBound":3,"seconds":0.5}

        """)
  }
}
