// What compiled code computes, beside what the interpreter says that the graph means.
//
// Problem     Comparing plans with each other shows nothing of what they share: differentiation aside,
//             simplification, grouping and lowering could be wrong in all of them alike.
// Method      One step of the function as it was before simplification, by the reference interpreter,
//             from the same arguments. Elements are compared in units of the largest magnitude of
//             their tensor, because sums are added up in another order.
// Cost        The interpreter's: graphs of more than `operationsMax` operations are left out.

/// One comparison of a compiled step with the interpreter.
package struct InterpreterCheck: Sendable {
  /// The most operations that are interpreted: some seconds.
  package static let operationsMax = 5e8

  /// What was found.
  package enum Outcome: Sendable {
    /// All results agree; the largest difference and the result that has it.
    case agrees(largest: Double, result: String)
    /// A result differs by more than the dtypes it was computed in explain.
    case differs(result: String, difference: Double)
    /// The graph has too many operations.
    case tooLarge(operations: Double)
  }

  /// The function before simplification.
  private let function: Function
  /// Whether the results of a parameter's update amplify rounding: Adam divides by the gradient's own
  /// size, which turns the sign of a gradient near 0 into a whole step.
  private let skipsUpdates: Bool

  /// A check of a compilation that went as far as its code; nil where it did not.
  package init?(_ compilation: Compilation) {
    guard let function = compilation.differentiated else { return nil }
    self.function = function
    switch compilation.options.optimizer {
    case .adam, .adamw: skipsUpdates = true
    case .sgd, .momentum, nil: skipsUpdates = false
    }
  }

  /// The number of arithmetic operations of a function.
  package static func operations(of function: Function) -> Double {
    function.opsInOrder.reduce(0) { sum, op in
      guard function.ops[op].opcode.definition.category != .structure,
        let result = function.results(of: op).first
      else { return sum }
      let signature = function.signature(of: op)
      return sum + signature.opcode.definition.cost(signature, function.type(of: result)).flops
    }
  }

  /// The number of elements of all values: what a kernel makes in registers is interpreted in memory.
  private var elementCount: Double {
    function.values.elements.reduce(0) { $0 + Double($1.type.elementCount) }
  }

  /// Runs a compiled step once and compares.
  ///
  /// - Parameter step: A step of the compilation, its arguments set.
  /// - Returns: What was found.
  /// - Throws: What the interpreter refuses.
  package func run(_ step: CompiledStep) throws(InterpreterError) -> Outcome {
    let operations = max(InterpreterCheck.operations(of: function), elementCount)
    guard operations <= InterpreterCheck.operationsMax else {
      return .tooLarge(operations: operations)
    }
    let expected = try interpret(function, arguments: step.argumentValues)
    step.run()
    var largest = (difference: 0.0, result: "")
    let tolerances = function.resultTolerances
    for (index, result) in function.results.enumerated() {
      if skipsUpdates, case .update = result.role { continue }
      let difference = InterpreterCheck.difference(step.result(index), expected[index])
      guard difference <= tolerances[index] else {
        return .differs(result: result.name, difference: difference)
      }
      if difference >= largest.difference { largest = (difference, result.name) }
    }
    return .agrees(largest: largest.difference, result: largest.result)
  }

  /// The largest difference of elements over the largest magnitude; infinite where one is a number and
  /// the other is not, or where integers differ.
  package static func difference(_ a: Tensor, _ b: Tensor) -> Double {
    guard a.type.dtype.isFloatingPoint else { return a == b ? 0 : .infinity }
    let (x, y) = (a.floats, b.floats)
    let scale = y.reduce(0) { $1.isFinite ? max($0, $1.magnitude) : $0 }
    var largest = 0.0
    for (left, right) in zip(x, y) where left != right && !(left.isNaN && right.isNaN) {
      let difference = (left - right).magnitude
      guard difference.isFinite else { return .infinity }
      largest = max(largest, difference)
    }
    return largest == 0 ? 0 : largest / max(scale, .leastNormalMagnitude)
  }

  /// The largest difference that another order of sums explains.
  package static func tolerance(_ dtype: DType) -> Double {
    switch dtype {
    case .f64: 1e-9
    case .f32: 1e-3
    case .f16: 1e-2
    case .bf16: 5e-2
    case .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: 0
    }
  }
}
