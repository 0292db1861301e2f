// How PyTorch keeps a tensor that the graph keeps in another order of dimensions.
//
// Method      The tensor as PyTorch has it, its dimensions split where the graph has more, is the
//             graph's tensor with its dimensions in another order and some of them reversed.

import CheckpointCompiler

/// The other order of one tensor.
struct ForeignLayout: Sendable {
  /// The shape as PyTorch has it.
  var shape: [Int]
  /// That shape with dimensions split.
  var split: [Int]
  /// For every dimension of the graph's tensor, the one of `split` that it is.
  var order: [Int]
  /// The dimensions of the graph's tensor that run backwards.
  var reversed: Set<Int> = []

  /// The same order.
  static func same(_ shape: [Int]) -> ForeignLayout {
    ForeignLayout(shape: shape, split: shape, order: Array(shape.indices))
  }

  /// `[out, in]` of a linear layer; `[in, out]` here.
  static func linear(inputs: Int, outputs: Int) -> ForeignLayout {
    ForeignLayout(shape: [outputs, inputs], split: [outputs, inputs], order: [1, 0])
  }

  /// OIHW; HWIO here.
  static func convolution(window: Int, inputs: Int, outputs: Int) -> ForeignLayout {
    let shape = [outputs, inputs, window, window]
    return ForeignLayout(shape: shape, split: shape, order: [2, 3, 1, 0])
  }

  /// IOHW of a transposed convolution. Here it is HWIO and turned around: a convolution over an image
  /// spread out by zeros meets the places of its window in the opposite order.
  static func transposedConvolution(window: Int, inputs: Int, outputs: Int) -> ForeignLayout {
    let shape = [inputs, outputs, window, window]
    return ForeignLayout(shape: shape, split: shape, order: [2, 3, 0, 1], reversed: [0, 1])
  }

  /// `[3 * width, width]` of queries, keys and values; `[width, 3, heads, width / heads]` here.
  static func heads(_ heads: Int, width: Int) -> ForeignLayout {
    ForeignLayout(
      shape: [3 * width, width], split: [3, heads, width / heads, width], order: [3, 0, 1, 2])
  }

  /// NCHW of an image; NHWC here.
  static func image(_ count: Int, _ channels: Int, side: Int) -> ForeignLayout {
    let shape = [count, channels, side, side]
    return ForeignLayout(shape: shape, split: shape, order: [0, 2, 3, 1])
  }

  /// The graph's tensor in PyTorch's order.
  func exported(_ tensor: Tensor) -> Tensor {
    var bytes = tensor.bytes
    forEachElement(width: tensor.type.dtype.byteCount) { own, foreign, byte in
      bytes[foreign + byte] = tensor.bytes[own + byte]
    }
    return Tensor(TensorType(tensor.type.dtype, shape), bytes: bytes)
  }

  /// PyTorch's tensor in the graph's order, as a tensor of the graph's shape.
  func imported(_ tensor: Tensor, as target: [Int]) -> Tensor {
    var bytes = tensor.bytes
    forEachElement(width: tensor.type.dtype.byteCount) { own, foreign, byte in
      bytes[own + byte] = tensor.bytes[foreign + byte]
    }
    return Tensor(TensorType(tensor.type.dtype, target), bytes: bytes)
  }

  /// Calls `body` with the offsets of every element in both tensors, for each of its bytes.
  private func forEachElement(width: Int, _ body: (Int, Int, Int) -> Void) {
    let extents = order.map { split[$0] }
    var strides = [Int](repeating: 1, count: split.count)
    for dim in split.indices.dropLast().reversed() {
      strides[dim] = strides[dim + 1] * split[dim + 1]
    }
    let steps = order.indices.map {
      reversed.contains($0) ? -strides[order[$0]] : strides[order[$0]]
    }
    var foreign = reversed.reduce(0) { $0 + strides[order[$1]] * (extents[$1] - 1) }
    var index = [Int](repeating: 0, count: extents.count)
    for own in 0..<extents.reduce(1, *) {
      for byte in 0..<width { body(own * width, foreign * width, byte) }
      // The next index, the last dimension fastest.
      for dim in extents.indices.reversed() {
        index[dim] += 1
        foreign += steps[dim]
        if index[dim] < extents[dim] { break }
        foreign -= steps[dim] * extents[dim]
        index[dim] = 0
      }
    }
  }
}
