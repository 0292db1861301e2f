import CUDAEmulation
import CheckpointCompiler
import CompilerTesting
import Foundation
import Testing

/// The emulation of CUDA, compiled once for all tests that need it.
enum TestEmulation {
  /// Without and with checks; nil where there is no C++ compiler.
  static let fast = try? CUDAEmulation(hasChecks: false)
  static let checked = try? CUDAEmulation(hasChecks: true)
  static let absence: Comment = "no C++ compiler was found"
}

/// A kernel of `Tests/Files/cuda`, written by hand, with arguments and the results that it must have.
struct CUDASample: Sendable, CustomStringConvertible {
  /// One argument of its function `run`.
  enum Argument: Sendable {
    /// A tensor that is read, and may be written.
    case tensor([UInt8])
    /// Memory that holds nothing yet.
    case memory(byteCount: Int)
    /// An `int`.
    case number(Int)
  }

  /// The name of the file.
  var name: String
  /// What `run` gets before the stream.
  var arguments: [Argument]
  /// The argument that holds the results, all `f32`.
  var output: Int
  /// The results.
  var expected: [Float]
  /// How far they may be off.
  var tolerance: Float = 0

  var description: String { name }

  /// The text of the file.
  var text: String {
    get throws { try String(contentsOfFile: Self.path("\(name).cu"), encoding: .utf8) }
  }

  private static func path(_ file: String) -> String { repositoryPath("Tests/Files/cuda/\(file)") }

  /// The files that samples include.
  static var headers: [(name: String, text: String)] {
    get throws {
      [("preamble.h", try String(contentsOfFile: path("preamble.h"), encoding: .utf8))]
    }
  }

  /// The bytes of numbers.
  static func bytes<Number>(_ numbers: [Number]) -> [UInt8] {
    numbers.withUnsafeBytes { Array($0) }
  }

  /// A device with the kernels of many samples, or of texts like theirs, each as in a file of the
  /// sample's name. The function of the text at an index is `run_` with that number.
  static func device(
    _ variants: [(sample: CUDASample, text: String)], _ emulation: CUDAEmulation
  ) throws -> EmulatedDevice {
    var all = "#include \"preamble.h\"\n"
    for (index, variant) in variants.enumerated() {
      let text = variant.text.replacingOccurrences(of: "int run(", with: "int run_\(index)(")
      all += "namespace variant_\(index) {\n#line 1 \"\(variant.sample.name).cu\"\n\(text)}\n"
    }
    return try emulation.load(source: all, name: "samples", headers: try headers)
  }

  /// Runs a variant in new memory of its device.
  ///
  /// - Returns: The results, and what was found; results are empty where something was.
  func run(
    _ variant: Int, on device: EmulatedDevice
  ) throws -> (results: [Float], findings: String) {
    var words: [Int] = []
    var outputAddress: UnsafeMutableRawPointer?
    for (index, argument) in arguments.enumerated() {
      var address: UnsafeMutableRawPointer?
      switch argument {
      case .number(let number):
        words.append(number)
        continue
      case .tensor(let bytes):
        address = try device.allocate(byteCount: bytes.count)
        try device.upload(bytes, to: address)
      case .memory(let byteCount):
        address = try device.allocate(byteCount: byteCount)
      }
      if index == output { outputAddress = address }
      words.append(Int(bitPattern: address))
    }
    // On every machine of 64 bits, an `int` and a pointer each take one register.
    typealias Entry = @convention(c) (Int, Int, Int, Int, Int, Int, Int) -> Int32
    let entry = unsafeBitCast(try device.symbol("run_\(variant)"), to: Entry.self)
    words += Array(repeating: 0, count: 7 - words.count)
    do throws(EmulationError) {
      try device.check(entry(words[0], words[1], words[2], words[3], words[4], words[5], words[6]))
      let bytes = try device.download(from: outputAddress, byteCount: 4 * expected.count)
      let results = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
      return (results, device.findings)
    } catch {
      return ([], error.findings)
    }
  }

  /// Whether results are those that are expected.
  func accepts(_ results: [Float]) -> Bool {
    results.count == expected.count
      && zip(results, expected).allSatisfy { abs($0 - $1) <= tolerance }
  }

  // MARK: The samples

  /// Small whole numbers without an order, so that sums are exact and no two rows are alike.
  private static func numbers(_ count: Int, _ seed: UInt32) -> [Float] {
    (0..<UInt32(count)).map { Float(((($0 &+ seed) &* 2_654_435_761) >> 13) % 7) - 3 }
  }

  private static func bfloat(_ numbers: [Float]) -> [UInt16] {
    numbers.map { UInt16($0.bitPattern >> 16) }
  }

  static let scaleAdd: CUDASample = {
    let (x, y) = (numbers(1003, 3), numbers(1003, 5))
    return CUDASample(
      name: "scale_add", arguments: [.tensor(bytes(x)), .tensor(bytes(y)), .number(1003)],
      output: 1, expected: zip(x, y).map { 0.5 * $0 + $1 })
  }()

  static let gemm: CUDASample = {
    let (rows, columns, depth) = (37, 45, 19)
    let (a, b) = (numbers(rows * depth, 3), numbers(depth * columns, 5))
    var product = [Float](repeating: 0, count: rows * columns)
    for (i, j, k) in places(rows, columns, depth) {
      product[i * columns + j] += a[i * depth + k] * b[k * columns + j]
    }
    return CUDASample(
      name: "gemm",
      arguments: [
        .tensor(bytes(a)), .tensor(bytes(b)), .memory(byteCount: 4 * product.count), .number(rows),
        .number(columns), .number(depth),
      ], output: 2, expected: product)
  }()

  static let softmax: CUDASample = {
    let (rows, columns) = (3, 301)
    let x = numbers(rows * columns, 3)
    var y: [Float] = []
    for row in 0..<rows {
      let powers = x[row * columns..<(row + 1) * columns].map { exp(Double($0)) }
      let sum = powers.reduce(0, +)
      y += powers.map { Float($0 / sum) }
    }
    return CUDASample(
      name: "softmax",
      arguments: [
        .tensor(bytes(x)), .memory(byteCount: 4 * y.count), .number(rows), .number(columns),
        .memory(byteCount: 4 * (y.count + rows)),
      ], output: 1, expected: y, tolerance: 1e-8)
  }()

  static let tensorCore: CUDASample = {
    let (rows, columns, depth) = (32, 16, 64)
    let (a, b) = (numbers(rows * depth, 3), numbers(columns * depth, 5))
    var product = [Float](repeating: 0, count: rows * columns)
    for (i, j, k) in places(rows, columns, depth) {
      product[i * columns + j] += a[i * depth + k] * b[j * depth + k]
    }
    return CUDASample(
      name: "tensor_core",
      arguments: [
        .tensor(bytes(bfloat(a))), .tensor(bytes(bfloat(b))),
        .memory(byteCount: 4 * product.count), .number(rows), .number(columns), .number(depth),
      ], output: 2, expected: product)
  }()

  static let all = [scaleAdd, gemm, softmax, tensorCore]

  private static func places(_ rows: Int, _ columns: Int, _ depth: Int) -> [(Int, Int, Int)] {
    (0..<rows).flatMap { i in (0..<columns).flatMap { j in (0..<depth).map { (i, j, $0) } } }
  }
}
