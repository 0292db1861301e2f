// Memory for one tensor or an arena, aligned, with a pattern after its end that no step may touch.

import Foundation

/// Aligned memory whose owner can tell whether something was written past its end.
final class GuardedBuffer {
  /// The first byte; a multiple of `alignment`.
  let address: UnsafeMutableRawPointer
  /// The number of bytes before the guard.
  let byteCount: Int
  private let guardByteCount: Int
  private static let alignment = 64
  private static let guardByte: UInt8 = 0xC7

  /// Memory of zeros.
  ///
  /// - Throws: An error where there is no memory for it.
  init(byteCount: Int, guardByteCount: Int = 64) throws(ToolchainError) {
    self.byteCount = byteCount
    self.guardByteCount = guardByteCount
    address = try HostMemory.allocate(
      byteCount: byteCount + guardByteCount, alignment: GuardedBuffer.alignment)
    memset(address, 0, byteCount)
    memset(address + byteCount, Int32(GuardedBuffer.guardByte), guardByteCount)
  }

  deinit { free(address) }

  /// The bytes.
  var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: address, count: byteCount)
  }

  /// Whether the bytes after the end are as they were.
  var guardIsIntact: Bool {
    UnsafeRawBufferPointer(start: address + byteCount, count: guardByteCount)
      .allSatisfy { $0 == GuardedBuffer.guardByte }
  }

  /// Makes every byte the same.
  func fill(_ byte: UInt8) { memset(address, Int32(byte), byteCount) }

  /// The number of bytes up to the last one that differs from `byte`.
  func extent(differingFrom byte: UInt8) -> Int {
    var end = byteCount
    let bytes = UnsafeRawBufferPointer(start: address, count: byteCount)
    while end > 0, bytes[end - 1] == byte { end -= 1 }
    return end
  }
}
