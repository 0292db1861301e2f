// What attention means: all weights of a query at once, in `Double`, rounded at the end.

import Foundation

/// The results of a `softmax_attention`: `y` and the logarithms of the sums.
func attention(_ operands: [Tensor], _ signature: OpSignature) -> [Tensor] {
  let meaning = AttentionMeaning(operands, signature, extras: 3)
  let dims = meaning.dims
  let (yType, sumsType) = (dims.resultType(signature[0]), dims.sumsType(signature[0]))
  var y = Array(repeating: 0.0, count: yType.elementCount)
  var sums: [Double] = []
  let yPlaces = AttentionPlaces(dims.y, batch: dims.batch)
  for batch in meaning.q.batches.indices {
    for query in 0..<dims.queries {
      let scores = meaning.scores(batch, query).scores
      let most = scores.max()!
      // Where nothing is seen there is no largest score to subtract.
      let base = most == -.infinity ? 0 : most
      let exponentials = scores.map { exp($0 - base) }
      let sum = exponentials.reduce(0, +)
      sums.append(base + log(sum))
      let kept = meaning.keptScales(batch, query)
      for feature in 0..<dims.values {
        var total = 0.0
        for key in 0..<dims.keys where exponentials[key] != 0 {
          total += exponentials[key] * kept[key] * meaning.v.number(batch, key, feature)
        }
        y[yPlaces.place(batch, query, feature)] = total / sum
      }
    }
  }
  return [Tensor(yType, floats: y), Tensor(sumsType, floats: sums)]
}

/// The results of a `softmax_attention_gradient`: of `q`, `k` and `v`.
func attentionGradients(_ operands: [Tensor], _ signature: OpSignature) -> [Tensor] {
  let meaning = AttentionMeaning(operands, signature, extras: 6)
  let dims = meaning.dims
  let (q, k, v) = (meaning.q, meaning.k, meaning.v)
  let y = AttentionOperand(operands[3], dims.y, batch: dims.batch)
  let dy = AttentionOperand(operands[5], dims.y, batch: dims.batch)
  let sums = operands[4].floats
  var dq = Array(repeating: 0.0, count: q.numbers.count)
  var dk = Array(repeating: 0.0, count: k.numbers.count)
  var dv = Array(repeating: 0.0, count: v.numbers.count)
  for batch in q.batches.indices {
    for query in 0..<dims.queries {
      let (scores, isChosen) = meaning.scores(batch, query)
      let kept = meaning.keptScales(batch, query)
      var dot = 0.0
      for feature in 0..<dims.values {
        dot += dy.number(batch, query, feature) * y.number(batch, query, feature)
      }
      for key in 0..<dims.keys {
        let weight = exp(scores[key] - sums[batch * dims.queries + query])
        guard weight != 0 else { continue }
        var slope = 0.0
        for feature in 0..<dims.values {
          let gradient = dy.number(batch, query, feature)
          slope += gradient * v.number(batch, key, feature)
          dv[v.place(batch, key, feature)] += weight * kept[key] * gradient
        }
        guard isChosen[key] else { continue }
        slope = weight * (slope * kept[key] - dot) * dims.scale
        for feature in 0..<dims.features {
          dq[q.place(batch, query, feature)] += slope * k.number(batch, key, feature)
          dk[k.place(batch, key, feature)] += slope * q.number(batch, query, feature)
        }
      }
    }
  }
  guard dims.joinedDim == nil else {
    // Each is 0 outside its third.
    return [Tensor(operands[0].type, floats: dq.indices.map { dq[$0] + dk[$0] + dv[$0] })]
  }
  return zip(operands, [dq, dk, dv]).map { Tensor($0.type, floats: $1) }
}

/// Where the elements of a tensor of an attention are.
private struct AttentionPlaces {
  /// The place of the first element of every batch.
  var batches: [Int]
  var rowStride: Int
  var featureStride: Int

  func place(_ batch: Int, _ row: Int, _ feature: Int) -> Int {
    batches[batch] + row * rowStride + feature * featureStride
  }
}

/// The numbers of a tensor of an attention.
private struct AttentionOperand {
  var numbers: [Double]
  private var layout: AttentionPlaces

  init(_ tensor: Tensor, _ layout: AttentionDimensions.Layout, batch: [Int]) {
    numbers = tensor.floats
    self.layout = AttentionPlaces(layout, batch: batch)
  }

  var batches: [Int] { layout.batches }
  func place(_ batch: Int, _ row: Int, _ feature: Int) -> Int { layout.place(batch, row, feature) }
  func number(_ batch: Int, _ row: Int, _ feature: Int) -> Double {
    numbers[layout.place(batch, row, feature)]
  }
}

extension AttentionPlaces {
  fileprivate init(_ layout: AttentionDimensions.Layout, batch: [Int]) {
    batches = places(shape: batch, steps: layout.batchStrides).map { layout.start + $0 }
    (rowStride, featureStride) = (layout.rowStride, layout.featureStride)
  }
}

/// What both ops see of their operands.
private struct AttentionMeaning {
  var dims: AttentionDimensions
  var q: AttentionOperand
  var k: AttentionOperand
  var v: AttentionOperand
  /// For every weight, the place in the mask.
  private var maskPlaces: [Int] = []
  private var mask: [Double] = []
  private var words: [UInt32] = []

  init(_ operands: [Tensor], _ signature: OpSignature, extras: Int) {
    guard let dims = try? AttentionDimensions(signature, extras: extras) else {
      preconditionFailure("an attention that does not fit is executed")
    }
    self.dims = dims
    q = AttentionOperand(operands[0], dims.q, batch: dims.batch)
    k = AttentionOperand(operands[1], dims.k, batch: dims.batch)
    v = AttentionOperand(operands[2], dims.v, batch: dims.batch)
    if let mask = dims.mask {
      self.mask = operands[mask.operand].floats
      maskPlaces = places(shape: dims.weights, steps: dims.maskStrides(mask))
    }
    if let dropout = dims.dropout {
      let key = operands[dropout.operand].integers
      words = randomWords(
        count: dims.weights.reduce(1, *), seed: UInt32(truncatingIfNeeded: key[0]),
        step: UInt32(truncatingIfNeeded: key[1]), stream: UInt32(dropout.stream))
    }
  }

  /// The scores of a query, and which of them depend on it.
  func scores(_ batch: Int, _ query: Int) -> (scores: [Double], isChosen: [Bool]) {
    var scores: [Double] = []
    var isChosen = Array(repeating: true, count: dims.keys)
    let start = (batch * dims.queries + query) * dims.keys
    for key in 0..<dims.keys {
      var score = 0.0
      for feature in 0..<dims.features {
        score += q.number(batch, query, feature) * k.number(batch, key, feature)
      }
      score *= dims.scale
      if let kind = dims.mask {
        let element = mask[maskPlaces[start + key]]
        if kind.isAdded {
          score += element
        } else if element == 0 {
          score = kind.fill
          isChosen[key] = false
        }
      }
      if let offset = dims.causalOffset, key > query + offset {
        score = -.infinity
        isChosen[key] = false
      }
      scores.append(score)
    }
    return (scores, isChosen)
  }

  /// What dropout multiplies the weights of a query by.
  func keptScales(_ batch: Int, _ query: Int) -> [Double] {
    guard let dropout = dims.dropout else { return Array(repeating: 1, count: dims.keys) }
    let start = (batch * dims.queries + query) * dims.keys
    return words[start..<start + dims.keys].map {
      Int($0 >> 8) < dropout.limit ? 0 : dropout.keepScale
    }
  }
}
