import Foundation
import Testing

@testable import CheckpointCompiler

@Suite struct FilesTests {
  @Test func writesAllFilesOfABatch() throws {
    let directory = try TemporaryDirectory()
    var batch = OutputBatch()
    batch.add("one", to: directory.file("new/deep/a.txt"))
    batch.add([1, 2], to: directory.file("new/b"), isExecutable: true)
    try batch.commit()
    #expect(try readFile(directory.file("new/deep/a.txt")) == Array("one".utf8))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: directory.file("new/deep"))
        == ["a.txt"])
    #expect(FileManager.default.isExecutableFile(atPath: directory.file("new/b")))
    #expect(!FileManager.default.isExecutableFile(atPath: directory.file("new/deep/a.txt")))
    try writeFileAtomically([3], to: directory.file("new/b"))
    #expect(try readFile(directory.file("new/b")) == [3])
  }

  @Test func aFileKeepsItsModeAndALinkItsTarget() throws {
    let directory = try TemporaryDirectory()
    let file = directory.file("deep/file")
    try writeFileAtomically([1], to: file)
    chmod(file, 0o640)
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("link"), withDestinationPath: "deep/file")
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("second"), withDestinationPath: directory.file("link"))
    func mode(_ path: String) -> mode_t {
      var status = stat()
      return lstat(path, &status) == 0 ? status.st_mode : 0
    }
    try writeFileAtomically([2], to: directory.file("second"))
    #expect(try readFile(file) == [2])
    #expect(mode(file) == S_IFREG | 0o640)
    #expect(mode(directory.file("link")) & S_IFMT == S_IFLNK)
    #expect(mode(directory.file("second")) & S_IFMT == S_IFLNK)
    var batch = OutputBatch()
    batch.add([3], to: file, isExecutable: true)
    try batch.commit()
    #expect(mode(file) == S_IFREG | 0o750)
    // A link to nothing yet.
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("ahead"), withDestinationPath: "new/file")
    try writeFileAtomically([4], to: directory.file("ahead"))
    #expect(try readFile(directory.file("new/file")) == [4])
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("round"), withDestinationPath: "round")
    #expect(throws: FileError.self) { try writeFileAtomically([5], to: directory.file("round")) }
  }

  @Test func leavesNothingWhenOneFileFails() throws {
    let directory = try TemporaryDirectory()
    try writeFileAtomically([1], to: directory.file("kept"))
    try FileManager.default.createDirectory(
      atPath: directory.file("taken"), withIntermediateDirectories: false)
    var batch = OutputBatch()
    batch.add([2], to: directory.file("kept"))
    batch.add([2], to: directory.file("fresh/new"))
    batch.add([2], to: directory.file("taken"))
    let error = #expect(throws: FileError.self) { try batch.commit() }
    #expect(error?.path == directory.file("taken") && error?.reason == "is a directory")
    #expect(try readFile(directory.file("kept")) == [1])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
        == ["kept", "taken"])
  }

  @Test func tryingToWriteChangesNothing() throws {
    let directory = try TemporaryDirectory()
    try writeFileAtomically([1], to: directory.file("kept"))
    var batch = OutputBatch()
    batch.add([2], to: directory.file("kept"))
    batch.add([2], to: directory.file("fresh/deep/new"))
    try batch.checkWritable()
    #expect(try readFile(directory.file("kept")) == [1])
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["kept"])
    batch.add([2], to: directory.file("kept/below"))
    let error = #expect(throws: FileError.self) { try batch.checkWritable() }
    #expect(error?.path == directory.file("kept"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["kept"])
  }

  @Test func refusesAFileInPlaceOfADirectory() throws {
    let directory = try TemporaryDirectory()
    try writeFileAtomically([1], to: directory.file("file"))
    let error = #expect(throws: FileError.self) {
      try writeFileAtomically([1], to: directory.file("file/below/x"))
    }
    #expect(error?.path == directory.file("file"))
  }

  @Test func namesWhatCannotBeRead() throws {
    let directory = try TemporaryDirectory()
    let missing = #expect(throws: FileError.self) { try readFile(directory.file("none")) }
    #expect(
      missing?.description
        == "cannot read '\(directory.file("none"))': no such file or directory")
    #expect(throws: FileError.self) { try readFile(directory.path) }
  }

  @Test func temporaryDirectoriesGo() throws {
    func make() throws -> String {
      let directory = try TemporaryDirectory()
      try writeFileAtomically([1], to: directory.file("a/b"))
      return directory.path
    }
    #expect(!FileManager.default.fileExists(atPath: try make()))
  }
}

