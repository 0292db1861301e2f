// Measured times of kernels, by what they do.

/// What one kind of kernel costs.
package struct KernelTime: Sendable {
  /// The key under which the planner looks it up.
  package var key: String
  /// The first kernel of the kind.
  package var name: String
  /// How many kernels of the kind the step runs.
  package var count: Int
  /// The median of its times in nanoseconds.
  package var measuredNs: Double
  /// The planner's estimate in nanoseconds.
  package var predictedNs: Double
}

/// Measures all kinds of kernels of a step.
///
/// - Parameters:
///   - step: A step that was compiled with `CKC_PROFILE`.
///   - target: The machine for the estimates.
///   - repetitions: How often the step runs; some runs before those are not counted.
///   - prepare: Sets the inputs before a run.
/// - Returns: The times of the kinds, in the order in which they first run.
package func kernelTimes(
  of step: CompiledStep, target: Target, repetitions: Int, prepare: (Int) -> Void
) -> [KernelTime] {
  let function = step.function
  let kernels = KernelOrder(function).kernels
  let model = CostModel(target: target)
  var places: [String: Int] = [:]
  var times: [KernelTime] = []
  var kindOf: [Int] = []
  for kernel in kernels {
    let key = kernelKey(kernel.op, in: function)
    if let place = places[key] {
      times[place].count += 1
      kindOf.append(place)
      continue
    }
    places[key] = times.count
    kindOf.append(times.count)
    times.append(
      KernelTime(
        key: key, name: function.kernelName(kernel), count: 1, measuredNs: 0,
        predictedNs: model.timeNs(of: kernel, in: function)))
  }
  var samples = Array(repeating: [Double](), count: times.count)
  let warmUpCount = 2
  for run in 0..<(warmUpCount + repetitions) {
    prepare(run)
    step.run()
    guard run >= warmUpCount else { continue }
    for (kernel, kind) in kindOf.enumerated() { samples[kind].append(step.kernelNs[kernel]) }
  }
  for kind in times.indices { times[kind].measuredNs = median(samples[kind]) }
  return times
}

/// The middle of some numbers; 0 where there are none.
func median(_ numbers: [Double]) -> Double {
  guard !numbers.isEmpty else { return 0 }
  let sorted = numbers.sorted()
  let middle = sorted.count / 2
  return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}
