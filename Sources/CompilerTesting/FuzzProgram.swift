// One step of fuzzing: what tests and the fuzzer share.

import CheckpointCompiler

/// What went wrong with the program of a seed.
package struct FuzzReport: Sendable, CustomStringConvertible {
  package var seed: UInt64
  package var failure: ProgramFailure
  /// The smallest program that fails at the same stage.
  package var text: String

  package var description: String {
    "seed \(seed) fails at \(failure)\n\nshrunk to\n\(text)"
  }
}

/// Runs all checks that need no C compiler on the program of a seed.
///
/// - Returns: Nil where everything holds.
package func fuzz(seed: UInt64, shrinks: Bool = true) -> FuzzReport? {
  let program = RandomProgram(seed: seed)
  func failure(_ function: Function) -> ProgramFailure? {
    do throws(ProgramFailure) {
      try ProgramCheck(function, seed: seed).run()
      try checkGradients(function, seed: seed)
      return nil
    } catch {
      return error
    }
  }
  guard let first = failure(program.function) else { return nil }
  guard shrinks else { return FuzzReport(seed: seed, failure: first, text: program.text) }
  let small = shrunk(program.function) { failure($0)?.stage == first.stage }
  return FuzzReport(
    seed: seed, failure: failure(small) ?? first, text: Printer.print(small))
}

/// Checks broken versions of the text of a seed.
package func fuzzText(seed: UInt64) -> FuzzReport? {
  let text = RandomProgram(seed: seed, opCount: 12).text
  for attempt in 0..<20 as Range<UInt64> {
    let broken = mutated(text, seed: seed &* 1_000_003 &+ attempt)
    do throws(ProgramFailure) {
      try checkBrokenText(broken)
    } catch {
      return FuzzReport(
        seed: seed, failure: error, text: String(decoding: broken, as: UTF8.self))
    }
  }
  return nil
}

/// Checks the broken version of a text that a seed gives: of three, two are cut off somewhere, and one has
/// tokens and bytes changed.
package func fuzzVersion(of text: [UInt8], fileName: String, seed: UInt64) -> FuzzReport? {
  var random = SeededGenerator(seed: seed)
  let broken =
    seed % 3 == 0
    ? mutated(text, seed: seed) : Array(text[..<random.index(below: max(1, text.count))])
  do throws(ProgramFailure) {
    try checkBrokenText(broken, fileName: fileName, lastStage: .simplified)
    return nil
  } catch {
    var shown = String(decoding: broken.suffix(2000), as: UTF8.self)
    if broken.count > 2000 { shown = "…\(shown)" }
    return FuzzReport(seed: seed, failure: error, text: "of '\(fileName)':\n\(shown)")
  }
}
