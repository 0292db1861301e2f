// Attentions whose gradients are checked.

import Testing

@testable import CheckpointCompiler

extension GradientTests {
  static let attentionOps: [(op: Opcode, cases: [GradientCase])] = [
    (
      .softmaxAttention,
      [
        GradientCase(
          arguments: "param %q: f32[3,4], param %k: f32[5,4], param %v: f32[5,2]",
          body: "%y, %s = softmax_attention %q, %k, %v {scale = 0.5}", shape: [3, 2]),
        // Every tensor in an order of its own, and the future left out.
        GradientCase(
          arguments: "param %q: f32[4,2,3], param %k: f32[2,3,4], param %v: f32[4,3,2]",
          body: """
            %y, %s = softmax_attention %q, %k, %v {
              q_dims = [1, 0, 2], k_dims = [0, 2, 1], v_dims = [2, 0, 1], y_dims = [2, 1, 0],
              causal_offset = 0}
            """, shape: [3, 4, 2]),
        // Thirds of one tensor: of its heads, and of its features.
        GradientCase(
          arguments: "param %x: f32[3,6,2]",
          body: """
            %y, %s = softmax_attention %x, %x, %x {
              q_dims = [1, 0, 2], k_dims = [1, 0, 2], v_dims = [1, 0, 2], qkv_dim = 1,
              causal_offset = 0}
            """, shape: [2, 3, 2]),
        GradientCase(
          arguments: "param %x: f32[4,9]",
          body: "%y, %s = softmax_attention %x, %x, %x {qkv_dim = 1, scale = 0.5}", shape: [4, 3]),
        // Masks: added, and by choice with a row that chooses nothing.
        GradientCase(
          arguments:
            "param %q: f32[2,3,2], param %k: f32[2,4,2], param %v: f32[2,4,2], %m: f32[3,1]",
          body: """
            %y, %s = softmax_attention %q, %k, %v, %m {mask = add, mask_dims = [1, 2], scale = 2.0}
            """, shape: [2, 3, 2]),
        GradientCase(
          arguments: "param %q: f32[2,2], param %k: f32[3,2], param %v: f32[3,2]",
          body: """
            %m = constant [[true, false, true], [false, false, false]] : i1[2,3]
            %y, %s = softmax_attention %q, %k, %v, %m {
              mask = select, mask_dims = [0, 1], fill = -3.0}
            """, shape: [2, 2]),
        // Dropout.
        GradientCase(
          arguments: "param %q: f32[2,5,2], param %k: f32[2,7,2], param %v: f32[2,7,3]",
          body: """
            %key = constant [3, 4] : ui32[2]
            %y, %s = softmax_attention %q, %k, %v, %key {rate = 0.3, keep_scale = 1.5, stream = 2}
            """, shape: [2, 5, 3]),
      ]
    )
  ]
}
