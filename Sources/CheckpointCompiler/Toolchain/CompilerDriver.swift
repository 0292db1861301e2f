// Finds the system's C compiler, learns which flags it takes, and compiles emitted C with it.
//
// Problem     Emitted C must keep its floating-point meaning on any compiler, and run with threads
//             where OpenMP is there; a compiler that lacks a flag must still do.
// Method      `$CC`, then `cc`, `gcc`, `clang`, whichever runs. Flags are tried on a small program,
//             all at once first and one by one only if that fails.
// Invariants  No flag that lets the compiler change results: no fast-math, no contraction.
// Cost        One or two short compilations per driver.

public import Foundation

/// A failure of the C compiler, with all that is needed to see why.
public struct ToolchainError: Error, Sendable, CustomStringConvertible {
  /// What failed.
  public var message: String
  /// The command line; empty where no compiler was found.
  public var command: [String]
  /// All that the command wrote.
  public var output: String

  /// A failure of a command.
  public init(_ message: String, command: [String] = [], output: String = "") {
    self.message = message
    self.command = command
    self.output = output
  }

  /// The message, the command line, quoted for a shell, and its output.
  public var description: String {
    var text = message
    if !command.isEmpty { text += "\n  \(CompilerDriver.shellQuoted(command))" }
    let lines = output.split(separator: "\n", omittingEmptySubsequences: false)
    for line in lines.prefix(200) where !line.isEmpty { text += "\n  \(line)" }
    if lines.count > 200 { text += "\n  … \(lines.count - 200) more lines" }
    return text
  }
}

/// A C compiler of this machine and the flags it takes.
public struct CompilerDriver: Sendable {
  /// What a compilation produces.
  public enum Product: Sendable {
    /// An object file.
    case object
    /// A shared library that can be loaded.
    case sharedLibrary
    /// A program.
    case executable
  }

  /// The compiler and the arguments that came with its name.
  public let command: [String]
  /// The first line of what it says about its version.
  public let version: String
  /// The flags it takes of those wished for.
  public let flags: [String]
  /// Whether `-fopenmp` compiles, links and runs.
  public let hasOpenMP: Bool

  /// What the emitted C needs and what makes it fast; `-O3` without anything that changes results.
  static let wishedFlags = [
    "-std=c11", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno",
    "-fno-trapping-math", "-fno-semantic-interposition",
  ]

  /// Finds a compiler.
  ///
  /// - Parameters:
  ///   - preferred: A compiler to take instead of `$CC`, possibly with arguments after spaces.
  ///   - environment: Where `CC` is looked up.
  ///   - usesThreads: Whether OpenMP is wanted.
  /// - Throws: An error that lists what was tried.
  public init(
    preferred: String? = nil,
    environment: [String: String] = ProcessInfo.processInfo.environment,
    usesThreads: Bool = true
  ) throws(ToolchainError) {
    let variable = environment["CC"].flatMap { $0.isEmpty ? nil : $0 }
    let named = preferred ?? variable
    let origin = preferred != nil ? " (from --cc)" : variable != nil ? " (from CC)" : ""
    (command, version) = try CompilerDriver.find(
      named.map { [$0] } ?? ["cc", "gcc", "clang"], origin: origin)
    (flags, hasOpenMP) = try CompilerDriver.probe(command, usesThreads: usesThreads)
  }

  /// The first of the candidates that runs, and its version.
  private static func find(
    _ candidates: [String], origin: String
  ) throws(ToolchainError) -> ([String], String) {
    var attempts: [String] = []
    for candidate in candidates {
      let words = candidate.split(separator: " ").map(String.init)
      guard !words.isEmpty else { continue }
      do throws(FileError) {
        let result = try Subprocess.run(words + ["--version"], joinsStreams: true)
        if result.isSuccess {
          let text = String(decoding: result.standardOutput, as: UTF8.self)
          return (words, text.split(separator: "\n").first.map(String.init) ?? candidate)
        }
        attempts.append("'\(candidate)' ends with \(result.status)")
      } catch {
        attempts.append("'\(candidate)': \(error.reason)")
      }
    }
    throw ToolchainError(
      "no C compiler\(origin): " + attempts.joined(separator: ", ")
        + "; install gcc or clang, or name one with CC or --cc")
  }

  /// Which of the wished flags work, and whether OpenMP does.
  private static func probe(
    _ command: [String], usesThreads: Bool
  ) throws(ToolchainError) -> ([String], Bool) {
    let plain = "#include <math.h>\nint main(void) { return (int)sqrt(0.0); }\n"
    let threaded = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"
    if usesThreads, try succeeds(command, wishedFlags + ["-fopenmp"], threaded, runs: true) {
      return (wishedFlags, true)
    }
    var flags = wishedFlags
    if try !succeeds(command, flags, plain, runs: false) {
      guard try succeeds(command, [], plain, runs: false) else {
        let (full, output) = try attempt(command, [], plain)
        throw ToolchainError("the C compiler does not compile", command: full, output: output)
      }
      flags = []
      for flag in wishedFlags where try succeeds(command, flags + [flag], plain, runs: false) {
        flags.append(flag)
      }
      if !flags.contains("-march=native") {
        // Compilers for Arm know the processor by another flag.
        if try succeeds(command, flags + ["-mcpu=native"], plain, runs: false) {
          flags.append("-mcpu=native")
        }
      }
    }
    guard usesThreads else { return (flags, false) }
    return (flags, try succeeds(command, flags + ["-fopenmp"], threaded, runs: true))
  }

