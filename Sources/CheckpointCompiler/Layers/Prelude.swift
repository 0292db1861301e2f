// The layers that every graph can use, written in the IR itself.

/// The layer library: IR texts that are read before the user's file.
public enum Prelude {
  /// The name and the text of every file, in reading order.
  public static let files: [(name: String, text: String)] = [
    ("prelude/activations.ir", activations)
  ]
}

extension Prelude {
  static let activations = """
    // Rectified linear unit.
    func @relu<T: dtype, S...>(%x: T[S...]) -> T[S...] {
      %y = maximum %x, 0.0
      return %y
    }
    """
}
