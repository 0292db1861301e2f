// A shared library loaded into this process.

import Foundation

/// A shared library; its code stays in this process, because threads that OpenMP started for it wait
/// in its runtime library.
public final class DynamicLibrary: @unchecked Sendable {
  // The handle never changes, and the loader's functions may be called from any thread.
  private let handle: UnsafeMutableRawPointer
  /// The path it was loaded from.
  public let path: String

  /// Loads a library.
  ///
  /// - Throws: An error with the loader's reason.
  public init(path: String) throws(FileError) {
    // Without a slash the loader would search its own directories.
    let file = path.contains("/") ? path : "./\(path)"
    guard let handle = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) else {
      let reason = dlerror().map { String(cString: $0) } ?? "unknown reason"
      throw FileError("cannot load", path: path, reason: reason)
    }
    self.handle = handle
    self.path = path
  }

  /// The address of a symbol.
  ///
  /// - Throws: An error where the library has no such symbol.
  public func symbol(_ name: String) throws(FileError) -> UnsafeMutableRawPointer {
    guard let address = dlsym(handle, name) else {
      throw FileError("cannot load", path: path, reason: "it has no symbol '\(name)'")
    }
    return address
  }

  deinit { dlclose(handle) }
}
