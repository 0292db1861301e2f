// What reductions, contractions and convolutions compute.
//
// Sums and products over f32 accumulate in binary64, those over `bf16` and `f16` in f32, those over
// f64 in binary64; all are rounded once, at the end.

/// How a reduction combines numbers.
struct Combiner {
  /// The word of `kind`.
  var kind: String
  /// The dtype of the elements.
  var dtype: DType

  /// The neutral element of a floating-point dtype.
  var neutralNumber: Double {
    switch kind {
    case "add": 0
    case "mul": 1
    case "max": -.infinity
    case "min": .infinity
    default: preconditionFailure("kind '\(kind)' of \(dtype.name)")
    }
  }

  /// The neutral element of an integer dtype or `i1`.
  var neutralInteger: Int64 {
    switch kind {
    case "add", "or", "xor": 0
    case "mul": 1
    case "max": dtype.leastInteger
    case "min": dtype.greatestInteger
    case "and": -1
    default: preconditionFailure("kind '\(kind)' of \(dtype.name)")
    }
  }

  /// The op that combines two elements.
  private var opcode: Opcode {
    switch kind {
    case "add": .add
    case "mul": .multiply
    case "max": .maximum
    case "min": .minimum
    case "and": .and
    case "or": .or
    case "xor": .xor
    default: preconditionFailure("kind '\(kind)'")
    }
  }

  /// Combines two numbers as an accumulator does.
  var numbers: (Double, Double) -> Double {
    let function = meaning(ofBinary: opcode)
    return accumulatesInSingle ? { Double(Float(function($0, $1))) } : function
  }

  /// Combines two integers.
  var integers: (Int64, Int64) -> Int64 { meaning(of: opcode, on: dtype) }

  /// Whether the accumulator is f32.
  private var accumulatesInSingle: Bool { dtype == .bf16 || dtype == .f16 }
}

/// The product of the extents.
func count(_ shape: [Int]) -> Int { shape.reduce(1, *) }

func reduced(_ x: Tensor, _ attributes: Attributes, to type: TensorType) -> Tensor {
  let dims = attributes.ints(.dims)!
  let (shape, strides) = (x.type.shape, x.type.strides)
  let kept = shape.indices.filter { !dims.contains($0) }
  let outer = places(shape: kept.map { shape[$0] }, steps: kept.map { strides[$0] })
  let gone = dims.sorted()
  let inner = places(shape: gone.map { shape[$0] }, steps: gone.map { strides[$0] })
  let combiner = Combiner(kind: attributes.symbol(.kind)!, dtype: type.dtype)
  func fold<Number: BitwiseCopyable>(
    _ numbers: [Number], _ neutral: Number, _ combine: (Number, Number) -> Number
  ) -> [Number] {
    numbers.withUnsafeBufferPointer { numbers in
      inner.withUnsafeBufferPointer { inner in
        outer.map { start in
          var sum = neutral
          var index = 0
          while index < inner.count {
            sum = combine(sum, numbers[start &+ inner[index]])
            index &+= 1
          }
          return sum
        }
      }
    }
  }
  return type.dtype.isFloatingPoint
    ? rounded(fold(x.floats, combiner.neutralNumber, combiner.numbers), to: type)
    : Tensor(type, integers: fold(x.integers, combiner.neutralInteger, combiner.integers))
}

/// Sums of products: for every place of the result, of `a` and `b` at pairs of places.
private struct ProductSum {
  var isFloatingPoint: Bool
  var accumulatesInSingle: Bool
  var a: [Double] = []
  var b: [Double] = []
  var aIntegers: [Int64] = []
  var bIntegers: [Int64] = []

  /// Products in the dtype of the result, which has all numbers of the operands.
  init(_ a: Tensor, _ b: Tensor, as dtype: DType) {
    let (a, b) = (converted(a, to: a.type.with(dtype)), converted(b, to: b.type.with(dtype)))
    isFloatingPoint = a.type.dtype.isFloatingPoint
    accumulatesInSingle = a.type.dtype == .bf16 || a.type.dtype == .f16
    if isFloatingPoint {
      (self.a, self.b) = (a.floats, b.floats)
    } else {
      (aIntegers, bIntegers) = (a.integers, b.integers)
    }
  }

  /// The sum of `a[aStart + aPlaces[k]] * b[bStart + bPlaces[k]]` over all k where the place in `a`
  /// is one, which -1 is not.
  func number(_ aStart: Int, _ aPlaces: [Int], _ bStart: Int, _ bPlaces: [Int]) -> Double {
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        aPlaces.withUnsafeBufferPointer { aPlaces in
          bPlaces.withUnsafeBufferPointer { bPlaces in
            var sum = 0.0
            var k = 0
            while k < aPlaces.count {
              if aPlaces[k] >= 0 {
                sum += a[aStart &+ aPlaces[k]] * b[bStart &+ bPlaces[k]]
                if accumulatesInSingle { sum = Double(Float(sum)) }
              }
              k &+= 1
            }
            return sum
          }
        }
      }
    }
  }

  /// The same of integers, wrapping.
  func integer(_ aStart: Int, _ aPlaces: [Int], _ bStart: Int, _ bPlaces: [Int]) -> Int64 {
    var sum: Int64 = 0
    for k in aPlaces.indices where aPlaces[k] >= 0 {
      sum &+= aIntegers[aStart + aPlaces[k]] &* bIntegers[bStart + bPlaces[k]]
    }
    return sum
  }

  /// The tensor of the sums for the given starts.
  func tensor(
    _ type: TensorType, _ body: ((Int, [Int], Int, [Int]) -> Void) -> Void
  ) -> Tensor {
    if isFloatingPoint {
      var sums: [Double] = []
      sums.reserveCapacity(type.elementCount)
      body { sums.append(number($0, $1, $2, $3)) }
      return rounded(sums, to: type)
    }
    var sums: [Int64] = []
    body { sums.append(integer($0, $1, $2, $3)) }
    return Tensor(type, integers: sums)
  }
}

