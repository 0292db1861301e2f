// Broken texts: what the parser must refuse or read, but survive.

package import CheckpointCompiler

/// A text with a few random changes: bytes flipped, tokens dropped, doubled or swapped, the end cut off.
package func mutated(_ text: String, seed: UInt64) -> [UInt8] {
  mutated(Array(text.utf8), seed: seed)
}

/// The same of UTF-8.
package func mutated(_ text: [UInt8], seed: UInt64) -> [UInt8] {
  var random = SeededGenerator(seed: seed)
  var bytes = text
  for _ in 0..<(1 + random.index(below: 4)) {
    guard bytes.count > 1 else { return bytes }
    let place = random.index(below: bytes.count)
    let token = tokenRange(around: place, in: bytes)
    switch random.index(below: 8) {
    case 0: bytes[place] = UInt8(random.index(below: 256))
    case 1: bytes[place] ^= 1 << UInt8(random.index(below: 8))
    case 2: bytes.removeSubrange(token)
    case 3: bytes.insert(contentsOf: bytes[token], at: place)
    case 4:
      let other = Array(
        bytes[tokenRange(around: random.index(below: bytes.count), in: bytes)])
      bytes.replaceSubrange(token, with: other)
    case 5: bytes.removeSubrange(place...)
    case 6:
      let words = [
        "9223372036854775807", "-1", "0", "1e308", "fusion {", "}", "no_grad {", "yield", "return",
        "f32[]", "\"", "%", "[", "(((", "hex \"0g\"", "...", "call @main", "constant", "nan", "/ 0",
        "range(0 - 9223372036854775807, 9223372036854775807)", "i1[1099511627776]",
        "tensor<1099511627776xi1>", "dense<", "\"stablehlo.while\"(%0) ({", "loc(#loc1)",
      ]
      bytes.replaceSubrange(token, with: Array(words[random.index(below: words.count)].utf8))
    default:
      let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      var copy = lines
      copy.remove(at: random.index(below: lines.count))
      bytes = Array(copy.joined(separator: [UInt8(ascii: "\n")]))
    }
  }
  return bytes
}

/// The run of letters and digits, or of one other byte, around a place.
private func tokenRange(around place: Int, in bytes: [UInt8]) -> Range<Int> {
  func isWord(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
      || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
      || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "%")
  }
  guard isWord(bytes[place]) else { return place..<place + 1 }
  var start = place
  var end = place + 1
  while start > 0, isWord(bytes[start - 1]) { start -= 1 }
  while end < bytes.count, isWord(bytes[end]) { end += 1 }
  return start..<end
}

/// Compiles a broken text; what is refused must say why and where.
///
/// - Throws: An error without a message, without a place, or of the kind that means a defect.
package func checkBrokenText(
  _ text: [UInt8], fileName: String = "broken.ir", lastStage: Stage = .kernels
) throws(ProgramFailure) {
  var sources = SourceMap()
  do throws(CompileError) {
    let compilation = try Compiler(options: CompileOptions(lastStage: lastStage)).compile(
      text, fileName: fileName, sources: &sources)
    let printed = Printer.print(compilation.module)
    let problems = compilation.simplified.map { verify($0) } ?? []
    guard problems.isEmpty else {
      throw .defect("\(problems.map(\.message))\n\(printed)")
    }
  } catch {
    switch error {
    case .input(let list):
      _ = DiagnosticRenderer(sources: sources).render(list.diagnostics)
      guard !list.diagnostics.isEmpty, list.diagnostics.allSatisfy({ !$0.message.isEmpty }) else {
        throw ProgramFailure(stage: "parse", message: "refused without a reason")
      }
      if let placeless = list.diagnostics.first(where: { $0.location.file < 0 }) {
        throw ProgramFailure(
          stage: "parse", message: "refused without a place: \(placeless.message)")
      }
    case .budget: throw ProgramFailure(stage: "parse", message: "a budget that nobody asked for")
    case .defect(let message): throw ProgramFailure(stage: "parse", message: message)
    }
  }
}
