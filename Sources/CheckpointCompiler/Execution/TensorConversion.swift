// Tensors from files as the values of arguments: the right shape, and a dtype that holds them all.

extension Tensor {
  /// The same numbers in another dtype.
  ///
  /// Integers become any dtype, floating-point numbers only floating-point ones.
  ///
  /// - Parameters:
  ///   - dtype: The dtype of the result.
  ///   - source: What to call this tensor in messages.
  ///   - target: What to call the result.
  /// - Returns: The converted tensor.
  /// - Throws: An error that names the first number that the dtype does not hold.
  package func exactly(
    _ dtype: DType, source: String, target: String
  ) throws(Diagnostic) -> Tensor {
    if type.dtype == dtype { return self }
    guard dtype.isFloatingPoint || !type.dtype.isFloatingPoint else {
      throw Diagnostic("\(source) holds \(type), but \(target) is \(dtype.name)")
    }
    let newType = type.with(dtype)
    let converted: Tensor
    let inexact: Int?
    if type.dtype.isFloatingPoint {
      let numbers = floats
      converted = Tensor(newType, floats: numbers)
      let back = converted.floats
      inexact = numbers.indices.first {
        numbers[$0] != back[$0] && !(numbers[$0].isNaN && back[$0].isNaN)
      }
    } else {
      let numbers = integers
      converted = CheckpointCompiler.converted(self, to: newType)
      if dtype.isFloatingPoint {
        let back = converted.floats
        inexact = numbers.indices.first {
          type.dtype == .ui64
            ? UInt64(exactly: back[$0]) != UInt64(bitPattern: numbers[$0])
            : Int64(exactly: back[$0]) != numbers[$0]
        }
      } else {
        let back = converted.integers
        // With the upper bit set, the same bits are another number where one dtype is signed.
        let sharesSign = type.dtype.isUnsigned == dtype.isUnsigned
        inexact = numbers.indices.first {
          numbers[$0] != back[$0] || numbers[$0] < 0 && !sharesSign
        }
      }
    }
    if let inexact {
      throw Diagnostic(
        "\(source) holds \(type.dtype.name), and element \(inexact), "
          + "\(element(inexact)), is no \(dtype.name), which \(target) is")
    }
    return converted
  }

  /// The same numbers as the value of something of the given type.
  ///
  /// - Throws: An error where the shape differs or the dtype does not hold the numbers.
  package func exactly(
    _ target: TensorType, source: String, target name: String
  ) throws(Diagnostic) -> Tensor {
    guard type.shape == target.shape else {
      throw Diagnostic("\(source) holds \(type), but \(name) is \(target)")
    }
    return try exactly(target.dtype, source: source, target: name)
  }

  /// The element at a row-major position, in words.
  private func element(_ position: Int) -> String {
    type.dtype.isFloatingPoint ? "\(floats[position])" : "\(integers[position])"
  }
}
