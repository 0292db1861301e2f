// What a kernel costs: a roofline estimate, or a measurement.
//
// Estimate    The larger of operations over peak and bytes over bandwidth, plus the time to start a
//             kernel. Contractions reach most of the peak; loops that are not contractions a small
//             fraction of it. On a graphics processor the peak is that of the elements' type, and a
//             part of the bytes comes from its cache.
// Source      S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52(4), 2009,
//             doi:10.1145/1498765.1498785.

/// Prices kernels in nanoseconds.
public struct CostModel: Sendable {
  /// The machine.
  public var target: Target
  /// Measured nanoseconds by kernel key; where present they replace the estimate.
  public var measuredNs: [String: Double]
  /// What an estimate is multiplied by, so that it can stand beside measurements.
  private var estimateScale = 1.0

  /// A model of the given machine.
  public init(target: Target, measuredNs: [String: Double] = [:]) {
    self.target = target
    self.measuredNs = measuredNs
  }

  /// The share of the peak that a contraction reaches at best.
  private static let contractionEfficiency = 0.8
  /// The share of the peak that an elementwise loop or a reduction reaches.
  static let loopEfficiency = 0.1

  /// Scales estimates by how the kernels of some functions that were measured compare with theirs.
  ///
  /// Plans of kernels that were measured are compared with plans of kernels that were not.
  mutating func calibrate(by functions: [Function]) {
    guard !measuredNs.isEmpty else { return }
    var measured = 0.0
    var estimated = 0.0
    for function in functions {
      let order = KernelOrder(function)
      for (kernel, isInPlace) in zip(order.kernels, function.windowUpdates(order)) {
        guard let time = measuredNs[kernelKey(kernel.op, in: function)] else { continue }
        measured += time
        estimated += estimateNs(of: kernel, in: function, isInPlace: isInPlace)
      }
    }
    if measured > 0, estimated > 0 { estimateScale = measured / estimated }
  }

  /// The times of all kernels in nanoseconds.
  func timesNs(of order: KernelOrder, in function: Function) -> [Double] {
    zip(order.kernels, function.windowUpdates(order)).map {
      timeNs(of: $0, in: function, isInPlace: $1)
    }
  }

  /// The time of a kernel in nanoseconds; `isInPlace` says whether it changes windows of an operand
  /// where that lies.
  private func timeNs(of kernel: Kernel, in function: Function, isInPlace: Bool) -> Double {
    if !measuredNs.isEmpty, let measured = measuredNs[kernelKey(kernel.op, in: function)] {
      return measured
    }
    return estimateNs(of: kernel, in: function, isInPlace: isInPlace) * estimateScale
  }

  private func estimateNs(of kernel: Kernel, in function: Function, isInPlace: Bool) -> Double {
    if function.ops[kernel.op].opcode.runsRoutines {
      return controlNs(of: kernel.op, in: function) + target.kernelOverheadNs
    }
    let work = KernelWork(of: kernel, in: function, target: target, isInPlace: isInPlace)
    let productFlopsPerNs =
      target.gpu?.productFlopsPerNs(work.productDType ?? .f32) ?? target.flopsPerNs
    let trafficNs = target.gpu?.trafficNs(work.bytes) ?? Double(work.bytes) / target.bytesPerNs
    let compute =
      work.contractionFlops / (productFlopsPerNs * CostModel.contractionEfficiency)
      + work.loopFlops / (target.flopsPerNs * CostModel.loopEfficiency)
    return max(compute, trafficNs) + target.kernelOverheadNs
  }

  /// The time of a loop, or of a branch: that of the dearest one.
  private func controlNs(of op: OpID, in function: Function) -> Double {
    let costs = function.routines(of: op).map(\.costNs)
    guard function.ops[op].opcode == .while else { return costs.max() ?? 0 }
    let trips = function.tripCount(of: op) ?? assumedTripCount
    return costs.reduce(0, +) * Double(trips)
  }
}

extension Function {
  /// The op of a kernel, or the ops inside a fusion.
  func opsOfKernel(_ op: OpID) -> [OpID] {
    ops[op].opcode == .fusion ? blocks[ops[op].regions[0]].ops : [op]
  }

  /// The signature of an op.
  func signature(of op: OpID) -> OpSignature {
    var signature = OpSignature(
      opcode: ops[op].opcode, operandTypes: operands(of: op).map { type(of: $0) },
      attributes: ops[op].attributes)
    signature.declaredTypes = results(of: op).map { type(of: $0) }
    for name in ops[op].attributes.functionNames {
      signature.functionTypes[name] = callee(name).map { FunctionType($0) }
    }
    return signature
  }
}

/// A name for the work of a kernel: equal for kernels that do the same, whatever their values are
/// called. It is the key of measured costs.
///
/// - Complexity: O(ops of the kernel and of the functions that it reaches).
func kernelKey(_ op: OpID, in function: Function) -> String {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  func mix(_ text: String) {
    // FNV-1a, so that keys are the same on every run and machine.
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }
  /// What an op does; values are told apart by the order in which they occur.
  func mix(
    _ op: OpID, of function: Function, _ places: inout [ValueID: Int], callees: [Function] = []
  ) {
    mix(function.ops[op].opcode.name)
    for operand in function.operands(of: op) {
      let place = places[operand, default: places.count]
      places[operand] = place
      mix("%\(place):\(function.type(of: operand))")
    }
    for entry in function.ops[op].attributes.entries {
      switch entry.value {
      // What a function is called tells nothing about it.
      case .function, .functions: continue
      case .int, .number, .ints, .symbol, .constant, .string: break
      }
      mix("\(entry.name.rawValue)=\(entry.value)")
    }
    for callee in callees {
      var inner: [ValueID: Int] = [:]
      for argument in callee.arguments { inner[argument.value] = inner.count }
      mix("(")
      for op in callee.opsInOrder {
        mix(op, of: callee, &inner)
        mix(";")
      }
      mix(")")
    }
    for result in function.results(of: op) {
      places[result] = places.count
      mix("->\(function.type(of: result))")
    }
  }
  var places: [ValueID: Int] = [:]
  var opNames: [String] = []
  for inner in function.opsOfKernel(op) {
    let op = function.ops[inner]
    if !op.opcode.isTerminator { opNames.append(op.opcode.name) }
    mix(
      inner, of: function, &places,
      callees: functionsReached(from: op.attributes.functionNames, function.callee))
  }
  let label = opNames.count > 4 ? opNames.prefix(3) + ["\(opNames.count - 3)_more"] : opNames[...]
  return "\(label.joined(separator: "+"))#\(String(hash, radix: 16))"
}
