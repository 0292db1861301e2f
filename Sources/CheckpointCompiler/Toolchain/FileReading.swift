// Reading whole files, and telling whether two paths name one.

import Foundation

/// Reads a whole file.
///
/// - Throws: An error with the path and the system's reason.
public func readFile(_ path: String) throws(FileError) -> [UInt8] {
  let action = "cannot read"
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw .fromErrno(action, path: path) }
  defer { close(descriptor) }
  var status = stat()
  guard fstat(descriptor, &status) == 0 else { throw .fromErrno(action, path: path) }
  guard status.st_mode & S_IFMT != S_IFDIR else {
    throw FileError(action, path: path, reason: "is a directory")
  }
  do {
    try HostMemory.require(Int(status.st_size))
  } catch {
    throw FileError(action, path: path, reason: error.message)
  }
  // One byte more than the file has, so that its end is seen without growing; pipes grow.
  var bytes = [UInt8](repeating: 0, count: max(0, Int(status.st_size)) + 1)
  var count = 0
  while true {
    if count == bytes.count { bytes.append(contentsOf: repeatElement(0, count: bytes.count)) }
    let start = count
    let got = bytes.withUnsafeMutableBytes { buffer in
      read(descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start)
    }
    if got < 0, errno == EINTR { continue }
    guard got >= 0 else { throw .fromErrno(action, path: path) }
    if got == 0 { break }
    count += got
  }
  bytes.removeLast(bytes.count - count)
  return bytes
}

/// Whether two paths name the same file; false where one of them names none.
package func isSameFile(_ a: String, _ b: String) -> Bool {
  var (first, second) = (stat(), stat())
  guard stat(a, &first) == 0, stat(b, &second) == 0 else { return false }
  return first.st_mode & S_IFMT == S_IFREG && first.st_dev == second.st_dev
    && first.st_ino == second.st_ino
}
