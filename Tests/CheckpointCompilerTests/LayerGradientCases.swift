// Functions of one layer each whose gradients are checked.

import Testing

@testable import CheckpointCompiler

extension GradientTests {
  static let layers: [GradientCase] = [
    GradientCase(arguments: "param %x: f32[2,5]", body: "%y = relu %x", shape: [2, 5]),
    GradientCase(
      arguments: "param %x: f32[7]", body: "%y = leaky_relu %x {slope = 0.2}", shape: [7]),
    GradientCase(arguments: "param %x: f32", body: "%y = sigmoid %x", shape: []),
    GradientCase(arguments: "param %x: f32[2,5]", body: "%y = silu %x", shape: [2, 5]),
    GradientCase(arguments: "param %x: f32[9]", body: "%y = gelu %x", shape: [9], range: -3...3),
    GradientCase(
      arguments: "param %x: f32[9]", body: "%y = gelu_tanh %x", shape: [9], range: -3...3),
    GradientCase(
      arguments: "param %x: f32[2,3,4], param %w: f32[4,5]", body: "%y = linear %x, %w",
      shape: [2, 3, 5]),
    GradientCase(
      arguments: "param %x: f32[4], param %w: f32[4,5], param %b: f32[5]",
      body: "%y = linear %x, %w, %b", shape: [5]),
    GradientCase(
      arguments: "param %x: f32[2,5,6,3], param %w: f32[3,2,3,4]",
      body: "%y = conv2d %x, %w {stride = 2, padding = 1}", shape: [2, 3, 4, 4]),
    GradientCase(
      arguments: "param %x: f32[1,6,6,4], param %w: f32[3,3,2,6], param %b: f32[6]",
      body: "%y = conv2d %x, %w, %b {groups = 2, dilation = 2, padding = 2}", shape: [1, 6, 6, 6]),
    GradientCase(
      arguments: "param %x: f32[2,4,4,3], param %w: f32[2,2,1,3]",
      body: "%y = conv2d %x, %w {groups = 3}", shape: [2, 3, 3, 3]),
    GradientCase(
      arguments: "%ids: i32[2,3], param %table: f32[3,4]", body: "%y = embedding %ids, %table",
      shape: [2, 3, 4]),
    GradientCase(
      arguments: "param %x: f32[2,3,5], param %g: f32[5], param %b: f32[5]",
      body: "%y = layer_norm %x, %g, %b", shape: [2, 3, 5]),
    GradientCase(
      arguments: "param %x: f32[3,5], param %g: f32[5]", body: "%y = rms_norm %x, %g",
      shape: [3, 5]),
    GradientCase(
      arguments: "param %x: f32[2,3,2,6], param %g: f32[6], param %b: f32[6]",
      body: "%y = group_norm %x, %g, %b {groups = 3}", shape: [2, 3, 2, 6]),
    GradientCase(
      arguments:
        "param %x: f32[3,2,2,3], param %g: f32[3], param %b: f32[3], %m: f32[3], %v: f32[3]",
      body: "%y, %m.new, %v.new = batch_norm %x, %g, %b, %m, %v", shape: [3, 2, 2, 3]),
    GradientCase(
      arguments:
        "param %x: f32[4,3], param %g: f32[3], param %b: f32[3], param %m: f32[3], param %v: f32[3]",
      body: "%y = batch_norm_inference %x, %g, %b, %m, %v", shape: [4, 3], range: 0.1...1),
    GradientCase(
      arguments: "param %x: f32[3,4]", body: "%y = softmax %x", shape: [3, 4], range: -1...3),
    GradientCase(
      arguments: "param %x: f32[3,4]", body: "%y = log_softmax %x", shape: [3, 4], range: -1...3),
    GradientCase(arguments: "param %x: f32[2,2,4]", body: "%y = log_sum_exp %x", shape: [2, 2]),
    GradientCase(
      arguments: "param %x: f32[2,3,4], %labels: i32[2,3]", body: "%y = cross_entropy %x, %labels",
      shape: []),
    GradientCase(
      arguments: "param %x: f32[2,3], param %t: f32[2,3]", body: "%y = mse %x, %t", shape: []),
    GradientCase(
      arguments: "param %q: f32[2,1,3,4], param %k: f32[2,1,5,4], param %v: f32[2,1,5,4]",
      body: "%y = attention %q, %k, %v", shape: [2, 1, 3, 4]),
    GradientCase(
      arguments: "param %q: f32[1,2,3,4], param %k: f32[1,2,3,4], param %v: f32[1,2,3,4]",
      body: "%y = attention %q, %k, %v {causal = true, scale = 1}", shape: [1, 2, 3, 4]),
    GradientCase(
      arguments: """
        param %x: f32[2,3,4], param %wq: f32[4,2,3], param %wk: f32[4,2,3], param %wv: f32[4,2,3],
        param %wo: f32[2,3,4]
        """,
      body: "%y = multi_head_attention %x, %wq, %wk, %wv, %wo {causal = true}", shape: [2, 3, 4]),
    GradientCase(
      arguments: "param %x: f32[2,4,6,2]", body: "%y = max_pool2d %x", shape: [2, 2, 3, 2]),
    GradientCase(
      arguments: "param %x: f32[1,5,5,2]",
      body: "%y = max_pool2d %x {window = 3, stride = 2, padding = 1}", shape: [1, 3, 3, 2]),
    GradientCase(
      arguments: "param %x: f32[2,4,6,2]", body: "%y = avg_pool2d %x", shape: [2, 2, 3, 2]),
    GradientCase(
      arguments: "param %x: f32[1,5,5,2]",
      body: "%y = avg_pool2d %x {window = 3, stride = 2, padding = 1}", shape: [1, 3, 3, 2]),
    GradientCase(
      arguments: "param %x: f32[2,3,2,4]", body: "%y = global_avg_pool %x", shape: [2, 4]),
    GradientCase(
      arguments: "param %x: f32[1,2,3,2]", body: "%y = upsample %x {scale = 3}",
      shape: [1, 6, 9, 2]),
    GradientCase(
      arguments: "param %x: f32[4,5], %key: ui32[2]", body: "%y = dropout %x, %key {rate = 0.4}",
      shape: [4, 5]),
  ]

}
