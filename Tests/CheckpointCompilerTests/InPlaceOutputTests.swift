import CompilerTesting
import Testing

@testable import CheckpointCompiler

@Suite struct InPlaceOutputTests {
  static func compile(_ text: String, _ options: CompileOptions) throws -> Compilation {
    var sources = SourceMap()
    return try Compiler(options: options).compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
  }

  /// The pairs of names that the rule allows, and those that the loops prove.
  private func pairs(_ function: Function) -> (allowed: Set<String>, proven: Set<String>) {
    let order = KernelOrder(function)
    var allowed: Set<String> = []
    var proven: Set<String> = []
    for kernel in order.kernels {
      let pairs = function.inPlaceOutputs(of: kernel, order: order)
      for (output, value) in kernel.writes.enumerated() {
        for (input, root) in kernel.reads.enumerated() {
          let name = "\(function.values[value].name) over \(function.values[root].name)"
          if pairs.contains(InPlaceOutput(output: output, input: input)) { allowed.insert(name) }
          if LoweredKernel(function, kernel, order: order).mayOverwrite(root, with: value) {
            proven.insert(name)
          }
        }
      }
    }
    return (allowed, proven)
  }

  @Test(arguments: ExampleTests.names)
  func whatIsAllowedIsProvenInExamples(name: String) throws {
    let compilation = try Self.compile(
      try ExampleTests.text(name), CompileOptions(lastStage: .kernels))
    let found = pairs(try #require(compilation.grouped))
    #expect(!found.allowed.isEmpty && found.allowed.isSubset(of: found.proven))
  }

  @Test(arguments: RandomProgramTests.seeds)
  func whatIsAllowedIsProvenInRandomPrograms(seed: UInt64) throws {
    let compilation = try Self.compile(
      RandomProgram(seed: seed).text, CompileOptions(lastStage: .kernels))
    let found = pairs(try #require(compilation.grouped))
    #expect(found.allowed.isSubset(of: found.proven))
  }

  /// What `%y`, made by one fusion of these ops, may be written over.
  private func operands(
    of ops: String, _ arguments: String = "%a: f32[6,6], %b: f32[6,6]", type: String = "f32[6,6]"
  ) throws -> Set<String> {
    let text = """
      func @main(\(arguments)) -> \(type) {
        %y = fusion {
          \(ops)
          yield %k
        }
        return %y
      }
      """
    let found = pairs(try moduleOf(text).entry)
    #expect(found.allowed == found.proven)
    return found.allowed
  }

  @Test func elementwiseOperandsAreFree() throws {
    #expect(try operands(of: "%k = add %a, %b") == ["y over a", "y over b"])
    #expect(try operands(of: "%s = multiply %a, %b\n%k = add %s, %a") == ["y over a", "y over b"])
  }

  @Test func operandsReadAtOtherPlacesAreNot() throws {
    #expect(
      try operands(of: "%t = transpose %a {dims = [1, 0]}\n%k = add %t, %b") == ["y over b"])
    #expect(
      try operands(of: "%t = reverse %b {dims = [0]}\n%s = add %a, %b\n%k = add %s, %t")
        == ["y over a"])
    #expect(
      try operands(
        of: "%t = broadcast_in_dim %b {dims = [1]} : f32[6,6]\n%k = add %a, %t",
        "%a: f32[6,6], %b: f32[6]") == ["y over a"])
  }

  @Test func anotherDTypeIsNot() throws {
    #expect(
      try operands(
        of: "%t = convert %b : f32[6,6]\n%k = add %a, %t", "%a: f32[6,6], %b: i32[6,6]")
        == ["y over a"])
  }

  /// A softmax reads its operand in each of its passes, the last time when it writes.
  @Test(arguments: [0, 1])
  func aNormalizationMayReplaceItsOperand(dim: Int) throws {
    let kept = 1 - dim
    let ops = """
      %max = reduce %a {kind = max, dims = [\(dim)]}
      %most = broadcast_in_dim %max {dims = [\(kept)]} : f32[70,80]
      %less = subtract %a, %most
      %exp = exponential %less
      %sum = reduce %exp {kind = add, dims = [\(dim)]}
      %all = broadcast_in_dim %sum {dims = [\(kept)]} : f32[70,80]
      %k = divide %exp, %all
      """
    #expect(try operands(of: ops, "%a: f32[70,80]", type: "f32[70,80]") == ["y over a"])
  }

  /// `%e` is written in the first pass; the second reads `%a` again.
  @Test func aResultOfAnEarlierPassMayNot() throws {
    let text = """
      func @main(%a: f32[70,80]) -> (f32[70,80], f32[70,80]) {
        %e, %y = fusion {
          %exp = exponential %a
          %sum = reduce %a {kind = add, dims = [1]}
          %all = broadcast_in_dim %sum {dims = [0]} : f32[70,80]
          %k = divide %a, %all
          yield %exp, %k
        }
        return %e, %y
      }
      """
    let found = pairs(try moduleOf(text).entry)
    #expect(found.allowed == ["y over a"] && found.proven == ["y over a"])
  }

  /// `%e` is computed again in the second pass, so it is written there, and may replace either.
  @Test func aResultIsWrittenInTheLastPassThatComputesIt() throws {
    let text = """
      func @main(%a: f32[70,80], %b: f32[70,80]) -> (f32[70,80], f32[70,80]) {
        %e, %y = fusion {
          %sum = add %a, %b
          %all = reduce %sum {kind = add, dims = [1]}
          %wide = broadcast_in_dim %all {dims = [0]} : f32[70,80]
          %k = divide %sum, %wide
          yield %sum, %k
        }
        return %e, %y
      }
      """
    let found = pairs(try moduleOf(text).entry)
    #expect(found.allowed == ["e over a", "e over b", "y over a", "y over b"])
    #expect(found.proven == found.allowed)
  }

  /// Through a view the operand is read in another shape, so by another index.
  @Test func aValueReadAlsoAsAViewMayNot() throws {
    let text = """
      func @main(%a: f32[6,6], %b: f32[6,6]) -> f32[6,6] {
        %v = reshape %a : f32[36]
        %y = fusion {
          %s = slice %v {start = [6], limit = [12]}
          %t = broadcast_in_dim %s {dims = [1]} : f32[6,6]
          %u = add %a, %b
          %k = add %t, %u
          yield %k
        }
        return %y
      }
      """
    let found = pairs(try moduleOf(text).entry)
    #expect(found.allowed == ["y over b"] && found.proven == ["y over b"])
  }

  @Test func aScatterMayReplaceWhatItUpdates() throws {
    func text(_ updates: String) -> String {
      """
      func @main(%a: f32[4,8], %i: i32[4], %u: f32[4,8]) -> f32[4,8] {
        %y = scatter %a, %i, \(updates) {kind = add, update_window_dims = [1],
            inserted_window_dims = [0], scatter_dims = [0], index_vector_dim = 1}
        return %y
      }
      """
    }
    let found = pairs(try moduleOf(text("%u")).entry)
    #expect(found.allowed == ["y over a"] && found.proven == ["y over a"])
    let twice = pairs(try moduleOf(text("%a")).entry)
    #expect(twice.allowed.isEmpty && twice.proven.isEmpty)
  }
}

