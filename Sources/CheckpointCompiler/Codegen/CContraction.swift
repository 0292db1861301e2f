// The C function of a contraction.
//
// Every part becomes a function; the function of the contraction calls them in turn. This file has
// what the forms share: loops decoded from a flat index, and checks of the window.

/// The C text of a contraction: `static void NAME(const A *a, const B *b, T *out, unsigned char
/// *scratch)`, after the functions that it calls.
///
/// It needs `CGemmSource.source(for:)` with the contraction's dtypes before it, and from the program
/// `CKC_RESTRICT`, `static int ckc_threads(int)`, `<stddef.h>`, `<stdint.h>`, `<string.h>`. Neither
/// operand may overlap the result; `scratch` is aligned to 64 and has `scratchBytes(for:target:)`.
func cFunction(for contraction: Contraction, name: String, target: Target) -> String {
  let factors = [contraction.dtypes.first, contraction.dtypes.second].map {
    KernelBuffer(dtype: $0, isRead: true, isWritten: false)
  }
  var uses: Set<String> = []
  return cFunction(
    for: contraction, epilogue: nil, buffers: factors, name: name, target: target, uses: &uses)
}

/// The C text of the contraction of a kernel. Where it has prologues, its function has what they read as
/// parameters in place of the factors and after them; where it has an epilogue, the buffers of that in
/// place of `out`.
///
/// - Parameters:
///   - contraction: A contraction.
///   - buffers: The buffers of its kernel.
///   - name: The name of the function.
///   - target: The machine.
///   - uses: Receives the support functions that are called.
/// - Returns: The function, after those that it calls.
func cFunction(
  for contraction: Contraction, buffers: [KernelBuffer], name: String, target: Target,
  uses: inout Set<String>
) -> String {
  let epilogue = contraction.epilogue.map {
    CEpilogue($0, of: contraction, buffers: buffers)
  }
  uses.formUnion(epilogue?.uses ?? [])
  return cFunction(
    for: contraction, epilogue: epilogue, buffers: buffers, name: name, target: target,
    uses: &uses)
}

private func cFunction(
  for contraction: Contraction, epilogue: CEpilogue?, buffers: [KernelBuffer], name: String,
  target: Target, uses: inout Set<String>
) -> String {
  var text = ""
  var calls = ""
  let factors = Array(buffers.prefix(contraction.factorBufferCount))
  let signature = CPartSignature(dtypes: contraction.dtypes, factors: factors, epilogue: epilogue)
  let arguments = signature.arguments
  if let winograd = contraction.winograd(target) {
    return CWinograd(winograd, signature: signature, name: name, target: target).text
  }
  for (index, part) in contraction.parts.enumerated() {
    let partName = contraction.parts.count == 1 ? name : "\(name)_\(index)"
    let writer = CPart(
      part: part, signature: signature, name: partName,
      prologues: [.first, .second].map { (operand: Contraction.Operand) in
        contraction.prologue(operand).map {
          CPrologue(
            $0, PackedSide(part, operand),
            name: "\(partName)_\(operand == .first ? "first" : "second")",
            sum: contraction.dtypes.sum, buffers: buffers)
        }
      })
    for prologue in writer.prologues { uses.formUnion(prologue?.uses ?? []) }
    switch part.form(contraction.dtypes, target) {
    case .lanes: text += writer.lanes(target)
    case .dots: text += writer.dots(target)
    case .packed(let blocking): text += writer.packed(blocking)
    case .depthwise(let form): text += writer.depthwise(form, target)
    }
    calls += "  \(partName)(\(arguments));\n"
  }
  if contraction.parts.count == 1 { return text }
  if calls.isEmpty {
    let unused = arguments.split(separator: ", ")
    calls = unused.map { "  (void)\($0);\n" }.joined()
  }
  return text + signature.head(name) + "{\n\(calls)}\n"
}

/// The head of the functions of contractions.
struct CPartSignature {
  var dtypes: Contraction.DTypes
  /// The buffers of the factors, or of what they are made of.
  var factors: [KernelBuffer]
  var epilogue: CEpilogue?

  /// The parameters as arguments.
  var arguments: String {
    let read = factors.indices.map(CPrologue.parameter).joined(separator: ", ")
    return "\(read), \(epilogue?.arguments ?? "out"), scratch"
  }

