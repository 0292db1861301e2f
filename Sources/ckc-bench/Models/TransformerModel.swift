// A small GPT: `gpt` without dropout, `gpt_drop` with a rate of 0.1 on the embedding, the attention
// weights and both branches of every block.
//
// Source      Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; sizes of a
//             character model. The output weights are not those of the embedding.

import CheckpointCompiler

/// The sizes of a transformer.
struct TransformerSizes {
  var batch: Int
  var context: Int
  var width: Int
  var heads: Int
  var layers: Int
  var vocabulary = 65
  var dropout: Double

  var members: [JSONMember] {
    [
      JSONMember("batch", .integer(batch)), JSONMember("context", .integer(context)),
      JSONMember("width", .integer(width)), JSONMember("heads", .integer(heads)),
      JSONMember("layers", .integer(layers)), JSONMember("vocabulary", .integer(vocabulary)),
      JSONMember("dropout", .number(dropout)),
    ]
  }
}

extension BenchModel {
  var transformerSizes: TransformerSizes {
    let dropout = network == .gptWithDropout ? 0.1 : 0
    return switch size {
    case .full:
      TransformerSizes(
        batch: 8, context: 256, width: 384, heads: 6, layers: 6, dropout: dropout)
    case .tiny:
      TransformerSizes(batch: 2, context: 16, width: 32, heads: 2, layers: 2, dropout: dropout)
    }
  }

  private static let functions = """
    // Causal self-attention: H heads of width D from one product for queries, keys and values.
    func @self_attention<B, S, C, H, D>(
        %x: f32[B, S, C], %key: ui32[2], %w: f32[C, 3, H, D], %b: f32[3, H, D],
        %wo: f32[C, C], %bo: f32[C]; rate) {
      %p = dot_general %x, %w {lhs_contract = [2], rhs_contract = [0]}
      %bias = broadcast_in_dim %b {dims = [2, 3, 4]} : f32[B, S, 3, H, D]
      %qkv = add %p, %bias
      %q.slice = slice %qkv {start = [0, 0, 0, 0, 0], limit = [B, S, 1, H, D]}
      %k.slice = slice %qkv {start = [0, 0, 1, 0, 0], limit = [B, S, 2, H, D]}
      %v.slice = slice %qkv {start = [0, 0, 2, 0, 0], limit = [B, S, 3, H, D]}
      %q = reshape %q.slice : f32[B, S, H, D]
      %k = reshape %k.slice : f32[B, S, H, D]
      %v = reshape %v.slice : f32[B, S, H, D]
      %scores = dot_general %q, %k {
        lhs_batch = [0, 2], rhs_batch = [0, 2], lhs_contract = [3], rhs_contract = [3]}
      %weights = attention_weights %scores {causal = true, scale = 1.0 / sqrt(D)}
      %dropped = dropout %weights, %key {rate = rate}
      %heads = dot_general %dropped, %v {
        lhs_batch = [0, 1], rhs_batch = [0, 2], lhs_contract = [3], rhs_contract = [1]}
      %joined = transpose %heads {dims = [0, 2, 1, 3]}
      %flat = reshape %joined : f32[B, S, C]
      %y = linear %flat, %wo, %bo
      return %y
    }

    // Attention and a perceptron, each with its norm before and its skip around it.
    func @block<B, S, C, H, D, F>(
        %x: f32[B, S, C], %key: ui32[2], %g1: f32[C], %b1: f32[C], %wqkv: f32[C, 3, H, D],
        %bqkv: f32[3, H, D], %wo: f32[C, C], %bo: f32[C], %g2: f32[C], %b2: f32[C],
        %w1: f32[C, F], %c1: f32[F], %w2: f32[F, C], %c2: f32[C]; rate) {
      %n1 = layer_norm %x, %g1, %b1
      %a = self_attention %n1, %key, %wqkv, %bqkv, %wo, %bo {rate = rate}
      %d1 = dropout %a, %key {rate = rate}
      %h = add %x, %d1
      %n2 = layer_norm %h, %g2, %b2
      %wide = linear %n2, %w1, %c1
      %active = gelu_tanh %wide
      %narrow = linear %active, %w2, %c2
      %d2 = dropout %narrow, %key {rate = rate}
      %y = add %h, %d2
      return %y
    }

    """

  var transformer: ModelText {
    let sizes = transformerSizes
    let (width, heads) = (sizes.width, sizes.heads)
    // The branches of all blocks together leave the variance of the stream as it is.
    let branchGain = 0.5 / Double(sizes.layers)
    var text = ModelText(functions: Self.functions)
    text.input("x", TensorType(.i32, [sizes.batch, sizes.context]))
    text.input("y", TensorType(.i32, [sizes.batch, sizes.context]))
    text.input("key", TensorType(.ui32, [2]))
    text.parameter("tok.weight", [sizes.vocabulary, width], "normal(0.02)")
    text.parameter("pos.weight", [sizes.context, width], "normal(0.02)")
    text.line("%tokens = embedding %x, %tok.weight")
    text.line(
      "%places = broadcast_in_dim %pos.weight {dims = [1, 2]} : "
        + "\(TensorType(.f32, [sizes.batch, sizes.context, width]))")
    text.line("%sum = add %tokens, %places")
    text.line("%h = dropout %sum, %key {rate = \(sizes.dropout)}")
    var last = "h"
    for layer in 0..<sizes.layers {
      let name = "blocks.\(layer)"
      text.norm("\(name).ln1", width)
      text.parameter(
        "\(name).qkv.weight", [width, 3, heads, width / heads], "normal(sqrt(1.0 / \(width)))",
        layout: .heads(heads, width: width))
      text.parameter(
        "\(name).qkv.bias", [3, heads, width / heads], "zeros", layout: .same([3 * width]))
      text.linear("\(name).proj", width, width, gain: branchGain)
      text.norm("\(name).ln2", width)
      text.linear("\(name).fc1", width, 4 * width, gain: 1)
      text.linear("\(name).fc2", 4 * width, width, gain: branchGain)
      let parameters = ["ln1", "qkv", "proj", "ln2", "fc1", "fc2"]
        .map { "%\(name).\($0).weight, %\(name).\($0).bias" }
      text.line(
        "%h\(layer) = block %\(last), %key, \(parameters.joined(separator: ", ")) "
          + "{rate = \(sizes.dropout)}")
      last = "h\(layer)"
    }
    text.norm("lnf", width)
    text.linear("head", width, sizes.vocabulary, gain: 1, hasBias: false)
    text.line("%n = layer_norm %\(last), %lnf.weight, %lnf.bias")
    text.line("%logits = linear %n, %head.weight")
    text.loss("cross_entropy %logits, %y")
    return text
  }
}
