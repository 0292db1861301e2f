// Memory of this machine, asked for where the answer may be no.
//
// Problem     The memory of a step is as large as its graph says. An array that cannot be had ends the
//             process; memory that the system promises and does not have ends it later, at a write.
// Method      Who is about to take much asks first: beside what the system says is available, then by
//             an allocation that may fail.

import Foundation

/// The memory of this machine.
package enum HostMemory {
  /// Smaller amounts are taken without asking what is available.
  private static let smallBytes = 1 << 26

  /// Aligned memory whose content is undefined.
  ///
  /// - Precondition: `alignment` is a power of two and a multiple of the size of a pointer.
  /// - Throws: An error where there is no memory for so many bytes.
  static func allocate(
    byteCount: Int, alignment: Int
  ) throws(ToolchainError) -> UnsafeMutableRawPointer {
    try require(byteCount)
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, alignment, byteCount) == 0, let memory else {
      throw HostMemory.error(byteCount)
    }
    return memory
  }

  /// Refuses an amount that the machine does not have.
  ///
  /// - Throws: An error where there is no memory for so many bytes.
  package static func require(_ byteCount: Int) throws(ToolchainError) {
    guard byteCount > smallBytes else { return }
    if let available = availableBytes, byteCount > available { throw error(byteCount) }
  }

  /// Refuses to handle arguments and results of a function, one at a time, that are too large for it.
  ///
  /// - Throws: An error where there is no memory to make one of them from numbers.
  package static func require(tensorsOf function: Function) throws(ToolchainError) {
    let types = function.argumentTypes + function.resultTypes
    try require(types.map(bytesFromNumbers).max() ?? 0)
  }

  /// Refuses to make all arguments of a function, and then to keep them.
  ///
  /// - Throws: An error where there is no memory for them.
  package static func require(argumentsOf function: Function) throws(ToolchainError) {
    let types = function.argumentTypes
    let sizes = types.reduce(0) { $0 + $1.sizeBytes }
    try require(sizes + (types.map(bytesFromNumbers).max() ?? 0))
  }

  /// What a tensor takes while it is made from numbers that are scaled: their `f64` twice, and itself.
  private static func bytesFromNumbers(_ type: TensorType) -> Int {
    type.sizeBytes + 2 * type.elementCount * MemoryLayout<Double>.size
  }

  private static func error(_ byteCount: Int) -> ToolchainError {
    ToolchainError("no memory for \(byteCount) bytes")
  }

  /// The bytes that can be taken before the system ends processes; nil where it does not say.
  private static var availableBytes: Int? {
    guard let bytes = try? readFile("/proc/meminfo") else { return nil }
    var kibibytes: Int?
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count >= 2, words[0] == "MemAvailable:" || words[0] == "SwapFree:",
        let count = Int(words[1])
      else { continue }
      kibibytes = (kibibytes ?? 0) + count
    }
    return kibibytes.map { $0 * 1024 }
  }
}
