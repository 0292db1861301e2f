// What of StableHLO is not supported: found before anything is imported, so that all of it is told at once.

/// Looks a module over for what cannot be imported.
struct StableHLOSupport {
  /// As many problems as are told one by one.
  private static let countMax = 200

  let module: MLIRModule
  let keepsChecks: Bool
  let layers: LayerLibrary

  /// Ops with code of their own in the importer, and the op of the IR that each needs.
  private static let structured: [String: String?] = [
    "stablehlo.constant": nil, "arith.constant": nil, "chlo.constant": nil,
    "stablehlo.optimization_barrier": nil, "func.call": nil, "stablehlo.composite": nil,
    "func.return": nil, "stablehlo.return": nil, "stablehlo.while": "while",
    "stablehlo.case": "case", "stablehlo.if": "case", "stablehlo.reduce": nil,
    "stablehlo.reduce_window": nil, "stablehlo.select_and_scatter": nil,
    "stablehlo.scatter": nil, "stablehlo.sort": "sort", "stablehlo.map": nil,
    "stablehlo.rng_bit_generator": "philox", "chlo.top_k": "sort",
    "stablehlo.iota": nil, "stablehlo.dynamic_iota": nil, "stablehlo.broadcast_in_dim": nil,
    "stablehlo.dynamic_broadcast_in_dim": nil, "stablehlo.broadcast": nil,
    "stablehlo.reshape": nil, "stablehlo.dynamic_reshape": nil, "stablehlo.transpose": nil,
    "stablehlo.reverse": nil, "stablehlo.concatenate": nil, "stablehlo.slice": nil,
    "stablehlo.real_dynamic_slice": nil, "stablehlo.pad": nil, "stablehlo.dynamic_pad": nil,
    "stablehlo.get_dimension_size": nil, "stablehlo.dot_general": nil, "stablehlo.dot": nil,
    "stablehlo.convolution": nil, "stablehlo.gather": nil, "stablehlo.dynamic_gather": nil,
    "stablehlo.dynamic_slice": "dynamic_slice",
    "stablehlo.dynamic_update_slice": "dynamic_update_slice",
    "stablehlo.triangular_solve": "while",
    "stablehlo.compare": nil, "stablehlo.select": nil, "stablehlo.clamp": nil,
    "stablehlo.reduce_precision": "reduce_precision",
    "stablehlo.bitcast_convert": "bitcast_convert", "chlo.square": nil, "chlo.conj": nil,
  ]

  /// Everything that is not supported in a function and in what it calls, in source order.
  func problems(from entry: MLIRFunction) -> [Diagnostic] {
    var found: [Diagnostic] = []
    for attribute in module.attributes
    where attribute.name == "mhlo.num_partitions" || attribute.name == "mhlo.num_replicas" {
      if let count = attribute.value.int, count != 1 {
        found.append(
          Diagnostic(
            "a program for \(count) devices is not supported", at: attribute.location))
      }
    }
    for op in module.otherOps {
      found.append(Diagnostic("'\(op.name)' is not supported", at: op.location))
    }
    var seen: Set<String> = [entry.name]
    var waiting = [entry]
    while let function = waiting.popLast() {
      visit(function, &found)
      for callee in StableHLOSupport.callees(of: function.body) where seen.insert(callee).inserted {
        if let function = module[callee] { waiting.append(function) }
      }
    }
    found.sort { $0.location.offset < $1.location.offset }
    if found.count > StableHLOSupport.countMax {
      let rest = found.count - StableHLOSupport.countMax
      found.removeLast(rest)
      found.append(
        Diagnostic("and \(rest) more that are not supported", at: found[found.count - 1].location))
    }
    return found
  }

  private static func callees(of body: [MLIROperation]) -> [String] {
    body.flatMap { op in
      [op["callee"]?.symbol, op["decomposition"]?.symbol].compactMap { $0 }
        + op.regions.flatMap { callees(of: $0.body) }
    }
  }

  private func visit(_ function: MLIRFunction, _ found: inout [Diagnostic]) {
    if function.body.isEmpty {
      found.append(Diagnostic("@\(function.name) has no body", at: function.location))
    }
    for argument in function.arguments {
      if let problem = StableHLOSupport.problem(with: argument.type) {
        found.append(Diagnostic(problem, at: argument.location))
      }
      visit(argument.attributes, &found)
    }
    for result in function.results { visit(result.attributes, &found) }
    visit(function.body, &found)
  }

  private func visit(_ body: [MLIROperation], _ found: inout [Diagnostic]) {
    for op in body {
      if let problem = problem(with: op) {
        found.append(Diagnostic(problem, at: op.location))
      } else if let problem = op.resultTypes.lazy.compactMap(StableHLOSupport.problem(with:)).first
      {
        found.append(Diagnostic(problem, at: op.location))
      }
      visit(op.attributes, &found)
      for region in op.regions { visit(region.body, &found) }
    }
  }

  /// Shardings that divide anything.
  private func visit(_ attributes: [MLIRNamedAttribute], _ found: inout [Diagnostic]) {
    for attribute in attributes {
      switch attribute.name {
      case "sdy.sharding", "sdy.sharding_per_value": break
      case "mhlo.sharding":
        guard case .string(let text) = attribute.value, text != "{replicated}",
          !text.hasPrefix("{maximal")
        else { continue }
      default: continue
      }
      found.append(Diagnostic("sharding is not supported", at: attribute.location))
    }
  }

  private func has(_ name: String) -> Bool { Opcode(name: name) != nil || layers.has(name) }

  /// What is not supported of an op, regions and types apart.
  private func problem(with op: MLIROperation) -> String? {
    let refusal = "'\(op.name)' is not supported"
    if let needed = StableHLOSupport.structured[op.name] {
      return needed.map(has) == false ? refusal : nil
    }
    let parts = op.name.split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2 else { return refusal }
    let name = parts[1]
    switch parts[0] {
    case "stablehlo" where name == "custom_call":
      let target = op["call_target_name"].flatMap { $0.symbol ?? $0.string } ?? ""
      return keepsChecks && target.hasPrefix("check.")
        ? nil : "'\(op.name)' of @\(target) is not supported"
    case "stablehlo":
      return StableHLOFunctionImporter.elementwiseNames.contains(name) && has(name) ? nil : refusal
    case "chlo" where name.hasPrefix("broadcast_"):
      let inner = StableHLOFunctionImporter.broadcastNames[String(name.dropFirst(10))]
      return inner.map(has) == true ? nil : refusal
    case "chlo":
      return StableHLOFunctionImporter.chloNames.contains(name) && has(name) ? nil : refusal
    default: return refusal
    }
  }

  /// The dtype of the IR for an element type; signless and signed integers are the same.
  static func spelling(_ element: String) -> String {
    element.hasPrefix("si") ? String(element.dropFirst()) : element
  }

  /// What is not supported of a type; nil where it is a tensor of the IR.
  static func problem(with type: MLIRType) -> String? {
    guard case .tensor(let shape, let element) = type else {
      return "the type \(type) is not supported"
    }
    if shape.contains(-1) { return "the dynamic shape of \(type) is not supported" }
    guard let dtype = DType(name: spelling(element)) else {
      return element.hasPrefix("complex")
        ? "complex numbers are not supported: \(type)"
        : element.hasPrefix("!quant")
          ? "quantized types are not supported: \(type)"
          : "the elements of \(type) are not supported"
    }
    return TensorType(dtype, shape).isRepresentable ? nil : "\(type) takes more than 1 TiB"
  }
}
