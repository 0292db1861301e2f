// What the printers of CUDA kernels share: launches, parameters, indices taken apart.

/// The text of a kernel: functions of the device, and how they are launched, in order.
struct CUDAKernel {
  /// One launch.
  struct Launch {
    var symbol: String
    var blocks: Int
    var threads: Int
    /// What it is given, as C.
    var arguments: [String]
  }

  /// The functions of the device.
  var text = ""
  /// The launches.
  var launches: [Launch] = []

  /// Adds a function of the device and its launch, unless that has no block.
  ///
  /// - Parameters:
  ///   - symbol: The name of the function.
  ///   - blocks: The number of blocks.
  ///   - threads: The threads of each.
  ///   - resident: How many blocks a multiprocessor must be able to hold, which bounds registers.
  ///   - parameters: What it is given: declarations and names.
  ///   - body: The lines of its body.
  mutating func add(
    _ symbol: String, blocks: Int, threads: Int, resident: Int = 1, parameters: [CUDAParameter],
    body: [String]
  ) {
    guard blocks > 0 else { return }
    let words = identifiers(in: body)
    let bounds = resident == 1 ? "\(threads)" : "\(threads), \(resident)"
    text += "__global__ void __launch_bounds__(\(bounds)) \(symbol)(\n    "
    text += parameters.map(\.declaration).joined(separator: ",\n    ") + ") {\n"
    for parameter in parameters where !words.contains(parameter.name) {
      text += "  (void)\(parameter.name);\n"
    }
    text += body.joined(separator: "\n") + "\n}\n\n"
    launches.append(
      Launch(symbol: symbol, blocks: blocks, threads: threads, arguments: parameters.map(\.name)))
  }
}

/// A parameter of a kernel.
struct CUDAParameter {
  var name: String
  /// The type, with a blank or an asterisk at its end.
  var type: String

  /// A pointer to scratch.
  static let scratch = CUDAParameter(name: "scratch", type: "unsigned char *__restrict__ ")

  var declaration: String { type + name }
  /// The type of a pointer, as a cast has it.
  var pointer: String { type.replacing("__restrict__ ", with: "") }

  /// The parameter of a buffer.
  init(_ buffer: KernelBuffer, _ number: Int) {
    name = "b\(number)"
    type = "\(buffer.isWritten ? "" : "const ")\(cStorageType(buffer.dtype)) *__restrict__ "
  }

  init(name: String, type: String) {
    self.name = name
    self.type = type
  }
}

/// The identifiers in lines of C.
func identifiers(in lines: [String]) -> Set<String> {
  var words: Set<String> = []
  for line in lines {
    for word in line.split(whereSeparator: { !$0.isLetter && !$0.isNumber && $0 != "_" }) {
      words.insert(String(word))
    }
  }
  return words
}

/// Lines that take a flat index apart into the variables of nested loops, those alone that are used.
///
/// - Parameters:
///   - flat: The name of the index.
///   - loops: The name and the extent of every loop, outermost first.
///   - type: The C type of the variables.
///   - used: The names that are used.
///   - indent: What lines begin with.
///   - width: How far the innermost variable moves from one index to the next.
/// - Returns: The lines.
func unraveled(
  _ flat: String, _ loops: [(name: String, extent: Int)], type: String, used: Set<String>,
  indent: String, width: Int = 1
) -> [String] {
  var lines: [String] = []
  var inner = 1
  for (index, loop) in loops.enumerated().reversed() {
    let step = index == loops.count - 1 ? width : 1
    let extent = loop.extent / step
    if used.contains(loop.name) {
      var value = inner == 1 ? flat : "\(flat) / \(inner)"
      if index > 0 { value = "\(value) % \(extent)" }
      if step > 1 { value = "\(value) * \(step)" }
      lines.append("\(indent)const \(type) \(loop.name) = \(loop.extent == 1 ? "0" : value);")
    }
    inner *= extent
  }
  return lines.reversed()
}
