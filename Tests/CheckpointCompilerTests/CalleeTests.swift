import Testing

@testable import CheckpointCompiler

/// Functions that ops name by attributes: they travel with the function that names them.
@Suite struct CalleeTests {
  private static let text = """
    func @more(%i: i32, %x: f32[4]) -> i1 {
      %p = compare %i, 3 {direction = lt}
      return %p
    }

    func @scaled(%x: f32[4]) -> f32[4] {
      %y = multiply %x, 1.5
      %unread = negate %x
      return %y
    }

    func @next(%i: i32, %x: f32[4]) -> (i32, f32[4]) {
      %j = add %i, 1
      %y = scaled %x
      return %j, %y
    }

    func @main(%i: i32, %x: f32[4]) -> (%y: f32[4]) {
      %j, %y = while %i, %x {condition = @more, body = @next}
      return %y
    }
    """

  @Test func comeAlongWhenCallsAreInlined() throws {
    let module = try moduleOf(Self.text)
    let function = inlined(module.entry, in: module)
    #expect(function.callees.map(\.name) == ["more", "next"])
    #expect(function.callee("next")!.ops.elements.allSatisfy { $0.opcode != .call })
    #expect(verify(function).isEmpty)
    let arguments = [tensor(.i32, [1], shape: []), tensor(.f32, [1, 2, 3, 4])]
    let results = try interpret(function, arguments: arguments)
    #expect(results == [tensor(.f32, [2.25, 4.5, 6.75, 9])])
    #expect(try interpret(module.entry, in: module, arguments: arguments) == results)
  }

  /// The constants and operands of a function make another kernel, the names of its values do not.
  @Test func makeTheKeyOfAKernel() throws {
    func key(_ text: String) throws -> String {
      let module = try moduleOf(text)
      let function = inlined(module.entry, in: module)
      let op = function.opsInOrder.first { function.ops[$0].opcode == .while }
      return kernelKey(try #require(op), in: function)
    }
    let own = try key(Self.text)
    #expect(try key(Self.text.replacing("%unread", with: "%other")) == own)
    for (old, new) in [
      ("%x, 1.5", "%x, 2.5"), ("%i, 3 {direction = lt}", "%i, 3 {direction = le}"),
      ("negate %x", "negate %y"),
    ] { #expect(try key(Self.text.replacing(old, with: new)) != own, "\(new)") }
  }

  @Test func arePrintedBeforeWhatNamesThem() throws {
    let module = try moduleOf(Self.text)
    let printed = Printer.print(inlined(module.entry, in: module))
    #expect(Printer.print(try moduleOf(printed)) == printed)
  }

  @Test func areSimplifiedByThemselves() throws {
    let module = try moduleOf(Self.text)
    let function = simplified(inlined(module.entry, in: module))
    #expect(!Printer.print(function).contains("negate"))
    #expect(verify(function).isEmpty)
  }

  @Test func equalOnesAreOne() throws {
    let module = try moduleOf(
      """
      func @a(%x: f32) -> f32 {
        %y = negate %x
        return %y
      }

      func @b(%z: f32) -> f32 {
        %w = negate %z
        return %w
      }

      func @main(%i: i32, %x: f32) -> f32 {
        %y = case %i, %x {branches = [@b, @a]}
        return %y
      }
      """)
    let function = inlined(module.entry, in: module).mergingEqualCallees()
    #expect(function.callees.count == 1)
    #expect(verify(function).isEmpty)
  }

  /// A text that is read again has them in the order in which it names them, so a dead op that named
  /// one first must leave no trace.
  @Test func standInTheOrderOfNaming() throws {
    let module = try moduleOf(
      """
      func @a(%x: f32) -> f32 {
        %y = negate %x
        return %y
      }

      func @b(%x: f32) -> f32 {
        %y = exponential %x
        return %y
      }

      func @c(%x: f32) -> f32 {
        %y = sine %x
        return %y
      }

      func @main(%i: i32, %x: f32) -> f32 {
        %unread = case %i, %x {branches = [@b, @c]}
        %y = case %i, %x {branches = [@a, @c]}
        %z = case %i, %y {branches = [@b, @a]}
        return %z
      }
      """)
    let function = simplified(inlined(module.entry, in: module))
    #expect(function.callees.map(\.name) == ["a", "c", "b"])
    let printed = Printer.print(function)
    let again = try moduleOf(printed)
    #expect(Printer.print(inlined(again.entry, in: again)) == printed)
  }

  @Test func areWidenedWithTheFunction() throws {
    let module = try moduleOf(Self.text)
    let function = inDoublePrecision(inlined(module.entry, in: module))
    #expect(verify(function).isEmpty)
  }
}
