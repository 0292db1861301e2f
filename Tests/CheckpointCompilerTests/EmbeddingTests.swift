import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler

/// The library as the build has left it beside this test, for programs that import it.
///
/// A build of `docs/embedding` as a package of its own compiles the library again, which takes
/// minutes; `.ci/run` does that. Here its source is compiled against what is already there.
private enum BuiltLibrary {
  /// The directory of the build's products; nil where they are not as SwiftPM leaves them.
  static let products: URL? = {
    let places = [Bundle.main.executableURL, URL(filePath: CommandLine.arguments[0])]
    return places.compactMap { $0?.resolvingSymlinksInPath().deletingLastPathComponent() }
      .first { place in
        let module = place.appending(path: "Modules/CheckpointCompiler.swiftmodule").path()
        return FileManager.default.fileExists(atPath: module) && !objects(in: place).isEmpty
      }
  }()

  /// The objects of the sources that there are now; a build leaves those of removed ones behind.
  static func objects(in products: URL) -> [String] {
    let folder = products.appending(path: "CheckpointCompiler.build")
    let sources = FileManager.default.enumerator(
      atPath: repositoryPath("Sources/CheckpointCompiler"))
    let names = (sources?.allObjects as? [String] ?? []).filter { $0.hasSuffix(".swift") }
      .map { folder.appending(path: URL(filePath: $0).lastPathComponent + ".o").path() }
    return names.filter { FileManager.default.fileExists(atPath: $0) }.sorted()
  }

  static let hasCompiler =
    (try? Subprocess.run(["/usr/bin/env", "swiftc", "--version"]))?.isSuccess ?? false
}

@Suite struct EmbeddingTests {
  private static let sourcePath = repositoryPath("docs/embedding/Sources/embedding/main.swift")

  @Test func theManualShowsTheProgram() throws {
    let manual = String(decoding: try readFile(repositoryPath("docs/embedding.md")), as: UTF8.self)
    let source = String(decoding: try readFile(EmbeddingTests.sourcePath), as: UTF8.self)
    #expect(manual.contains("```swift\n\(source)```"))
  }

  @Test(
    .enabled(if: BuiltLibrary.products != nil, "the modules of the build were not found"),
    .enabled(if: BuiltLibrary.hasCompiler, "swiftc was not found"))
  func theProgramCompilesAndRuns() throws {
    let products = try #require(BuiltLibrary.products)
    let work = try TemporaryDirectory()
    let program = work.file("embedding")
    let build = try Subprocess.run(
      [
        "/usr/bin/env", "swiftc", "-swift-version", "6", "-module-name", "embedding",
        "-I", products.appending(path: "Modules").path(), EmbeddingTests.sourcePath,
        "-o", program,
      ] + BuiltLibrary.objects(in: products), joinsStreams: true)
    try #require(build.isSuccess, "\(String(decoding: build.standardOutput, as: UTF8.self))")

    let graph = work.file("net.ir")
    let text = """
      func @main(%x: f32[64,32], %y: f32[64,4], param %v: f32[32,128], param %w: f32[128,4])
          -> (loss %loss: f32) {
        %h = linear %x, %v
        %a = gelu %h
        %p = linear %a, %w
        %loss = mse %p, %y
        return %loss
      }
      """
    try writeFileAtomically(Array(text.utf8), to: graph)
    var sources = SourceMap()
    var options = CompileOptions(name: "net", optimizer: .sgd(weightDecay: 0), budget: .minimum)
    let least = try Compiler(options: options).compile(
      Array(text.utf8), fileName: graph, sources: &sources)
    let leastBytes = try #require(least.step).arenaBytes

    // Within the budget: the same files as in this process.
    let run = try Subprocess.run([program, graph, "\(leastBytes)", work.file("out")])
    #expect(run.isSuccess)
    #expect(
      String(decoding: run.standardOutput, as: UTF8.self)
        .hasPrefix("arena \(leastBytes) bytes, of a budget of \(leastBytes)\n"))
    options.budget = .bytes(leastBytes)
    let here = try Compiler(options: options).compile(
      Array(text.utf8), fileName: graph, sources: &sources)
    #expect(try readFile(work.file("out/net.c")) == Array(here.source.utf8))
    #expect(try readFile(work.file("out/net.h")) == Array(here.header.utf8))

    // Files that cannot be read or written: the reason, too.
    for words in [[work.file("no.ir"), work.file("out")], [graph, graph]] {
      let failed = try Subprocess.run([program, words[0], "\(leastBytes)", words[1]])
      #expect(failed.status == .exited(1))
      let reason = String(decoding: failed.standardOutput, as: UTF8.self)
      #expect(reason.contains("error: cannot "), "\(reason)")
    }

    // Below it: the reason, and no files.
    let refused = try Subprocess.run([program, graph, "64", work.file("none")])
    #expect(refused.status == .exited(1))
    let reason = String(decoding: refused.standardOutput, as: UTF8.self)
    #expect(
      reason.contains("the budget of 64 bytes cannot be met: the smallest that ckc can reach"))
    #expect(reason.contains("note: memory is fullest while"))
    #expect(!FileManager.default.fileExists(atPath: work.file("none")))
  }
}
