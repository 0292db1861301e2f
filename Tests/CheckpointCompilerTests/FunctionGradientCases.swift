// Roots, trigonometric and hyperbolic functions, and their inverses, whose gradients are checked.

import Testing

@testable import CheckpointCompiler

extension GradientTests {
  static let functions: [(op: Opcode, cases: [GradientCase])] = [
    function(.cbrt, 0.2...3), function(.tan, -1.2...1.2), function(.erfc, -2...2),
    function(.asin, -0.9...0.9), function(.acos, -0.9...0.9), function(.atan, -3...3),
    function(.sinh, -2...2), function(.cosh, -2...2), function(.asinh, -3...3),
    function(.acosh, 1.2...4), function(.atanh, -0.9...0.9),
    (
      .atan2,
      [
        GradientCase(
          arguments: "param %x: f32[2,3], param %w: f32[2,3]", body: "%y = atan2 %x, %w",
          shape: [2, 3], range: 0.3...2),
        GradientCase(
          arguments: "param %x: f32[4]",
          body: """
            %c = constant [-1.5, 2.0, -0.5, 3.0] : f32[4]
            %y = atan2 %c, %x
            """, shape: [4], range: -2...2),
      ]
    ),
    (
      .reducePrecision,
      [
        // More bits than there are: what it does to gradients, slopes do not see otherwise.
        GradientCase(
          arguments: "param %x: f32[5]",
          body: "%y = reduce_precision %x {exponent_bits = 11, mantissa_bits = 52}", shape: [5])
      ]
    ),
    (
      .reduceWindowWith,
      [
        GradientCase(
          arguments: "param %x: f32[2,5]",
          body: """
            %low = constant -inf : f32
            %y = reduce_window_with %x, %low {function = @soft, window = [1, 5], low = [0, 4]}
            """, shape: [2, 5], functions: softMaximum),
        GradientCase(
          arguments: "param %x: f32[6,2]",
          body: """
            %low = constant -inf : f32
            %y = reduce_window_with %x, %low {function = @soft, window = [6, 1], high = [5, 0]}
            """, shape: [6, 2], functions: softMaximum),
        // The recurrence h = a h + b; its order matters.
        GradientCase(
          arguments: "param %a: f32[7], param %b: f32[7]",
          body: """
            %one = constant 1.0 : f32
            %zero = constant 0.0 : f32
            %p, %y = reduce_window_with %a, %b, %one, %zero {function = @affine, window = [7], low = [6]}
            """, shape: [7],
          functions: """
            func @affine(%a: f32, %b: f32, %c: f32, %d: f32) -> (f32, f32) {
              %p = multiply %c, %a
              %s = multiply %c, %b
              %q = add %s, %d
              return %p, %q
            }
            """),
      ]
    ),
  ]

  /// The logarithm of the sum of two exponentials.
  private static let softMaximum = """
    func @soft(%a: f32, %b: f32) -> f32 {
      %m = maximum %a, %b
      %difference = subtract %a, %b
      %same = compare %a, %b {direction = eq}
      %d = select %same, 0.0, %difference
      %n = abs %d
      %g = negate %n
      %e = exponential %g
      %one = constant 1.0 : f32
      %s = add %e, %one
      %l = log %s
      %r = add %m, %l
      return %r
    }
    """

  /// Layers of special functions.
  static let specialLayers: [GradientCase] = [
    GradientCase(arguments: "param %x: f32[4]", body: "%y = square %x", shape: [4]),
    GradientCase(
      arguments: "param %x: f32[6]", body: "%y = lgamma %x", shape: [6], range: 0.2...4),
    GradientCase(
      arguments: "param %x: f32[6]", body: "%y = lgamma %x", shape: [6], range: -1.9 ... -1.1),
    GradientCase(
      arguments: "param %x: f32[6]", body: "%y = digamma %x", shape: [6], range: 0.4...4),
    GradientCase(
      arguments: "param %x: f32[6]",
      body: """
        %n = constant [0.0, 1.0, 2.0, 3.0, 1.0, 5.0] : f32[6]
        %y = polygamma %n, %x
        """, shape: [6], range: 1.5...4),
    GradientCase(
      arguments: "param %q: f32[3]",
      body: """
        %x = constant [2.0, 1.5, 4.0] : f32[3]
        %y = zeta %x, %q
        """, shape: [3], range: 1...4),
    GradientCase(
      arguments: "param %x: f32[6]", body: "%y = erf_inv %x", shape: [6], range: -0.8...0.8),
    GradientCase(
      arguments: "param %x: f32[6]", body: "%y = bessel_i0e %x", shape: [6], range: -12...10),
    GradientCase(
      arguments: "param %x: f32[6]", body: "%y = bessel_i1e %x", shape: [6], range: -12...10),
  ]

  /// Layers that have no gradient.
  static let undifferentiableLayers: Set<String> = [
    "accuracy", "is_inf", "is_pos_inf", "is_neg_inf", "next_after", "next_after_by_bits",
    "threefry", "threefry_words", "philox", "philox_words", "joined_words",
  ]

  private static func function(
    _ op: Opcode, _ range: ClosedRange<Double>
  ) -> (op: Opcode, cases: [GradientCase]) {
    (
      op,
      [
        GradientCase(
          arguments: "param %x: f32[2,3]", body: "%y = \(op.name) %x", shape: [2, 3], range: range)
      ]
    )
  }
}
