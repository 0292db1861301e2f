import CompilerTesting

@testable import CheckpointCompiler

/// What tests of loops share.
enum LoopSamples {
  /// A recurrence whose rows are stacked; `%n` trips.
  static func stacking(trips: String = "constant 6 : i32", role: String = "") -> String {
    """
    func @more(%i: i32, %x: f32[8], %ys: f32[6, 8], %n: i32, %w: f32[8, 8]) -> i1 {
      %p = compare %i, %n {direction = lt}
      return %p
    }

    func @next(
        %i: i32, %x: f32[8], %ys: f32[6, 8], %n: i32, %w: f32[8, 8]) -> (i32, f32[8], f32[6, 8]) {
      %zero = constant 0 : i32
      %a = dot_general %x, %w {lhs_contract = [0], rhs_contract = [0]}
      %x.new = tanh %a
      %row = reshape %x.new : f32[1, 8]
      %ys.new = dynamic_update_slice %ys, %row, %i, %zero
      %i.new = add %i, 1
      return %i.new, %x.new, %ys.new
    }

    func @main(%k: i32, \(role) %x: f32[8], \(role) %w: f32[8, 8]) -> (\(role.isEmpty ? "" : "loss %loss: f32, ")%ys: f32[6, 8]) {
      %zero = constant 0 : i32
      %n = \(trips)
      %empty = constant 0.0 : f32[6, 8]
      %i, %y, %ys = while %zero, %x, %empty, %n, %w {condition = @more, body = @next}
      \(role.isEmpty ? "return %ys" : "%loss = reduce %ys {kind = add, dims = [0, 1]}\n  return %loss, %ys")
    }
    """
  }

  static func compile(
    _ text: String, _ options: CompileOptions = CompileOptions()
  ) throws -> Compilation {
    var sources = SourceMap()
    return try Compiler(options: options).compile(
      Array(text.utf8), fileName: "t.ir", sources: &sources)
  }

  /// Compiles a text under several budgets, and compares with the interpreter.
  static func checkCompiled(_ text: String) throws {
    guard let driver = try? CompilerDriver() else { return }
    let function = try moduleOf(text).flattened
    var programs: [EmittedProgram] = []
    for seed in 1...3 as ClosedRange<UInt64> {
      let check = ProgramCheck(function, seed: seed)
      try check.run()
      programs.append(try EmittedProgram(check))
    }
    let compiled = try CompiledPrograms(programs, driver: driver)
    for program in programs { try compiled.check(program) }
  }
}

extension Module {
  /// The entry without calls, with its callees.
  var flattened: Function { inlined(entry, in: self) }
}
