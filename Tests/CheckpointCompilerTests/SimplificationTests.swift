import Testing

@testable import CheckpointCompiler

@Suite struct SimplificationTests {
  private func parse(_ text: String) throws -> Function {
    var sources = SourceMap()
    let module = try parseModule(Array(text.utf8), name: "test.ir", sources: &sources)
    return module.entry
  }

  /// Simplifies, verifies, and compares with the original on numbers with all that is special.
  private func simplify(_ text: String) throws -> Function {
    let function = try parse(text)
    let result = simplified(function)
    #expect(verify(result).isEmpty)
    let special: [Double] = [-0.0, 0, .nan, .infinity, -.infinity, 1, -1, 0.1, 1e-40, 3e38]
    let arguments = function.argumentTypes.enumerated().map { index, type in
      Tensor(
        type, floats: (0..<type.elementCount).map { special[($0 * 7 + index * 3) % special.count] })
    }
    #expect(
      try interpret(result, arguments: arguments) == interpret(function, arguments: arguments))
    return result
  }

  /// The ops of the body without the `return`, as printed, of a function of `%x: f32[2,3]`.
  private func ops(_ body: String, type: String = "f32[2,3]") throws -> [String] {
    let function = try simplify(
      "func @f(%x: f32[2,3], %n: i32[4], %p: i1[2,3]) -> (%r: \(type)) {\n\(body)\n  return %r\n}\n"
    )
    return Printer.print(function).split(separator: "\n").dropFirst().dropLast(2).map {
      String($0.drop { $0 == " " })
    }
  }

  @Test(arguments: [
    "multiply %x, 1.0", "divide %x, 1.0", "subtract %x, 0.0", "add %x, -0.0", "power %x, 1.0",
    "maximum %x, %x", "multiply 1.0, %x", "reshape %x : f32[2,3]", "transpose %x {dims = [0, 1]}",
    "convert %x : f32[2,3]", "slice %x {start = [0, 0], limit = [2, 3]}",
    "broadcast_in_dim %x {dims = [0, 1]} : f32[2,3]", "concatenate %x {dim = 0}",
    "select %p, %x, %x", "pad %x, 0.0 {low = [0, 0], high = [0, 0]}", "reverse %x {dims = []}",
  ])
  func anIdentityIsItsOperand(op: String) throws {
    #expect(try ops("  %r = \(op)") == [])
  }

  @Test(arguments: [
    "add %x, 0.0", "subtract %x, -0.0", "multiply %x, 0.0", "subtract %x, %x", "divide %x, %x",
    "divide %x, 3.0", "multiply %x, -1.0", "maximum %x, 0.0", "power %x, 0.5",
  ])
  func whatIsNotExactStays(op: String) throws {
    #expect(try ops("  %r = \(op)").contains { $0.hasPrefix("%r = \(op.prefix { $0 != " " })") })
  }

  @Test(arguments: [
    "add %n, 0", "or %n, 0", "xor %n, 0", "multiply %n, 1", "and %n, -1", "divide %n, 1",
    "minimum %n, 2147483647", "maximum %n, -2147483648",
  ])
  func integersHaveMoreIdentities(op: String) throws {
    #expect(try ops("  %r = \(op)", type: "i32[4]") == [])
  }

  @Test func integersTimesZeroAreZero() throws {
    #expect(try ops("  %r = multiply %n, 0", type: "i32[4]") == ["%r = constant 0 : i32[4]"])
  }

  @Test func constantsAreComputed() throws {
    let ops = try ops(
      """
        %a = constant 2.0 : f32
        %b = broadcast_in_dim %a {dims = []} : f32[3,2]
        %c = transpose %b {dims = [1, 0]}
        %d = multiply %c, 0.1
        %e = convert %d : f64[2,3]
        %f = constant true : i1[2,3]
        %g = convert %e : f32[2,3]
        %h = select %f, %g, %x
        %r = add %h, %x
      """)
    #expect(ops == ["%d = constant 0.2 : f32[2,3]", "%r = add %d, %x : f32[2,3]"])
  }

  @Test func twoThatUndoEachOtherVanish() throws {
    #expect(
      try ops(
        """
          %a = negate %x
          %b = negate %a
          %c = transpose %b {dims = [1, 0]}
          %d = transpose %c {dims = [1, 0]}
          %e = reshape %d : f32[6]
          %f = reshape %e : f32[2,3]
          %g = reverse %f {dims = [1]}
          %h = reverse %g {dims = [1]}
          %i = convert %h : f64[2,3]
          %r = convert %i : f32[2,3]
        """) == [])
  }

  @Test func broadcastsAndTransposesAreComposed() throws {
    #expect(
      try ops(
        """
          %a = transpose %x {dims = [1, 0]}
          %b = broadcast_in_dim %a {dims = [0, 1]} : f32[3,2,4]
          %r = transpose %b {dims = [2, 1, 0]}
        """, type: "f32[4,2,3]") == ["%r = broadcast_in_dim %x {dims = [1, 2]} : f32[4,2,3]"])
    #expect(
      try ops("  %r = broadcast_in_dim %x {dims = [0, 2]} : f32[2,1,3]", type: "f32[2,1,3]")
        == ["%r = reshape %x : f32[2,1,3]"])
    #expect(
      try ops("  %r = broadcast_in_dim %x {dims = [1, 0]} : f32[3,2]", type: "f32[3,2]")
        == ["%r = transpose %x {dims = [1, 0]} : f32[3,2]"])
  }

  @Test func transposesOfFactorsAndProductsBecomeDimensionNumbers() throws {
    #expect(
      try ops(
        """
          %t = transpose %x {dims = [1, 0]}
          %r = dot_general %x, %t {lhs_contract = [1], rhs_contract = [0]}
        """, type: "f32[2,2]") == [
          "%r = dot_general %x, %x {lhs_contract = [1], rhs_contract = [1]} : f32[2,2]"
        ])
    #expect(
      try ops(
        """
          %y = slice %x {start = [0, 0], limit = [1, 3]}
          %z = concatenate %y, %x {dim = 0}
          %d = dot_general %x, %z {lhs_contract = [1], rhs_contract = [1]}
          %r = transpose %d {dims = [1, 0]}
        """, type: "f32[3,2]"
      ).last
        == "%r = dot_general %z, %x {lhs_contract = [1], rhs_contract = [1]} : f32[3,2]")
  }

  @Test func aTransposeThatMovesFreeDimensionsStays() throws {
    let function = try simplify(
      """
      func @f(%x: f32[2,3,4], %y: f32[4,5]) -> (%r: f32[3,2,5]) {
        %t = transpose %x {dims = [1, 0, 2]}
        %r = dot_general %t, %y {lhs_contract = [2], rhs_contract = [0]}
        return %r
      }
      """)
    #expect(Printer.print(function).contains("%t = transpose"))
  }

  @Test func aProductThatIsReadTwiceIsNotComputedTwice() throws {
    let function = try simplify(
      """
      func @f(%x: f32[2,3], %y: f32[3,5]) -> (%d: f32[2,5], %r: f32[5,2]) {
        %d = dot_general %x, %y {lhs_contract = [1], rhs_contract = [0]}
        %r = transpose %d {dims = [1, 0]}
        return %d, %r
      }
      """)
    #expect(Printer.print(function).components(of: "dot_general") == 1)
  }

  @Test func aSquareIsAProductAndPowersOfTwoAreMultipliedBy() throws {
    #expect(try ops("  %r = power %x, 2.0") == ["%r = multiply %x, %x : f32[2,3]"])
    let scaled = try ops("  %r = divide %x, 8.0")
    #expect(scaled.first?.hasSuffix("= constant 0.125 : f32[2,3]") == true)
    #expect(scaled.last?.hasPrefix("%r = multiply %x, ") == true)
  }

  @Test func equalOpsAreJoinedUnlessTheirStreamsDiffer() throws {
    let function = try simplify(
      """
      func @f(%k: ui32[2], %x: f32[8]) -> (%r: f32[8], %s: f32[8]) {
        %a = random %k {distribution = uniform, stream = 1} : f32[8]
        %b = random %k {distribution = uniform, stream = 1} : f32[8]
        %c = random %k {distribution = uniform, stream = 2} : f32[8]
        %d = tanh %x
        %e = tanh %x
        %f = add %a, %d
        %g = add %b, %e
        %h = add %f, %g
        %r = add %h, %c
        %s = add %f, %f
        return %r, %s
      }
      """)
    let text = Printer.print(function)
    #expect(text.components(of: "random") == 2 && text.components(of: "tanh") == 1)
    #expect(text.components(of: "= add") == 3)
  }

  @Test func deadOpsGoAndRegionsStay() throws {
    let function = try simplify(
      """
      func @f(%x: f32[8], state %s: f32[8]) -> (%r: f32[8], update(%s) %s.new: f32[8]) {
        %dead = tanh %x
        %deader = add %dead, %x
        %used = sine %x
        %r, %other = fusion "pair" {
          %in = add %used, %x
          %in2 = multiply %in, 1.0
          yield %in, %in2
        }
        %gone = fusion "gone" {
          %in3 = add %x, %x
          yield %in3
        }
        %s.new = add %s, %other
        return %r, %s.new
      }
      """)
    let text = Printer.print(function)
    #expect(!text.contains("dead") && !text.contains("gone"))
    #expect(text.contains("%in2 = multiply %in") && text.contains("update(%s) %s.new: f32[8]"))
  }

  @Test func namesGoToWhatTakesTheirPlace() throws {
    let function = try simplify(
      """
      func @f(%x: f32[2,3]) -> (%out: f32[3,2]) {
        %0 = transpose %x {dims = [1, 0]}
        %hidden = multiply %0, 1.0
        %out = tanh %hidden
        return %out
      }
      """)
    let text = Printer.print(function)
    #expect(text.contains("%hidden = transpose %x") && text.contains("%out = tanh %hidden"))
  }

  @Test func passesAreObservedByName() throws {
    let function = try parse(
      """
      func @f(%x: f32[2,3]) -> (%out: f32[2,3]) {
        %a = tanh %x
        %b = tanh %x
        %c = multiply %a, 1.0
        %out = add %b, %c
        return %out
      }
      """)
    var seen: [String] = []
    _ = simplified(function) { name, _ in seen.append(name) }
    #expect(seen == ["fold", "cse", "dce"])
    #expect(
      simplificationPasses == [
        "fold", "cse", "dce", "attention", "layout", "channels", "merges", "loops",
      ])
  }

  @Test func aLongChainTakesLinearTime() throws {
    // Quadratic work would take minutes; the suite would not end.
    var builder = FunctionBuilder(name: "f")
    let x = builder.addArgument(name: "x", type: TensorType(.f32, [4]))
    var h = x
    for index in 0..<5_000 {
      let one = builder.emit(
        .constant, [], [.value: .constant(.splat(DType.f32.encode(1)))],
        type: TensorType(.f32, [4]))
      h = builder.emit(index % 2 == 0 ? .sine : .cosine, [builder.emit(.multiply, [h, one])])
    }
    let function = builder.finish(returning: [h], as: [FunctionResult(name: "r")])
    #expect(simplified(function).ops.count == 5_001)
  }
}

extension String {
  /// How often a text occurs.
  fileprivate func components(of needle: String) -> Int {
    var count = 0
    var rest = self[...]
    while let found = rest.firstRange(of: needle) {
      count += 1
      rest = rest[found.upperBound...]
    }
    return count
  }
}