@Suite struct OverwriteProofTests {
  private func load(_ index: Index) -> Expression { .load(buffer: 0, index) }
  private func store(_ index: Index, _ value: Expression) -> Statement {
    .store(buffer: 1, index, .f32, value)
  }
  private func holds(_ statements: [Statement]) -> Bool {
    OverwriteProof.holds(for: statements, operand: 0, result: 1)
  }
  private let i = Index.variable(0)
  private let j = Index.variable(1)

  private func nest(_ body: [Statement]) -> [Statement] {
    [
      .loop(
        variable: 0, extent: 5, .parallel(collapsed: 1),
        [.loop(variable: 1, extent: 7, .serial, body)])
    ]
  }

  @Test func theSamePlaceInTheSameIteration() {
    #expect(holds(nest([store(i * 7 + j, load(i * 7 + j))])))
    #expect(holds(nest([.define(local: 0, .f32, load(i * 7 + j)), store(i * 7 + j, .local(0))])))
  }

  @Test func aLoadAfterTheStore() {
    #expect(!holds(nest([store(i * 7 + j, .local(0)), .define(local: 0, .f32, load(i * 7 + j))])))
  }

  @Test func anotherPlace() {
    #expect(!holds(nest([store(i * 7 + j, load(i * 7 + j + 1))])))
    #expect(!holds(nest([store(i * 7 + j, load(j * 5 + i))])))
    #expect(!holds(nest([store(i * 7 + j, load(Index(.local(3))))])))
  }

  /// The places of two iterations are the same: the second would read what the first has written.
  @Test func aPlaceThatDoesNotTellTheIterations() {
    #expect(!holds(nest([store(i, load(i))])))
    #expect(!holds(nest([store(i * 6 + j, load(i * 6 + j))])))
  }

  @Test func loopsOneAfterTheOther() {
    let read = nest([.assignLane(row: 0, Index(), load(j * 5 + i))])
    #expect(holds(read + nest([store(i * 7 + j, .local(0))])))
    #expect(!holds(nest([store(i * 7 + j, .local(0))]) + read))
    // In one loop around both, rows are what must not meet.
    func rows(_ place: Index) -> [Statement] {
      [
        .loop(
          variable: 0, extent: 5, .serial,
          [
            .loop(variable: 1, extent: 7, .serial, [.assignLane(row: 0, Index(), load(place))]),
            .loop(variable: 1, extent: 7, .serial, [store(i * 7 + j, .local(0))]),
          ])
      ]
    }
    #expect(holds(rows(i * 7 + j)))
    #expect(!holds(rows(j * 5 + i)))
  }

  @Test func lanesOfBlocks() {
    func blocks(width: Int) -> [Statement] {
      let lanes: ([Statement]) -> Statement = {
        .lanes(variable: 1, lane: 2, block: 3, most: 16, total: 40, $0)
      }
      return [
        .blocks(
          variable: 3, width: width, extent: 40, .serial,
          [lanes([.assignLane(row: 0, .variable(2), load(j))]), lanes([store(j, .local(0))])])
      ]
    }
    #expect(holds(blocks(width: 16)))
    // Blocks that overlap read what the one before has written.
    #expect(!holds(blocks(width: 8)))
  }

  @Test func aKeyIsReadByEveryWord() {
    #expect(!holds(nest([store(i * 7 + j, .randomWord(key: 0, stream: 1, i * 7 + j))])))
  }
}