  func head(_ name: String) -> String {
    let read = factors.enumerated().map { number, buffer in
      "const \(cStorageType(buffer.dtype)) *CKC_RESTRICT \(CPrologue.parameter(number))"
    }
    let results =
      epilogue?.parameters.joined(separator: ",\n  ")
      ?? "\(cStorageType(dtypes.result)) *CKC_RESTRICT out"
    return """
      CKC_CONTRACT static void \(name)(
        \(read.joined(separator: ", ")),
        \(results), unsigned char *CKC_RESTRICT scratch)

      """
  }
}

/// Writes the function of one part.
struct CPart: PlaceText {
  typealias Loop = Contraction.Loop
  typealias Part = Contraction.Part

  var part: Part
  var signature: CPartSignature
  var name: String
  /// What makes the first and the second factor; nil where one is in memory.
  var prologues: [CPrologue?]

  var dtypes: Contraction.DTypes { signature.dtypes }
  /// What is done with the sums; nil where they are the result.
  var epilogue: CEpilogue? { signature.epilogue }

  var head: String { signature.head(name) }

  /// What makes a factor; nil where it is in memory.
  func prologue(_ operand: Contraction.Operand) -> CPrologue? {
    prologues[operand == .first ? 0 : 1]
  }

  /// The C type that products are added in.
  var sumType: String { dtypes.sum.cSum }

  /// An element of an operand as a number that sums are computed in.
  func load(_ operand: Contraction.Operand, _ element: String) -> String {
    let dtype = dtypes.of(operand)
    let isNarrow = dtype == .bf16 || dtype == .f16
    let number = isNarrow ? "ckc_\(dtype.name)_to_f32(\(element))" : element
    return dtype.cSum == sumType && dtype.isFloatingPoint ? number : "(\(sumType))\(number)"
  }

  /// A sum as an element of the result.
  func store(_ sum: String) -> String {
    let dtype = dtypes.result
    if dtype == .bf16 || dtype == .f16 { return "ckc_f32_to_\(dtype.name)(\(sum))" }
    return dtype.isFloatingPoint ? sum : "(\(cStorageType(dtype)))\(sum)"
  }

  /// Lines that take a flat index apart into the indices `prefix0`, `prefix1`, … of nested loops.
  func decoded(_ flat: String, _ loops: [Loop], _ prefix: String, indent: String) -> String {
    var text = ""
    var inner = 1
    var divisors: [Int] = []
    for loop in loops.reversed() {
      divisors.insert(inner, at: 0)
      inner *= loop.extent
    }
    for (index, loop) in loops.enumerated() {
      var value = divisors[index] == 1 ? flat : "\(flat) / \(divisors[index])"
      if index > 0 { value = "\(value) % \(loop.extent)" }
      text += "\(indent)ptrdiff_t \(prefix)\(index) = \(value);\n"
    }
    return text
  }

  /// Lines that step the indices of nested loops by one, given that the last was stepped.
  func carried(_ loops: [Loop], _ prefix: String, indent: String) -> String {
    guard loops.count > 1 else { return "" }
    let last = loops.count - 1
    // The outermost index runs past its extent only when all is done.
    var line = "++\(prefix)0;"
    for index in loops.indices.dropFirst() {
      let this = "\(prefix)\(index)"
      line = "if (\(this) == \(loops[index].extent)) { \(this) = 0; \(line) }"
      if index < last { line = "++\(this); " + line }
    }
    return "\(indent)\(line)\n"
  }

  /// The condition that a position along an axis is outside the tensor or in a gap.
  func misses(_ position: String, _ axis: Contraction.Axis) -> String {
    let limit = axis.extent * axis.dilation
    let outside = "\(position) < 0 || \(position) >= \(limit)"
    return axis.dilation == 1 ? outside : "\(outside) || \(position) % \(axis.dilation) != 0"
  }

  /// The offset in the first operand of a position along an axis, as a term.
  func offset(_ position: String, _ axis: Contraction.Axis) -> String {
    axis.dilation == 1
      ? term(position, axis.stride) : term("\(position) / \(axis.dilation)", axis.stride)
  }
}
