// What pooling ops compute.

/// The dimensions that a window does not slide over, and for the others the places under it.
///
/// Dimensions with a window of one element at every place need no table: they are looped over.
struct WindowTable {
  /// Where the loops over the other dimensions start in the operand.
  private var operandStarts: [Int]
  /// Where they start in the tensor that has an element for every window.
  private var windowStarts: [Int]
  /// For each place of the window, its place in that tensor.
  private var windows: [Int]
  /// For each place of the window, the places of the operand under it, -1 where there is none.
  private var taps: [[Int]]

  init(_ window: PoolingWindow, operand: TensorType, windows: TensorType) {
    let (strides, windowStrides) = (operand.strides, windows.strides)
    let looped = operand.shape.indices.filter { window.isStill($0) }
    let slid = operand.shape.indices.filter { !window.isStill($0) }
    let extents = looped.map { operand.shape[$0] }
    operandStarts = places(shape: extents, steps: looped.map { strides[$0] })
    windowStarts = places(shape: extents, steps: looped.map { windowStrides[$0] })
    self.windows = places(
      shape: slid.map { windows.shape[$0] }, steps: slid.map { windowStrides[$0] })
    taps = windowPlaces(
      shape: slid.map { operand.shape[$0] }, strides: slid.map { strides[$0] },
      windows: slid.map { windows.shape[$0] }, taps: slid.map { window.window[$0] },
      distances: slid.map { window.strides[$0] }, low: slid.map { window.low[$0] },
      baseDilation: slid.map { window.baseDilation[$0] },
      windowDilation: slid.map { window.windowDilation[$0] },
      flips: slid.map { _ in false })
  }

  /// Calls `body` for every window, in row-major order of the windows that slide, with its place in
  /// the tensor of windows, the start in the operand, and the places under it.
  func forEach(_ body: (_ window: Int, _ start: Int, _ taps: [Int]) -> Void) {
    for (start, windowStart) in zip(operandStarts, windowStarts) {
      for (window, places) in zip(windows, taps) { body(windowStart + window, start, places) }
    }
  }
}

func reduceWindow(_ x: Tensor, _ attributes: Attributes, to type: TensorType) -> Tensor {
  let window = PoolingWindow(attributes, rank: x.type.rank)
  let table = WindowTable(window, operand: x.type, windows: type)
  let combiner = Combiner(kind: attributes.symbol(.kind)!, dtype: type.dtype)
  func fold<Number>(
    _ numbers: [Number], _ neutral: Number, _ combine: (Number, Number) -> Number
  ) -> [Number] {
    let isReversed = window.scan(x.type.shape)?.isReversed == true
    var results = Array(repeating: neutral, count: type.elementCount)
    table.forEach { window, start, taps in
      var sum = neutral
      for tap in isReversed ? taps.reversed() : taps where tap >= 0 {
        sum = combine(sum, numbers[start + tap])
      }
      results[window] = sum
    }
    return results
  }
  return type.dtype.isFloatingPoint
    ? rounded(fold(x.floats, combiner.neutralNumber, combiner.numbers), to: type)
    : Tensor(type, integers: fold(x.integers, combiner.neutralInteger, combiner.integers))
}

func selectAndScatter(_ x: Tensor, _ source: Tensor, _ attributes: Attributes) -> Tensor {
  let window = PoolingWindow(attributes, rank: x.type.rank)
  let table = WindowTable(window, operand: x.type, windows: source.type)
  let takesLargest = attributes.symbol(.direction) == "ge"
  // The choice stays unless the next element beats it; a NaN loses to, and beats, everything.
  func choices<Number: Comparable>(_ numbers: [Number]) -> [Int] {
    var choices = Array(repeating: -1, count: source.type.elementCount)
    table.forEach { window, start, taps in
      for tap in taps where tap >= 0 {
        let place = start + tap
        let choice = choices[window]
        let stays =
          choice >= 0
          && (takesLargest
            ? numbers[choice] >= numbers[place] : numbers[choice] <= numbers[place])
        if !stays { choices[window] = place }
      }
    }
    return choices
  }
  let combiner = Combiner(kind: "add", dtype: x.type.dtype)
  if x.type.dtype.isFloatingPoint {
    var sums = Array(repeating: 0.0, count: x.type.elementCount)
    for (choice, number) in zip(choices(x.floats), source.floats) where choice >= 0 {
      sums[choice] = combiner.numbers(sums[choice], number)
    }
    return rounded(sums, to: x.type)
  }
  var sums = Array(repeating: Int64(0), count: x.type.elementCount)
  for (choice, number) in zip(choices(x.orderedIntegers), source.integers) where choice >= 0 {
    sums[choice] = combiner.integers(sums[choice], number)
  }
  return Tensor(x.type, integers: sums)
}
