// What generators and movement ops compute.
//
// Every movement op but `pad` and `concatenate` reads its operand through strides: along each
// dimension of the result, the place in the operand advances by a fixed step. So the interpreter's
// one tool is the list of places that nested loops with given steps visit.

/// The places that nested loops visit, row-major: `start` plus index times step, summed over the
/// dimensions.
func places(shape: [Int], steps: [Int], start: Int = 0) -> [Int] {
  var places = [start]
  for (extent, step) in zip(shape, steps) {
    let outer = places
    places = Array(unsafeUninitializedCapacity: outer.count * extent) { target, initializedCount in
      var position = 0
      var row = 0
      while row < outer.count {
        var place = outer[row]
        var index = 0
        while index < extent {
          target[position] = place
          place &+= step
          position &+= 1
          index &+= 1
        }
        row &+= 1
      }
      initializedCount = position
    }
  }
  return places
}

/// The elements of a tensor at the given places.
func elements(of x: Tensor, at places: [Int], as type: TensorType) -> Tensor {
  var result = Tensor(zeros: type)
  copy(from: x, places, to: &result, nil)
  return result
}

/// Copies elements between places: the first list in `source`, the second in `target`, where nil
/// stands for 0, 1, 2, …
func copy(from source: Tensor, _ from: [Int]?, to target: inout Tensor, _ to: [Int]?) {
  let size = source.type.dtype.byteCount
  let count = from?.count ?? to?.count ?? source.type.elementCount
  guard count > 0 else { return }
  source.bytes.withUnsafeBytes { input in
    target.bytes.withUnsafeMutableBytes { output in
      guard let input = input.baseAddress, let output = output.baseAddress else { return }
      for index in 0..<count {
        let read = from.map { $0[index] } ?? index
        let write = to.map { $0[index] } ?? index
        (output + write * size).copyMemory(from: input + read * size, byteCount: size)
      }
    }
  }
}

func constantTensor(_ type: TensorType, _ data: ConstantData) -> Tensor {
  switch data {
  case .splat(let element): Tensor(type, repeating: element)
  case .dense(let bytes): Tensor(type, bytes: bytes)
  }
}

func iotaTensor(_ type: TensorType, along dim: Int) -> Tensor {
  var steps = Array(repeating: 0, count: type.rank)
  steps[dim] = 1
  return Tensor(type, integers: places(shape: type.shape, steps: steps).map { Int64($0) })
}

func randomTensor(
  _ type: TensorType, _ attributes: Attributes, key: Tensor, stream: Int
) -> Tensor {
  let key = key.integers
  let words = randomWords(
    count: type.elementCount, seed: UInt32(key[0]), step: UInt32(key[1]),
    stream: UInt32(truncatingIfNeeded: stream))
  return attributes.symbol(.distribution) == "uniform"
    ? Tensor(type, floats: words.map { Double($0 >> 8) * 0x1p-24 })
    : Tensor(type, integers: words.map { Int64($0) })
}

func broadcast(_ x: Tensor, dims: [Int], to type: TensorType) -> Tensor {
  var steps = Array(repeating: 0, count: type.rank)
  let strides = x.type.strides
  for (axis, dim) in dims.enumerated() where x.type.shape[axis] != 1 { steps[dim] = strides[axis] }
  return elements(of: x, at: places(shape: type.shape, steps: steps), as: type)
}

func transposed(_ x: Tensor, dims: [Int]) -> Tensor {
  let strides = x.type.strides
  let type = x.type.with(shape: dims.map { x.type.shape[$0] })
  return elements(
    of: x, at: places(shape: type.shape, steps: dims.map { strides[$0] }), as: type)
}

func sliced(_ x: Tensor, _ attributes: Attributes, to type: TensorType) -> Tensor {
  let strides = x.type.strides
  let start = attributes.ints(.start)!
  let distances = attributes.ints(.strides, count: x.type.rank, fill: 1)
  let first = zip(start, strides).reduce(0) { $0 + $1.0 * $1.1 }
  return elements(
    of: x, at: places(shape: type.shape, steps: zip(strides, distances).map(*), start: first),
    as: type)
}

func reversed(_ x: Tensor, dims: [Int]) -> Tensor {
  var steps = x.type.strides
  var start = 0
  for dim in dims {
    start += steps[dim] * (x.type.shape[dim] - 1)
    steps[dim] = -steps[dim]
  }
  return elements(of: x, at: places(shape: x.type.shape, steps: steps, start: start), as: x.type)
}

func padded(
  _ x: Tensor, with value: Tensor, _ attributes: Attributes, to type: TensorType
) -> Tensor {
  let rank = x.type.rank
  let low = attributes.ints(.low, count: rank, fill: 0)
  let interior = attributes.ints(.interior, count: rank, fill: 0)
  // Along each dimension the elements that stay inside are consecutive.
  var kept: [Range<Int>] = []
  for axis in 0..<rank {
    let inside = (0..<x.type.shape[axis]).filter {
      (0..<type.shape[axis]).contains(low[axis] + $0 * (interior[axis] + 1))
    }
    kept.append((inside.first ?? 0)..<(inside.last.map { $0 + 1 } ?? 0))
  }
  var result = Tensor(type, repeating: value.bytes)
  let (from, to) = (x.type.strides, type.strides)
  let spread = (0..<rank).map { interior[$0] + 1 }
  let shape = kept.map(\.count)
  let start = (0..<rank).reduce((0, 0)) { sum, axis in
    (
      sum.0 + kept[axis].lowerBound * from[axis],
      sum.1 + (low[axis] + kept[axis].lowerBound * spread[axis]) * to[axis]
    )
  }
  copy(
    from: x, places(shape: shape, steps: from, start: start.0), to: &result,
    places(shape: shape, steps: zip(to, spread).map(*), start: start.1))
  return result
}

func concatenated(_ operands: [Tensor], along dim: Int, to type: TensorType) -> Tensor {
  var result = Tensor(zeros: type)
  var start = 0
  for x in operands {
    copy(
      from: x, nil, to: &result,
      places(shape: x.type.shape, steps: type.strides, start: start * type.strides[dim]))
    start += x.type.shape[dim]
  }
  return result
}
