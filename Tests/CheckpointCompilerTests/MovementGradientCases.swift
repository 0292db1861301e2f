// Functions of one op each that moves elements, whose gradients are checked.

import Testing

@testable import CheckpointCompiler

extension GradientTests {
  static let movementOps: [(op: Opcode, cases: [GradientCase])] = [
    (
      .broadcastInDim,
      [
        GradientCase(
          arguments: "param %x: f32[3]", body: "%y = broadcast_in_dim %x : f32[2,3]", shape: [2, 3]),
        GradientCase(
          arguments: "param %x: f32[3]", body: "%y = broadcast_in_dim %x {dims = [0]} : f32[3,2]",
          shape: [3, 2]),
        GradientCase(
          arguments: "param %x: f32", body: "%y = broadcast_in_dim %x : f32[2,2]", shape: [2, 2]),
        GradientCase(
          arguments: "param %x: f32[3,2]",
          body: "%y = broadcast_in_dim %x {dims = [2, 0]} : f32[2,2,3]", shape: [2, 2, 3]),
        GradientCase(
          arguments: "param %x: f32[3,1,2]",
          body: "%y = broadcast_in_dim %x {dims = [2, 1, 0]} : f32[2,4,3]", shape: [2, 4, 3]),
        GradientCase(
          arguments: "param %x: f32[1,3]",
          body: "%y = broadcast_in_dim %x {dims = [0, 1]} : f32[2,3]", shape: [2, 3]),
      ]
    ),
    (
      .reshape,
      [
        GradientCase(
          arguments: "param %x: f32[2,6]", body: "%y = reshape %x : f32[3,4]", shape: [3, 4]),
        GradientCase(
          arguments: "param %x: f32", body: "%y = reshape %x : f32[1,1]", shape: [1, 1]),
      ]
    ),
    (
      .transpose,
      [
        GradientCase(
          arguments: "param %x: f32[2,3,4]", body: "%y = transpose %x {dims = [2, 0, 1]}",
          shape: [4, 2, 3])
      ]
    ),
    (
      .slice,
      [
        GradientCase(
          arguments: "param %x: f32[5,6]",
          body: "%y = slice %x {start = [1, 0], limit = [4, 6], strides = [1, 4]}", shape: [3, 2]),
        GradientCase(
          arguments: "param %x: f32[5]",
          body: """
            %z = slice %x {start = [2], limit = [2]}
            %y = concatenate %z, %x {dim = 0}
            """, shape: [5]),
      ]
    ),
    (
      .pad,
      [
        GradientCase(
          arguments: "param %x: f32[2,3], param %v: f32",
          body: "%y = pad %x, %v {low = [1, 0], high = [0, 2], interior = [1, 2]}", shape: [4, 9]),
        GradientCase(
          arguments: "param %x: f32[4,5]", body: "%y = pad %x, 0.5 {low = [-1, 1], high = [2, -2]}",
          shape: [5, 4]),
        GradientCase(
          arguments: "param %x: f32[5], param %v: f32",
          body: "%y = pad %x, %v {low = [-2], high = [-1], interior = [2]}", shape: [10]),
      ]
    ),
    (
      .concatenate,
      [
        GradientCase(
          arguments: "param %x: f32[2,1], param %z: f32[2,3]",
          body: "%y = concatenate %x, %z, %x {dim = 1}", shape: [2, 5]),
        GradientCase(
          arguments: "param %x: f32[2,2], %z: f32[1,2]", body: "%y = concatenate %z, %x {dim = 0}",
          shape: [3, 2]),
      ]
    ),
    (
      .reverse,
      [
        GradientCase(
          arguments: "param %x: f32[2,3,2]", body: "%y = reverse %x {dims = [0, 1]}",
          shape: [2, 3, 2])
      ]
    ),
  ]
}