@Suite struct SubprocessTests {
  @Test func collectsLargeOutputOfBothStreams() throws {
    // 1 MiB each, interleaved: more than any pipe holds.
    let script =
      "i=0; while [ $i -lt 1024 ]; do printf '%01024d' 1; printf '%01024d' 2 >&2;"
      + " i=$((i+1)); done; exit 3"
    let result = try Subprocess.run(["sh", "-c", script])
    #expect(result.status == .exited(3))
    #expect(result.standardOutput.count == 1 << 20 && result.standardError.count == 1 << 20)
    #expect(result.standardOutput.last == UInt8(ascii: "1"))
    #expect(result.standardError.last == UInt8(ascii: "2"))
  }

  @Test func tellsSignalsAndJoinsStreams() throws {
    #expect(try Subprocess.run(["sh", "-c", "kill -9 $$"]).status == .signalled(9))
    let joined = try Subprocess.run(
      ["sh", "-c", "echo a; echo $CKC_WORD >&2; echo c"], environment: ["CKC_WORD": "b"],
      joinsStreams: true)
    #expect(joined.standardOutput == Array("a\nb\nc\n".utf8) && joined.standardError.isEmpty)
  }

  @Test func passesArgumentsUnchanged() throws {
    let words = ["a b", "$HOME", "'\"", "", "*"]
    let result = try Subprocess.run(["printf", "%s|"] + words)
    #expect(String(decoding: result.standardOutput, as: UTF8.self) == "a b|$HOME|'\"||*|")
  }

  @Test func namesAMissingProgram() {
    let error = #expect(throws: FileError.self) { try Subprocess.run(["ckc-no-such-program"]) }
    #expect(
      error?.description == "cannot run 'ckc-no-such-program': no such file or directory")
  }
}

@Suite struct CompilerDriverTests {
  @Test func compilesAndLoadsALibrary() throws {
    let driver = try CompilerDriver()
    #expect(driver.flags.contains("-ffp-contract=off") && !driver.version.isEmpty)
    let directory = try TemporaryDirectory()
    let library = try driver.compile(
      text: "int ckc_twice(int x) { return 2 * x; }\n", name: "twice", as: .sharedLibrary)
    try writeFileAtomically(library, to: directory.file("libtwice.so"))
    let loaded = try DynamicLibrary(path: directory.file("libtwice.so"))
    typealias Twice = @convention(c) (Int32) -> Int32
    #expect(unsafeBitCast(try loaded.symbol("ckc_twice"), to: Twice.self)(21) == 42)
    let missing = #expect(throws: FileError.self) { try loaded.symbol("ckc_thrice") }
    #expect(missing?.reason == "it has no symbol 'ckc_thrice'")
  }

  @Test func showsCommandAndOutputOnFailure() throws {
    let driver = try CompilerDriver(usesThreads: false)
    #expect(!driver.hasOpenMP)
    let error = #expect(throws: ToolchainError.self) {
      try driver.compile(text: "int main(void) { return nothing; }\n", name: "bad", as: .object)
    }
    #expect(error?.output.contains("nothing") == true)
    #expect(error?.command.contains { $0.hasSuffix("bad.c") } == true)
    #expect(error?.description.contains("-ffp-contract=off") == true)
  }

  @Test func takesArgumentsFromCC() throws {
    let driver = try CompilerDriver(environment: ["CC": "cc -DCKC_X=1"], usesThreads: false)
    #expect(driver.command == ["cc", "-DCKC_X=1"])
  }

  @Test func saysWhichCompilerIsMissing() {
    let error = #expect(throws: ToolchainError.self) {
      try CompilerDriver(preferred: "ckc-no-such-cc -m32")
    }
    #expect(
      error?.message.contains(
        "no C compiler (from --cc): 'ckc-no-such-cc -m32': no such file or directory") == true)
  }

  /// A stand-in that refuses three of the flags, as an old or foreign compiler would.
  @Test func leavesOutFlagsTheCompilerRefuses() throws {
    let directory = try TemporaryDirectory()
    let script = directory.file("cc")
    var batch = OutputBatch()
    let text = """
      #!/bin/sh
      for word in "$@"; do case "$word" in
        -march=native|-fopenmp|-fno-semantic-interposition) echo "unknown $word"; exit 1;;
      esac; done
      exec cc "$@"

      """
    batch.add(Array(text.utf8), to: script, isExecutable: true)
    try batch.commit()
    let driver = try CompilerDriver(preferred: script)
    #expect(!driver.hasOpenMP && !driver.flags.contains("-march=native"))
    #expect(driver.flags.contains("-ffp-contract=off") && driver.flags.contains("-O3"))
  }
}
