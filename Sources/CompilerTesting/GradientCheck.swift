// Compares derived gradients with central differences.
//
// Problem     Is the gradient result of a training step the derivative of its loss?
// Method      The module is made binary64, differentiated, and run by the interpreter. For every
//             element of every parameter, the loss is computed a step `h` above and below, and the
//             slope of the secant, right to O(h^2), is compared with the gradient. With `h` = 1e-5
//             rounding and truncation leave some 1e-9 of the size of the loss.
// Invariants  Parameters must keep away from kinks (a maximum at a tie), where there is no slope.
// Cost        Two runs of the forward function for every element of the parameters.

public import CheckpointCompiler

/// One element whose gradient is not the slope of the loss.
public struct GradientMismatch: Sendable, CustomStringConvertible {
  /// The name of the parameter.
  public var parameter: String
  /// The row-major position of the element.
  public var element: Int
  /// What the step gives.
  public var gradient: Double
  /// The slope of the secant.
  public var slope: Double

  /// The parameter, the element and both numbers.
  public var description: String {
    "grad.\(parameter)[\(element)] = \(gradient), but the loss has the slope \(slope)"
  }
}

/// The elements whose gradient is not the slope of the loss, for the entry function of a module at
/// the given arguments.
///
/// - Parameters:
///   - module: A forward function with one loss and parameters; it is made `f64` first.
///   - arguments: The place, one tensor per argument, of the types of the module in `f64`.
///   - tolerance: The largest difference allowed, relative to the larger of 1 and the slope.
/// - Throws: `DiagnosticList` where there is no gradient; `InterpreterError`.
public func gradientMismatches(
  of module: Module, at arguments: [Tensor], tolerance: Double = 1e-6
) throws -> [GradientMismatch] {
  let module = inDoublePrecision(module)
  var remarks: [Diagnostic] = []
  let step = inlined(try differentiated(module, remarks: &remarks), in: module)
  let forward = inlined(module.entry, in: module)
  guard let lossIndex = forward.results.firstIndex(where: { $0.role == .loss }) else { return [] }
  let results = try interpret(step, arguments: arguments)

  let width = 1e-5
  var mismatches: [GradientMismatch] = []
  for (result, gradient) in zip(step.results, results) {
    guard case .gradient(let index) = result.role else { continue }
    let center = arguments[index].floats
    for (element, found) in gradient.floats.enumerated() {
      func loss(_ offset: Double) throws -> Double {
        var numbers = center
        numbers[element] += offset
        var shifted = arguments
        shifted[index] = Tensor(arguments[index].type, floats: numbers)
        return try interpret(forward, arguments: shifted)[lossIndex].floats[0]
      }
      let slope = (try loss(width) - loss(-width)) / (2 * width)
      // Written so that NaN is a mismatch.
      if !(abs(found - slope) <= tolerance * max(1, abs(slope))) {
        mismatches.append(
          GradientMismatch(
            parameter: step.values[step.arguments[index].value].name, element: element,
            gradient: found, slope: slope))
      }
    }
  }
  return mismatches
}

/// Numbers for the arguments of a function, the same for the same seed: floating-point arguments get
/// distinct numbers of `range`, far apart from each other, so that no maximum is near a
/// tie; integers count up from 0 and start again at `indexLimit`.
public func exampleArguments(
  for function: Function, in range: ClosedRange<Double> = -1...1, seed: Int = 1, indexLimit: Int = 3
) -> [Tensor] {
  var state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 | 1
  func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
  return function.argumentTypes.map { type in
    let count = type.elementCount
    guard type.dtype.isFloatingPoint else {
      return Tensor(type, integers: (0..<count).map { Int64($0 * 7 % max(indexLimit, 1)) })
    }
    // A shuffled grid, with a shift of its own that keeps clear of 0.
    var places = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) {
      places.swapAt(i, Int(next() % UInt64(i + 1)))
    }
    let shift = 0.3 + 0.4 * Double(next() >> 40) * 0x1p-24
    return Tensor(
      type.with(.f64),
      floats: places.map {
        range.lowerBound
          + (range.upperBound - range.lowerBound) * (Double($0) + shift) / Double(count)
      })
  }
}
