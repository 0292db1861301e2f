// Functions of one elementwise op each whose gradients are checked.

import Testing

@testable import CheckpointCompiler

extension GradientTests {
  static let elementwiseOps: [(op: Opcode, cases: [GradientCase])] = [
    (
      .abs,
      [
        GradientCase(arguments: "param %x: f32[2,3]", body: "%y = abs %x", shape: [2, 3])
      ]
    ),
    (
      .negate,
      [
        GradientCase(arguments: "param %x: f32[2,3]", body: "%y = negate %x", shape: [2, 3])
      ]
    ),
    (
      .exponential,
      [
        GradientCase(arguments: "param %x: f32[2,3]", body: "%y = exponential %x", shape: [2, 3])
      ]
    ),
    (
      .exponentialMinusOne,
      [
        GradientCase(
          arguments: "param %x: f32[2,3]", body: "%y = exponential_minus_one %x", shape: [2, 3])
      ]
    ),
    (
      .log,
      [
        GradientCase(
          arguments: "param %x: f32[2,3]", body: "%y = log %x", shape: [2, 3], range: 0.2...3)
      ]
    ),
    (
      .logPlusOne,
      [
        GradientCase(
          arguments: "param %x: f32[2,3]", body: "%y = log_plus_one %x", shape: [2, 3],
          range: -0.5...2)
      ]
    ),
    (
      .tanh,
      [
        GradientCase(arguments: "param %x: f32[2,3]", body: "%y = tanh %x", shape: [2, 3])
      ]
    ),
    (
      .logistic,
      [
        GradientCase(
          arguments: "param %x: f32[2,3]", body: "%y = logistic %x", shape: [2, 3], range: -2...2)
      ]
    ),
    (
      .sqrt,
      [
        GradientCase(
          arguments: "param %x: f32[2,3]", body: "%y = sqrt %x", shape: [2, 3], range: 0.2...3)
      ]
    ),
    (
      .rsqrt,
      [
        GradientCase(
          arguments: "param %x: f32[2,3]", body: "%y = rsqrt %x", shape: [2, 3], range: 0.2...3)
      ]
    ),
    (
      .sine,
      [
        GradientCase(arguments: "param %x: f32[2,3]", body: "%y = sine %x", shape: [2, 3])
      ]
    ),
    (
      .cosine,
      [
        GradientCase(arguments: "param %x: f32[2,3]", body: "%y = cosine %x", shape: [2, 3])
      ]
    ),
    (
      .erf,
      [
        GradientCase(arguments: "param %x: f32[2,3]", body: "%y = erf %x", shape: [2, 3])
      ]
    ),
    (
      .convert,
      [
        GradientCase(
          arguments: "param %x: f32[3]",
          body: """
            %n = convert %x : bf16[3]
            %y = convert %n : f32[3]
            """, shape: [3]),
        GradientCase(
          arguments: "param %x: f32[3]",
          body: """
            %n = convert %x : i32[3]
            %z = convert %n : f32[3]
            %y = multiply %x, %z
            """, shape: [3], range: -5...5),
      ]
    ),
    (
      .add,
      [
        GradientCase(
          arguments: "param %x: f32[2,3], param %z: f32[2,3]", body: "%y = add %x, %z",
          shape: [2, 3]),
        GradientCase(arguments: "param %x: f32[3]", body: "%y = add %x, %x", shape: [3]),
      ]
    ),
    (
      .subtract,
      [
        GradientCase(
          arguments: "param %x: f32[2,3], param %z: f32[2,3]", body: "%y = subtract %x, %z",
          shape: [2, 3]),
        GradientCase(arguments: "param %x: f32[3]", body: "%y = subtract %x, %x", shape: [3]),
      ]
    ),
    (
      .multiply,
      [
        GradientCase(
          arguments: "param %x: f32[2,3], param %z: f32[2,3]", body: "%y = multiply %x, %z",
          shape: [2, 3]),
        GradientCase(arguments: "param %x: f32[3]", body: "%y = multiply %x, %x", shape: [3]),
      ]
    ),
    (
      .divide,
      [
        GradientCase(
          arguments: "param %x: f32[2,3], param %z: f32[2,3]", body: "%y = divide %x, %z",
          shape: [2, 3], range: 0.5...2),
        GradientCase(
          arguments: "param %x: f32[3]", body: "%y = divide %x, %x", shape: [3], range: 0.5...2),
      ]
    ),
    (
      .remainder,
      [
        GradientCase(
          arguments: "param %x: f32[7], param %z: f32[7]", body: "%y = remainder %x, %z",
          shape: [7], range: -3...4)
      ]
    ),
    (
      .maximum,
      [
        GradientCase(
          arguments: "param %x: f32[7], param %z: f32[7]", body: "%y = maximum %x, %z", shape: [7]),
        GradientCase(arguments: "param %x: f32[7]", body: "%y = maximum %x, 0.25", shape: [7]),
        GradientCase(arguments: "param %x: f32[7]", body: "%y = maximum -0.5, %x", shape: [7]),
      ]
    ),
    (
      .minimum,
      [
        GradientCase(
          arguments: "param %x: f32[7], param %z: f32[7]", body: "%y = minimum %x, %z", shape: [7]),
        GradientCase(arguments: "param %x: f32[7]", body: "%y = minimum %x, 0.25", shape: [7]),
      ]
    ),
    (
      .power,
      [
        GradientCase(
          arguments: "param %x: f32[5], param %z: f32[5]", body: "%y = power %x, %z", shape: [5],
          range: 0.3...2),
        GradientCase(arguments: "param %x: f32[5]", body: "%y = power %x, 3.0", shape: [5]),
        GradientCase(arguments: "param %x: f32[5]", body: "%y = power %x, 2.0", shape: [5]),
        GradientCase(arguments: "param %x: f32[5]", body: "%y = power %x, 1.0", shape: [5]),
        GradientCase(
          arguments: "param %x: f32[5]",
          body: """
            %z = power %x, 0.0
            %y = add %z, %x
            """, shape: [5]),
        GradientCase(
          arguments: "param %x: f32[5]", body: "%y = power %x, -1.5", shape: [5], range: 0.5...2),
        GradientCase(arguments: "param %x: f32[5]", body: "%y = power 2.0, %x", shape: [5]),
        GradientCase(
          arguments: "param %x: f32[4]",
          body: """
            %b = constant [0.0, 1.0, 2.0, 3.0] : f32[4]
            %y = power %x, %b
            """, shape: [4]),
      ]
    ),
    (
      .select,
      [
        GradientCase(
          arguments: "param %x: f32[7], param %z: f32[7]",
          body: """
            %p = compare %x, %z {direction = lt}
            %y = select %p, %x, %z
            """, shape: [7]),
        GradientCase(
          arguments: "%p: i1[7], param %z: f32[7]", body: "%y = select %p, 3.0, %z", shape: [7]),
      ]
    ),
    (
      .clamp,
      [
        GradientCase(arguments: "param %x: f32[7]", body: "%y = clamp -0.4, %x, 0.3", shape: [7]),
        GradientCase(
          arguments: "param %x: f32[7], param %l: f32[7], param %h: f32[7]",
          body: "%y = clamp %l, %x, %h", shape: [7]),
      ]
    ),
  ]
}