  private static func succeeds(
    _ command: [String], _ flags: [String], _ source: String, runs: Bool
  ) throws(ToolchainError) -> Bool {
    do {
      let directory = try TemporaryDirectory()
      try writeFileAtomically(Array(source.utf8), to: directory.file("probe.c"))
      let program = directory.file("probe")
      let arguments = ["-Werror", directory.file("probe.c"), "-o", program, "-lm"]
      let result = try Subprocess.run(command + flags + arguments, joinsStreams: true)
      guard result.isSuccess, runs else { return result.isSuccess }
      return try Subprocess.run([program]).isSuccess
    } catch {
      throw ToolchainError("\(error)")
    }
  }

  private static func attempt(
    _ command: [String], _ flags: [String], _ source: String
  ) throws(ToolchainError) -> ([String], String) {
    do {
      let directory = try TemporaryDirectory()
      try writeFileAtomically(Array(source.utf8), to: directory.file("probe.c"))
      let full =
        command + flags + [directory.file("probe.c"), "-o", directory.file("probe"), "-lm"]
      let result = try Subprocess.run(full, joinsStreams: true)
      return (full, String(decoding: result.standardOutput, as: UTF8.self))
    } catch {
      throw ToolchainError("\(error)")
    }
  }

  /// The command line that compiles `sources` to `output`.
  ///
  /// - Parameters:
  ///   - sources: Paths of C files; for a library or program, object files too.
  ///   - output: The path of the product.
  ///   - product: What to produce.
  ///   - extraFlags: Further flags, after all others.
  /// - Returns: The compiler, its flags and its arguments.
  public func commandLine(
    _ sources: [String], to output: String, as product: Product, extraFlags: [String] = []
  ) -> [String] {
    var line = command + flags + (hasOpenMP ? ["-fopenmp"] : [])
    switch product {
    case .object: line += ["-fPIC", "-c"]
    case .sharedLibrary: line += ["-fPIC", "-shared"]
    case .executable: break
    }
    line += extraFlags + sources + ["-o", output]
    if product != .object { line.append("-lm") }
    return line
  }

  /// Compiles C files.
  ///
  /// - Returns: What the compiler wrote: warnings, mostly nothing.
  /// - Throws: An error with the command line and its output.
  @discardableResult
  public func compile(
    _ sources: [String], to output: String, as product: Product, extraFlags: [String] = []
  ) throws(ToolchainError) -> String {
    try Self.run(
      commandLine(sources, to: output, as: product, extraFlags: extraFlags), named: "C compiler")
  }

  /// Runs a compiler.
  ///
  /// - Returns: What it wrote.
  /// - Throws: An error with the command line and its output.
  @discardableResult
  package static func run(_ line: [String], named name: String) throws(ToolchainError) -> String {
    let result: ProcessResult
    do {
      result = try Subprocess.run(line, joinsStreams: true)
    } catch {
      throw ToolchainError("\(error)", command: line)
    }
    let text = String(decoding: result.standardOutput, as: UTF8.self)
    guard result.isSuccess else {
      throw ToolchainError("the \(name) failed (\(result.status))", command: line, output: text)
    }
    return text
  }

  /// Compiles the text of one C file.
  ///
  /// - Returns: The bytes of the product.
  /// - Throws: An error with the command line and its output.
  public func compile(
    text: String, name: String, headers: [(name: String, text: String)] = [],
    as product: Product, extraFlags: [String] = []
  ) throws(ToolchainError) -> [UInt8] {
    do {
      let directory = try TemporaryDirectory()
      let source = directory.file("\(name).c")
      try writeFileAtomically(Array(text.utf8), to: source)
      for header in headers {
        try writeFileAtomically(Array(header.text.utf8), to: directory.file(header.name))
      }
      let output = directory.file("\(name).out")
      try compile([source], to: output, as: product, extraFlags: extraFlags)
      return try readFile(output)
    } catch let error as ToolchainError {
      throw error
    } catch {
      throw ToolchainError("\(error)")
    }
  }

  /// The command line as one would type it.
  package static func shellQuoted(_ command: [String]) -> String {
    command.map { word in
      let isPlain =
        !word.isEmpty
        && word.utf8.allSatisfy { byte in
          let character = Character(UnicodeScalar(byte))
          return byte < 128
            && (character.isLetter || character.isNumber || "-_./=+,:@%".contains(character))
        }
      return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }.joined(separator: " ")
  }
}
