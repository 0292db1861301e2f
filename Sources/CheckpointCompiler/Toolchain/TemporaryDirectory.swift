// Places for intermediate files, gone when nobody needs them.

import Foundation

/// A directory for intermediate files; it is removed with everything in it when its owner lets go.
public struct TemporaryDirectory: ~Copyable, Sendable {
  /// The absolute path.
  public let path: String

  /// Creates a directory below `TMPDIR`, or `/tmp` where that is not set.
  ///
  /// - Throws: An error with the path and the system's reason.
  public init() throws(FileError) {
    let base = ProcessInfo.processInfo.environment["TMPDIR"] ?? ""
    let root = base.isEmpty ? "/tmp" : base
    var template = Array("\(root)/ckc-XXXXXX".utf8CString)
    let isMade = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) } != nil
    }
    guard isMade else { throw .fromErrno("cannot create a directory in", path: root) }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// The path of a file in the directory.
  public func file(_ name: String) -> String { "\(path)/\(name)" }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
