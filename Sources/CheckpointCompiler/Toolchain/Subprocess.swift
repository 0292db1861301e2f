// Runs a program and collects what it writes, without a shell.
//
// Problem     Compilers write long output on both streams; reading one to its end before the other
//             deadlocks, and a shell in between reinterprets file names.
// Method      `posix_spawn` with two pipes, read by `poll` as either has data.
// Invariants  All output is collected before the status is; no descriptor of ours reaches the child.
// Cost        O(output).

import Foundation

/// How a program ended.
public enum ProcessStatus: Sendable, Equatable, CustomStringConvertible {
  /// It returned an exit status.
  case exited(Int32)
  /// A signal ended it.
  case signalled(Int32)

  /// The status in words.
  public var description: String {
    switch self {
    case .exited(let status): "exit status \(status)"
    case .signalled(let signal): "signal \(signal) (\(String(cString: strsignal(signal))))"
    }
  }
}

/// What a program wrote and how it ended.
public struct ProcessResult: Sendable {
  /// How it ended.
  public var status: ProcessStatus
  /// All of its standard output; of both streams, in their order, where they were joined.
  public var standardOutput: [UInt8]
  /// All of its standard error.
  public var standardError: [UInt8]

  /// Whether it exited with status 0.
  public var isSuccess: Bool { status == .exited(0) }
}

/// Starts programs without a shell.
public enum Subprocess {
  /// Runs a program to its end.
  ///
  /// - Parameters:
  ///   - command: The program, searched on `PATH` where it has no slash, and its arguments.
  ///   - environment: Variables set for it in addition to ours.
  ///   - joinsStreams: Whether standard error goes where standard output does.
  /// - Returns: What it wrote and how it ended.
  /// - Throws: An error when the program cannot be started.
  public static func run(
    _ command: [String], environment: [String: String] = [:], joinsStreams: Bool = false
  ) throws(FileError) -> ProcessResult {
    guard let program = command.first else {
      throw FileError("cannot run", path: "", reason: "no program is named")
    }
    let output = try Pipe(program: program)
    let errors = try Pipe(program: program)
    let child = try spawn(
      command, environment: environment, output: output.writeEnd,
      errors: joinsStreams ? output.writeEnd : errors.writeEnd)
    output.closeWriteEnd()
    errors.closeWriteEnd()
    let collected = collect([output.readEnd, errors.readEnd])
    var raw: Int32 = 0
    while waitpid(child, &raw, 0) < 0, errno == EINTR {}
    // The macros WIFSIGNALED and WEXITSTATUS are not imported.
    let signal = raw & 0x7F
    return ProcessResult(
      status: signal == 0 ? .exited(raw >> 8 & 0xFF) : .signalled(signal),
      standardOutput: collected[0], standardError: collected[1])
  }

  /// A pipe whose ends close with it.
  private final class Pipe {
    let readEnd: Int32
    private(set) var writeEnd: Int32

    init(program: String) throws(FileError) {
      var ends: [Int32] = [-1, -1]
      guard pipe(&ends) == 0 else { throw .fromErrno("cannot run", path: program) }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      (readEnd, writeEnd) = (ends[0], ends[1])
    }

    func closeWriteEnd() {
      if writeEnd >= 0 { close(writeEnd) }
      writeEnd = -1
    }

    deinit {
      close(readEnd)
      closeWriteEnd()
    }
  }

  private static func spawn(
    _ command: [String], environment: [String: String], output: Int32, errors: Int32
  ) throws(FileError) -> pid_t {
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
    #else
      var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, errors, 2)

    let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
    var settings: [UnsafeMutablePointer<CChar>?] = variables.sorted { $0.key < $1.key }
      .map { strdup("\($0.key)=\($0.value)") }
    arguments.append(nil)
    settings.append(nil)
    defer { for pointer in arguments + settings { free(pointer) } }
    var child: pid_t = 0
    let code = posix_spawnp(&child, command[0], &actions, nil, arguments, settings)
    guard code == 0 else { throw .fromErrno("cannot run", path: command[0], code: code) }
    return child
  }

  /// Reads every descriptor to its end, whichever has data first.
  private static func collect(_ descriptors: [Int32]) -> [[UInt8]] {
    var collected = [[UInt8]](repeating: [], count: descriptors.count)
    var polls = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    var buffer = [UInt8](repeating: 0, count: 65536)
    while polls.contains(where: { $0.fd >= 0 }) {
      if poll(&polls, nfds_t(polls.count), -1) < 0 {
        if errno == EINTR { continue }
        break
      }
      for index in polls.indices where polls[index].fd >= 0 && polls[index].revents != 0 {
        let count = read(polls[index].fd, &buffer, buffer.count)
        if count > 0 {
          collected[index].append(contentsOf: buffer[0..<count])
        } else if count == 0 || errno != EINTR {
          polls[index].fd = -1
        }
      }
    }
    return collected
  }
}