func dotGeneral(
  _ a: Tensor, _ b: Tensor, _ attributes: Attributes, to type: TensorType
) -> Tensor {
  let dims = DotDimensions(attributes)
  func places(_ tensor: Tensor, _ dims: [Int]) -> [Int] {
    let (shape, strides) = (tensor.type.shape, tensor.type.strides)
    return CheckpointCompiler.places(
      shape: dims.map { shape[$0] }, steps: dims.map { strides[$0] })
  }
  let batches = zip(places(a, dims.lhsBatch), places(b, dims.rhsBatch))
  let rows = places(a, dims.lhsFree(rank: a.type.rank))
  let columns = places(b, dims.rhsFree(rank: b.type.rank))
  let (aInner, bInner) = (places(a, dims.lhsContract), places(b, dims.rhsContract))
  return ProductSum(a, b, as: type.dtype).tensor(type) { sum in
    for (aBatch, bBatch) in batches {
      for row in rows {
        for column in columns { sum(aBatch + row, aInner, bBatch + column, bInner) }
      }
    }
  }
}

/// For every place of a window, the places of the operand under it: a list of `taps` places for
/// each window, -1 where padding or a gap lies under the window.
///
/// `flips` says for every dimension whether the taps count from the far end.
func windowPlaces(
  shape: [Int], strides: [Int], windows: [Int], taps: [Int], distances: [Int], low: [Int],
  baseDilation: [Int], windowDilation: [Int], flips: [Bool]
) -> [[Int]] {
  // Along one dimension, for every window and tap, the place; then all combinations.
  var result: [[Int]] = [[0]]
  for axis in shape.indices {
    let rows = (0..<windows[axis]).map { window in
      (0..<taps[axis]).map { tap -> Int in
        let offset = flips[axis] ? taps[axis] - 1 - tap : tap
        let position = window * distances[axis] + offset * windowDilation[axis] - low[axis]
        guard position >= 0, position % baseDilation[axis] == 0 else { return -1 }
        let index = position / baseDilation[axis]
        return index < shape[axis] ? index * strides[axis] : -1
      }
    }
    result = result.flatMap { outer in
      rows.map { row in
        outer.flatMap { base in row.map { base < 0 || $0 < 0 ? -1 : base + $0 } }
      }
    }
  }
  return result
}

func convolution(
  _ x: Tensor, _ w: Tensor, _ attributes: Attributes, to type: TensorType
) -> Tensor {
  let dims = ConvolutionDimensions(attributes)
  let spatialRank = dims.rank - 2
  let window = ConvolutionWindow(attributes, spatialRank: spatialRank)
  let (xStrides, wStrides, outStrides) = (x.type.strides, w.type.strides, type.strides)
  let tapShape = dims.kernelSpatial.map { w.type.shape[$0] }
  let outputShape = dims.outputSpatial.map { type.shape[$0] }
  let spatial = windowPlaces(
    shape: dims.inputSpatial.map { x.type.shape[$0] },
    strides: dims.inputSpatial.map { xStrides[$0] }, windows: outputShape, taps: tapShape,
    distances: window.strides, low: window.low, baseDilation: window.lhsDilation,
    windowDilation: window.rhsDilation, flips: window.reversal.map { $0 == 1 })
  let depth = w.type.shape[dims.kernelInput]
  // Every sum runs over taps, and within a tap over the input features of the group.
  let xPlaces = spatial.map { row in
    row.flatMap { tap in
      (0..<depth).map { tap < 0 ? -1 : tap + $0 * xStrides[dims.inputFeature] }
    }
  }
  let wPlaces = places(
    shape: tapShape + [depth],
    steps: dims.kernelSpatial.map { wStrides[$0] } + [wStrides[dims.kernelInput]])
  let outputs = w.type.shape[dims.kernelOutput]
  let featuresPerGroup = max(1, outputs / window.featureGroups)
  let featuresPerBatchGroup = max(1, outputs / window.batchGroups)
  let batch = type.shape[dims.outputBatch]
  let outputPlaces = places(
    shape: [batch, outputs] + outputShape,
    steps: [outStrides[dims.outputBatch], outStrides[dims.outputFeature]]
      + dims.outputSpatial.map { outStrides[$0] })
  // Computed batch by batch, feature by feature; then moved to where the dimension numbers say.
  let ordered = ProductSum(x, w, as: type.dtype).tensor(
    TensorType(type.dtype, [batch, outputs] + outputShape)
  ) { sum in
    for image in 0..<batch {
      for output in 0..<outputs {
        let group = output / featuresPerGroup
        let batchGroup = output / featuresPerBatchGroup
        let xStart =
          (batchGroup * batch + image) * xStrides[dims.inputBatch]
          + group * depth * xStrides[dims.inputFeature]
        for row in xPlaces {
          sum(xStart, row, output * wStrides[dims.kernelOutput], wPlaces)
        }
      }
    }
  }
  var result = Tensor(zeros: type)
  copy(from: ordered, nil, to: &result, outputPlaces)
  return result
}
