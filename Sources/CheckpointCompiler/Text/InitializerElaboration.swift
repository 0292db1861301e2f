// The first values of parameters and state, as a signature spells them.

extension CompileTimeEvaluator {
  /// The first value that an expression spells for an argument of a dtype.
  func initializer(
    _ expression: SyntaxExpression, of dtype: DType, at location: SourceLocation
  ) throws(Diagnostic) -> Initializer {
    switch expression {
    case .name(let name) where name.text == "zeros": return .fill(0)
    case .name(let name) where name.text == "ones": return .fill(1)
    case .call(let name, let arguments):
      let values = try evaluate(elements: arguments)
      guard values.count == 1, let number = values[0].number, number.isFinite else { break }
      guard name.text == "fill" || number >= 0 else {
        throw Diagnostic(
          "'\(name.text)' takes a number of at least 0, not \(number)", at: location)
      }
      let initializer: Initializer
      switch name.text {
      case "fill": initializer = .fill(number)
      case "normal": initializer = .normal(number)
      case "uniform": initializer = .uniform(number)
      default:
        throw Diagnostic(CompileTimeEvaluator.initializers, at: location)
      }
      if let problem = initializer.problem(of: dtype) {
        throw Diagnostic(problem, at: location)
      }
      return initializer
    default: break
    }
    throw Diagnostic(CompileTimeEvaluator.initializers, at: location)
  }

  private static let initializers =
    "an initial value is zeros, ones, fill(number), normal(deviation) or uniform(bound)"
}
