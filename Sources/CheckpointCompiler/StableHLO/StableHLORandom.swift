// Random bits: `rng_bit_generator` as a layer, with the bits of XLA.
//
// Three-fry   One counter makes two words. XLA puts them beside each other along the first dimension of
//             even extent, else along the longest one, the first of several.
// Philox      One counter makes four words, for four neighbours of the elements in row-major order. It is
//             what `DEFAULT` means for processors.

extension StableHLOFunctionImporter {
  /// The new state and the bits.
  mutating func importRandomBits(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    guard operands.count == 1, types.count == 2, let state = operands.first,
      state.type.rank == 1, state.type.dtype == .ui64, types[0] == state.type
    else {
      throw Diagnostic(
        "'\(op.name)' whose state is not a list of ui64 is not supported", at: op.location)
    }
    let algorithm = op["rng_algorithm"]?.word ?? "DEFAULT"
    let type = types[1]
    let isThreefry = algorithm == "THREE_FRY"
    guard let bits = StableHLOFunctionImporter.unsigned(type.dtype),
      isThreefry ? state.type.shape == [2] : state.type.shape == [2] || state.type.shape == [3]
    else {
      throw Diagnostic(
        "'\(op.name)' of \(type) from \(state.type) is not supported", at: op.location)
    }
    let called = [names.first ?? "", names.count > 1 ? names[1] : ""]
    let place = op.location
    let shape: [Int]
    var attributes = [("to", SyntaxExpression.word(bits.name, at: place))]
    if isThreefry {
      let split = StableHLOFunctionImporter.splitDimension(of: type.shape)
      shape = [
        type.shape[..<split].reduce(1, *), type.rank == 0 ? 1 : type.shape[split],
        type.shape.dropFirst(split + 1).reduce(1, *),
      ]
      attributes += [
        ("outer", .int(shape[0])), ("extent", .int(shape[1])), ("inner", .int(shape[2])),
      ]
    } else {
      shape = [type.elementCount]
      attributes.append(("count", .int(type.elementCount)))
    }
    let results = append(
      isThreefry ? "threefry" : "philox", [state], attributes,
      types: [state.type, TensorType(bits, shape)], names: [called[0]], at: place)
    var words = results[1]
    if shape != type.shape {
      words = appendOne("reshape", [words], type: TensorType(bits, type.shape), at: place)
    }
    if bits != type.dtype {
      words = appendOne("bitcast_convert", [words], type: type, called: called[1], at: place)
    }
    return [results[0], words]
  }

  /// The dimension along which the two words of a counter are neighbours.
  private static func splitDimension(of shape: [Int]) -> Int {
    if let even = shape.firstIndex(where: { $0 % 2 == 0 }) { return even }
    return shape.firstIndex(of: shape.max() ?? 0) ?? 0
  }

  /// The unsigned dtype of the same width; nil where there is none.
  private static func unsigned(_ dtype: DType) -> DType? {
    guard dtype != .i1 else { return nil }
    return DType.allCases.first {
      !$0.isFloatingPoint && $0.isUnsigned && $0 != .i1 && $0.byteCount == dtype.byteCount
    }
  }
}
