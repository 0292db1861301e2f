// `unet`: images to images over four resolutions, with skips, group normalization, and transposed
// convolutions on the way up.
//
// Source      Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, arXiv:1505.04597.

import CheckpointCompiler

/// The sizes of a U-Net.
struct UNetSizes {
  var batch: Int
  /// Height and width of an image.
  var image: Int
  /// The channels at the full resolution; twice as many at every lower one.
  var base: Int
  var levels = 4
  var channels = 3
  var groups = 8

  var members: [JSONMember] {
    [
      JSONMember("batch", .integer(batch)), JSONMember("image", .integer(image)),
      JSONMember("base", .integer(base)), JSONMember("levels", .integer(levels)),
      JSONMember("channels", .integer(channels)), JSONMember("groups", .integer(groups)),
    ]
  }
}

extension BenchModel {
  var encoderDecoderSizes: UNetSizes {
    size == .full
      ? UNetSizes(batch: 8, image: 96, base: 32) : UNetSizes(batch: 2, image: 16, base: 8)
  }

  private static let functions = """
    // Two convolutions, each normalized over groups of channels.
    func @double_conv<N, H, W, I, C>(
        %x: f32[N, H, W, I], %k1: f32[3, 3, I, C], %g1: f32[C], %b1: f32[C],
        %k2: f32[3, 3, C, C], %g2: f32[C], %b2: f32[C]; groups) {
      %c1 = conv2d %x, %k1 {padding = 1}
      %n1 = group_norm %c1, %g1, %b1 {groups = groups}
      %r1 = relu %n1
      %c2 = conv2d %r1, %k2 {padding = 1}
      %n2 = group_norm %c2, %g2, %b2 {groups = groups}
      %y = relu %n2
      return %y
    }

    // Twice the resolution by a transposed convolution of stride 2, behind the channels of the skip.
    func @up<N, H, W, I, C>(
        %x: f32[N, H, W, I], %skip: f32[N, 2 * H, 2 * W, C], %k: f32[2, 2, I, C], %b: f32[C]) {
      %wide = convolution %x, %k {
        dim_numbers = "b01f_01io->b01f", low = [1, 1], high = [1, 1], lhs_dilation = [2, 2]}
      %shifted = add_bias %wide, %b
      %y = concatenate %skip, %shifted {dim = 3}
      return %y
    }

    """

  var encoderDecoder: ModelText {
    let sizes = encoderDecoderSizes
    var text = ModelText(functions: Self.functions)
    let image = TensorType(.f32, [sizes.batch, sizes.image, sizes.image, sizes.channels])
    let layout = ForeignLayout.image(sizes.batch, sizes.channels, side: sizes.image)
    text.input("x", image, layout: layout)
    text.input("y", image, layout: layout)

    func doubleConvolution(_ result: String, _ x: String, _ name: String, _ inputs: Int, _ c: Int) {
      text.convolution("\(name).conv1", inputs, c, window: 3)
      text.norm("\(name).gn1", c)
      text.convolution("\(name).conv2", c, c, window: 3)
      text.norm("\(name).gn2", c)
      let parameters = [
        "conv1.weight", "gn1.weight", "gn1.bias", "conv2.weight", "gn2.weight", "gn2.bias",
      ].map { "%\(name).\($0)" }
      text.line(
        "%\(result) = double_conv %\(x), \(parameters.joined(separator: ", ")) "
          + "{groups = \(sizes.groups)}")
    }

    doubleConvolution("e0", "x", "enc.0", sizes.channels, sizes.base)
    for level in 1..<sizes.levels {
      text.line("%p\(level) = max_pool2d %e\(level - 1)")
      let channels = sizes.base << level
      doubleConvolution("e\(level)", "p\(level)", "enc.\(level)", channels / 2, channels)
    }
    var last = "e\(sizes.levels - 1)"
    for step in 0..<sizes.levels - 1 {
      let level = sizes.levels - 2 - step
      let (name, channels) = ("dec.\(step)", sizes.base << level)
      text.parameter(
        "\(name).up.weight", [2, 2, 2 * channels, channels],
        "normal(sqrt(1.0 / \(2 * channels)))",
        layout: .transposedConvolution(window: 2, inputs: 2 * channels, outputs: channels))
      text.parameter("\(name).up.bias", [channels], "zeros")
      text.line("%u\(step) = up %\(last), %e\(level), %\(name).up.weight, %\(name).up.bias")
      doubleConvolution("d\(step)", "u\(step)", "\(name).pair", 2 * channels, channels)
      last = "d\(step)"
    }
    text.convolution("head", sizes.base, sizes.channels, window: 1)
    text.parameter("head.bias", [sizes.channels], "zeros")
    text.line("%out = conv2d %\(last), %head.weight, %head.bias")
    text.loss("mse %out, %y")
    return text
  }
}
