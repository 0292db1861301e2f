// Writing to what is open: all bytes, through interruptions and short writes.

import Foundation

/// Writes all bytes.
///
/// - Returns: Whether the system took them; `errno` says why not.
package func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
  var offset = 0
  while offset < bytes.count {
    let start = offset
    let count = bytes.withUnsafeBytes { buffer in
      write(descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start)
    }
    if count < 0, errno == EINTR { continue }
    guard count > 0 else { return false }
    offset += count
  }
  return true
}
