// What is told about a file that could not be used.

import Foundation

/// A file or directory that could not be used.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What was tried, such as `cannot write`.
  public var action: String
  /// The path.
  public var path: String
  /// The system's reason.
  public var reason: String

  /// A failed use of a path.
  public init(_ action: String, path: String, reason: String) {
    self.action = action
    self.path = path
    self.reason = reason
  }

  /// The failure that `errno` tells.
  static func fromErrno(_ action: String, path: String, code: Int32 = errno) -> FileError {
    FileError(action, path: path, reason: String(cString: strerror(code)).lowercasedFirst)
  }

  /// One line: what was tried, the path, and why it failed.
  public var description: String { "\(action) '\(path)': \(reason)" }
}

extension String {
  /// The text with its first letter in lower case, as messages start.
  var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}
