// Which results a kernel may write over a value that it reads for the last time.
//
// Problem     A kernel that holds two operands and a result at once sets the smallest arena of many
//             steps. Where an operand dies in the kernel, the result can take its place.
// Rule        The kernel reads every element of the operand at the place of the result that it then
//             writes, and not again later. For a kernel of loops that means: operand and result have
//             one type, of the shape of the loops or of those around the reduced dimensions; the
//             operand reaches elementwise ops and reductions only, which all read at the place of the
//             loops; and no pass over the reduced dimensions after the one that writes the result
//             reads the operand. An op that changes windows of its operand copies it before it does
//             anything else. A loop copies what it starts with before it runs.
// Ask         Which value is read for the last time is a matter of the order, and not asked here:
//             `RematProblem` decides it run by run, `StorageAssignment` for the order that was
//             chosen, by the same rule: results in order, each over the first operand that allows it
//             and is free.
// Cost        O(ops of the kernel + results · values it reads).
// Checked by  `OverwriteProof`, on the loops that the kernel is lowered to.

/// A result of a kernel that may be written over a value it reads.
struct InPlaceOutput: Hashable, Sendable {
  /// Position among the values that the kernel writes.
  var output: Int
  /// Position among the values that the kernel reads.
  var input: Int
}

extension Function {
  /// Finds the pairs of a kernel.
  ///
  /// - Parameters:
  ///   - kernel: A kernel of the function.
  ///   - order: The kernels of the function.
  /// - Returns: The pairs, by output, then by input.
  func inPlaceOutputs(of kernel: Kernel, order: KernelOrder) -> [InPlaceOutput] {
    switch ops[kernel.op].opcode {
    case .dotGeneral, .convolution, .softmaxAttention, .softmaxAttentionGradient, .pad,
      .concatenate, .gather, .dynamicSlice,
      .reduceWith, .reduceWindowWith, .selectAndScatterWith, .sort, .reduceWindow,
      .selectAndScatter:
      return []
    case .while: return carriedInPlace(by: kernel, order: order)
    case .case: return []
    case .scatter, .dynamicUpdateSlice:
      let sources = operands(of: kernel.op).map { order.root[$0] }
      guard !sources.dropFirst().contains(sources[0]) else { return [] }
      return [InPlaceOutput(output: 0, input: kernel.reads.firstIndex(of: sources[0])!)]
    case .scatterWith:
      let sources = operands(of: kernel.op).map { order.root[$0] }
      return kernel.writes.indices.filter { number in
        sources.filter { $0 == sources[number] }.count == 1
      }.map {
        InPlaceOutput(output: $0, input: kernel.reads.firstIndex(of: sources[$0])!)
      }
    default:
      return LoopReads(self, kernel.op).inPlaceOutputs(of: kernel, order: order)
    }
  }
}

extension Function {
  /// The carried values of a loop that may go on in the memory of what they start with: nothing else
  /// in the loop reads that.
  private func carriedInPlace(by kernel: Kernel, order: KernelOrder) -> [InPlaceOutput] {
    let sources = operands(of: kernel.op).map { order.root[$0] }
    var uses: [ValueID: Int] = [:]
    for source in sources { uses[source, default: 0] += 1 }
    return kernel.writes.indices.compactMap { output in
      guard uses[sources[output]] == 1 else { return nil }
      return InPlaceOutput(output: output, input: kernel.reads.firstIndex(of: sources[output])!)
    }
  }
}

/// What a kernel of loops reads and writes, and when.
private struct LoopReads {
  private let function: Function
  private let parts: FusionParts
  private let frame: LoopFrame
  private let passes: LoopPasses

  init(_ function: Function, _ op: OpID) {
    self.function = function
    parts = FusionParts(function, op)
    frame =
      parts.ops.lazy.filter { function.ops[$0].opcode == .reduce }
      .compactMap { LoopFrame($0, of: function) }.first
      ?? LoopFrame(
        domain: parts.outputs.first.map { function.type(of: $0).shape } ?? [], reduced: [])
    passes = LoopPasses(function, ops: parts.ops, outputs: parts.outputs)
  }

  func inPlaceOutputs(of kernel: Kernel, order: KernelOrder) -> [InPlaceOutput] {
    // A value may be read as itself and as a view.
    var readAs: [ValueID: [ValueID]] = [:]
    for value in parts.read { readAs[order.root[value], default: []].append(value) }
    var pairs: [InPlaceOutput] = []
    for (output, value) in parts.outputs.enumerated() {
      let type = function.type(of: value)
      let pass: Int
      if type.shape == frame.domain {
        pass = passes.write(value)
      } else if frame.isKept(type.shape) {
        // Written after the pass that makes it known, at the place of the loops around the passes.
        pass = passes.level[value] ?? 0
      } else {
        continue
      }
      for (input, root) in kernel.reads.enumerated() {
        let isFree = readAs[root]!.allSatisfy {
          function.type(of: $0) == type && (passes.lastRead[$0] ?? -1) <= pass
        }
        if isFree { pairs.append(InPlaceOutput(output: output, input: input)) }
      }
    }
    return pairs
  }
}
