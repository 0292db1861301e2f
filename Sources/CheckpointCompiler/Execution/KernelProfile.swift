// Measured times of kernels, by what they do.
//
// Problem     Clocks tick in steps that are longer than a small kernel takes, and now and then the
//             system takes the processor away.
// Method      Many runs, as many as fit in some time; the mean without the longest tenth keeps what
//             the ticks average to, and drops the interruptions.

/// What one kind of kernel costs.
package struct KernelTime: Sendable {
  /// The key under which the planner looks it up.
  package var key: String
  /// The first kernel of the kind.
  package var name: String
  /// How many kernels of the kind the step runs.
  package var count: Int
  /// Its usual time in nanoseconds.
  package var measuredNs: Double
  /// The planner's estimate in nanoseconds.
  package var predictedNs: Double
  /// What one kernel of the kind does.
  package var work: KernelWork
}

/// Measures all kinds of kernels of a step.
///
/// - Parameters:
///   - step: A step that was compiled with `CKC_PROFILE`.
///   - target: The machine for the estimates.
///   - seconds: How long to measure; the step runs 15 times at least and 1000 times at most.
///   - prepare: Sets the arguments before a run.
/// - Returns: The times of the kinds, in the order in which they first run.
package func kernelTimes(
  of step: CompiledStep, target: Target, seconds: Double, prepare: () -> Void
) -> [KernelTime] {
  kernelTimes(of: step.function, target: target, seconds: seconds) { _ in
    prepare()
    step.run()
    return step.kernelNs
  }
}

/// Measures all kinds of kernels of a function, wherever it runs.
///
/// - Parameters:
///   - function: A planned function.
///   - target: The machine for the estimates.
///   - seconds: How long to measure; the step runs 15 times at least and 1000 times at most.
///   - run: Runs the step and returns the nanoseconds of its kernels, as many as it is told, in their
///     order.
/// - Returns: The times of the kinds, in the order in which they first run.
/// - Throws: What `run` throws.
package func kernelTimes<Trouble: Error>(
  of function: Function, target: Target, seconds: Double,
  run: (_ kernelCount: Int) throws(Trouble) -> [Double]
) throws(Trouble) -> [KernelTime] {
  let order = KernelOrder(function)
  let predictedNs = CostModel(target: target).timesNs(of: order, in: function)
  var places: [String: Int] = [:]
  var times: [KernelTime] = []
  var kindOf: [Int] = []
  let isInPlace = function.windowUpdates(order)
  for ((kernel, isInPlace), predictedNs) in zip(zip(order.kernels, isInPlace), predictedNs) {
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
        predictedNs: predictedNs,
        work: KernelWork(of: kernel, in: function, target: target, isInPlace: isInPlace)))
  }
  var samples = Array(repeating: [Double](), count: times.count)
  let clock = ContinuousClock()
  let (warmUpCount, runsMin, runsMax) = (2, 15, 1000)
  let end = clock.now + .seconds(seconds)
  var number = -warmUpCount
  while number < runsMin || (number < runsMax && clock.now < end) {
    let kernelNs = try run(kindOf.count)
    if number >= 0 {
      for (kernel, kind) in kindOf.enumerated() { samples[kind].append(kernelNs[kernel]) }
    }
    number += 1
  }
  for kind in times.indices { times[kind].measuredNs = usual(samples[kind]) }
  return times
}

/// The mean of some numbers without the largest tenth of them; 0 where there are none.
func usual(_ numbers: [Double]) -> Double {
  guard !numbers.isEmpty else { return 0 }
  let kept = numbers.sorted().prefix(max(1, numbers.count - numbers.count / 10))
  return kept.reduce(0, +) / Double(kept.count)
}
