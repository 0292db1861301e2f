// Convolutional classifiers with batch normalization: `resnet18`, the ResNet-18 for small images, and
// `mobilenet`, the depthwise-separable blocks of MobileNet-V1.
//
// Source      He et al., "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385;
//             Howard et al., "MobileNets", 2017, arXiv:1704.04861.

import CheckpointCompiler

/// The sizes of a convolutional classifier.
struct ClassifierSizes {
  var batch: Int
  /// Height and width of an image of 3 channels.
  var image: Int
  /// The channels of the first convolution.
  var base: Int
  var classes = 10
  var stemStride: Int
  /// Output channels, in multiples of `base`, and stride of every block.
  var blocks: [(multiple: Int, stride: Int)]

  var members: [JSONMember] {
    [
      JSONMember("batch", .integer(batch)), JSONMember("image", .integer(image)),
      JSONMember("base", .integer(base)), JSONMember("classes", .integer(classes)),
      JSONMember("stem_stride", .integer(stemStride)),
      JSONMember(
        "blocks", .array(blocks.map { .array([.integer($0.multiple), .integer($0.stride)]) })),
    ]
  }
}

extension BenchModel {
  var residualSizes: ClassifierSizes {
    ClassifierSizes(
      batch: size == .full ? 64 : 4, image: size == .full ? 32 : 16,
      base: size == .full ? 64 : 8, stemStride: 1,
      blocks: [(1, 1), (1, 1), (2, 2), (2, 1), (4, 2), (4, 1), (8, 2), (8, 1)])
  }

  var separableSizes: ClassifierSizes {
    ClassifierSizes(
      batch: size == .full ? 32 : 4, image: size == .full ? 64 : 32,
      base: size == .full ? 32 : 16, stemStride: 2,
      blocks: [(2, 1), (4, 2), (4, 1), (8, 2), (8, 1), (16, 2)]
        + Array(repeating: (16, 1), count: 5) + [(32, 2), (32, 1)])
  }

  private static let functions = """
    // A convolution, normalized; the new running statistics come with it.
    func @conv_bn<N, H, W, C, K, I, O>(
        %x: f32[N, H, W, C], %k: f32[K, K, I, O], %g: f32[O], %b: f32[O], %m: f32[O], %v: f32[O];
        stride = 1, groups = 1) {
      %c = conv2d %x, %k {padding = K / 2, stride = stride, groups = groups}
      %y, %m.new, %v.new = batch_norm %c, %g, %b, %m, %v
      return %y, %m.new, %v.new
    }

    // The same with the activation after it.
    func @conv_bn_relu<N, H, W, C, K, I, O>(
        %x: f32[N, H, W, C], %k: f32[K, K, I, O], %g: f32[O], %b: f32[O], %m: f32[O], %v: f32[O];
        stride = 1, groups = 1) {
      %n, %m.new, %v.new = conv_bn %x, %k, %g, %b, %m, %v {stride = stride, groups = groups}
      %y = relu %n
      return %y, %m.new, %v.new
    }

    """

  var residualNetwork: ModelText {
    let sizes = residualSizes
    var text = classifier(sizes)
    var (last, channels) = ("h", sizes.base)
    for (number, block) in sizes.blocks.enumerated() {
      let (name, outputs) = ("blocks.\(number)", sizes.base * block.multiple)
      let stride = block.stride == 1 ? "" : " {stride = \(block.stride)}"
      text.convolution("\(name).conv1", channels, outputs, window: 3)
      text.batchNorm("\(name).bn1", outputs)
      text.convolution("\(name).conv2", outputs, outputs, window: 3)
      text.batchNorm("\(name).bn2", outputs)
      text.normalized(
        "r\(number)", "conv_bn_relu %\(last), %\(name).conv1.weight", "\(name).bn1", stride)
      text.normalized("n\(number)", "conv_bn %r\(number), %\(name).conv2.weight", "\(name).bn2", "")
      if block.stride != 1 || outputs != channels {
        text.convolution("\(name).down", channels, outputs, window: 1)
        text.batchNorm("\(name).bnd", outputs)
        text.normalized(
          "s\(number)", "conv_bn %\(last), %\(name).down.weight", "\(name).bnd", stride)
        last = "s\(number)"
      }
      text.line("%a\(number) = add %n\(number), %\(last)")
      text.line("%h\(number) = relu %a\(number)")
      (last, channels) = ("h\(number)", outputs)
    }
    addHead(to: &text, last, channels, sizes.classes)
    return text
  }

  var separableNetwork: ModelText {
    let sizes = separableSizes
    var text = classifier(sizes)
    var (last, channels) = ("h", sizes.base)
    for (number, block) in sizes.blocks.enumerated() {
      let (name, outputs) = ("blocks.\(number)", sizes.base * block.multiple)
      text.convolution("\(name).dw", 1, channels, window: 3)
      text.batchNorm("\(name).bn1", channels)
      text.convolution("\(name).pw", channels, outputs, window: 1)
      text.batchNorm("\(name).bn2", outputs)
      text.normalized(
        "d\(number)", "conv_bn_relu %\(last), %\(name).dw.weight", "\(name).bn1",
        " {stride = \(block.stride), groups = \(channels)}")
      text.normalized(
        "h\(number)", "conv_bn_relu %d\(number), %\(name).pw.weight", "\(name).bn2", "")
      (last, channels) = ("h\(number)", outputs)
    }
    addHead(to: &text, last, channels, sizes.classes)
    return text
  }

  /// The inputs and the first convolution.
  private func classifier(_ sizes: ClassifierSizes) -> ModelText {
    var text = ModelText(functions: Self.functions)
    text.input(
      "x", TensorType(.f32, [sizes.batch, sizes.image, sizes.image, 3]),
      layout: .image(sizes.batch, 3, side: sizes.image))
    text.input("y", TensorType(.i32, [sizes.batch]))
    text.convolution("stem.conv", 3, sizes.base, window: 3)
    text.batchNorm("stem.bn", sizes.base)
    text.normalized(
      "h", "conv_bn_relu %x, %stem.conv.weight", "stem.bn",
      sizes.stemStride == 1 ? "" : " {stride = \(sizes.stemStride)}")
    return text
  }

  /// The mean of every channel, and the classifier.
  private func addHead(to text: inout ModelText, _ last: String, _ channels: Int, _ classes: Int) {
    text.linear("head", channels, classes, gain: 1)
    text.line("%pooled = global_avg_pool %\(last)")
    text.line("%logits = linear %pooled, %head.weight, %head.bias")
    text.loss("cross_entropy %logits, %y")
  }
}
