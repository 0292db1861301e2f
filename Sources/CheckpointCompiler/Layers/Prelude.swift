// The layers that every graph can use, written in the IR itself.
//
// Shapes      Features stand last: an image is `[batch, height, width, channels]`, a sequence
//             `[batch, time, features]`. Leading dimensions are packs where any number will do.
// Fusion      A reduction is broadcast right after it, with elementwise ops in between; nothing is
//             transposed, and nothing reshaped but at the ends of a layer.
// Dtypes      Normalization, softmax and losses of `bf16` and `f16` compute in `f32` and round once.
// Gradients   A gradient is written by hand only where the derived one keeps or computes more. It may
//             repeat ops of its layer: they are the same, so that simplification makes them one.

/// The layer library: IR texts that are read before the user's file.
public enum Prelude {
  /// The name and the text of every file, in reading order.
  public static let files: [(name: String, text: String)] = [
    ("prelude/basics.ir", basics),
    ("prelude/activations.ir", activations),
    ("prelude/linear.ir", linear),
    ("prelude/normalization.ir", normalization),
    ("prelude/softmax.ir", softmax),
    ("prelude/losses.ir", losses),
    ("prelude/attention.ir", attention),
    ("prelude/pooling.ir", pooling),
    ("prelude/dropout.ir", dropout),
    ("prelude/numbers.ir", numbers),
    ("prelude/gamma.ir", gamma),
    ("prelude/special.ir", special),
    ("prelude/random_bits.ir", randomBits),
  ]
}
