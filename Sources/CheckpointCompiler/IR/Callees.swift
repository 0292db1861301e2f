// Functions that ops name: bodies of loops, branches, comparators, reducers.
//
// Closed      Such a function sees its arguments only; what an op hands on to it are operands.
// Order       Callees stand before callers, so that one walk forward meets a function after all that
//             it names. Nesting is bounded, as calls are.

/// The types of the arguments and results of a function.
public struct FunctionType: Hashable, Sendable {
  /// The types of the arguments.
  public var arguments: [TensorType]
  /// The types of the results.
  public var results: [TensorType]

  /// A type.
  public init(arguments: [TensorType], results: [TensorType]) {
    self.arguments = arguments
    self.results = results
  }

  /// The type of a function.
  public init(_ function: Function) {
    self.init(arguments: function.argumentTypes, results: function.resultTypes)
  }
}

extension Function {
  /// The names of the functions that its ops name, each once, in the order of the ops; calls are left
  /// out, because inlining puts the function in their place.
  var namedFunctions: [String] { functionNames { $0 != .call } }

  /// The names of the functions that its ops call or name, each once, in the order of the ops.
  var mentionedFunctions: [String] { functionNames { _ in true } }

  private func functionNames(_ isCounted: (Opcode) -> Bool) -> [String] {
    var seen: Set<String> = []
    var names: [String] = []
    for op in ops.elements where isCounted(op.opcode) {
      for name in op.attributes.functionNames where seen.insert(name).inserted {
        names.append(name)
      }
    }
    return names
  }

  /// The callee of that name, by itself.
  func callee(_ name: String) -> Function? { callees.first { $0.name == name } }

  /// The callee of that name with what it names as its callees.
  func calleeWithCallees(_ name: String) -> Function? {
    guard var callee = callee(name) else { return nil }
    callee.callees = callees
    return callee.prunedCallees()
  }

  /// The function with the callees that it needs, in the order in which its ops name them: that of
  /// its text when it is read again.
  package func prunedCallees() -> Function {
    guard !callees.isEmpty else { return self }
    let byName = Dictionary(callees.map { ($0.name, $0) }) { first, _ in first }
    var function = self
    function.callees = functionsReached(from: namedFunctions) { byName[$0] }
    return function
  }
}

/// The functions that `roots` and, in turn, these name, callees before callers, equal names once.
///
/// - Parameters:
///   - roots: Names of functions.
///   - find: The function of a name; nil where there is none, which is then left out.
/// - Returns: The functions.
/// - Complexity: O(ops of the functions).
func functionsReached(from roots: [String], _ find: (String) -> Function?) -> [Function] {
  var order: [Function] = []
  var seen: Set<String> = []
  var stack: [(function: Function?, pending: [String])] = [(nil, roots.reversed())]
  while let top = stack.last {
    guard let name = top.pending.last else {
      if let function = top.function { order.append(function) }
      stack.removeLast()
      continue
    }
    stack[stack.count - 1].pending.removeLast()
    guard seen.insert(name).inserted, let function = find(name) else { continue }
    stack.append((function, function.namedFunctions.reversed()))
  }
  return order
}

extension Function {
  /// The function with one callee in the place of all that do the same, whatever their values are
  /// called; the first of them stays.
  ///
  /// - Complexity: O(ops of the callees).
  func mergingEqualCallees() -> Function {
    guard callees.count > 1 else { return self }
    var function = self
    var first: [CalleeKey: String] = [:]
    var standIn: [String: String] = [:]
    function.callees.removeAll()
    for callee in callees {
      let renamed = callee.naming(standIn)
      let key = CalleeKey(renamed)
      if let earlier = first[key] {
        standIn[callee.name] = earlier
      } else {
        first[key] = callee.name
        function.callees.append(renamed)
      }
    }
    return standIn.isEmpty ? self : function.naming(standIn)
  }

  /// The function whose ops name other functions: `standIn` has those that change.
  private func naming(_ standIn: [String: String]) -> Function {
    guard !standIn.isEmpty else { return self }
    var function = self
    for op in function.ops.ids {
      for entry in function.ops[op].attributes.entries {
        switch entry.value {
        case .function(let name):
          function.ops[op].attributes[entry.name] = .function(standIn[name] ?? name)
        case .functions(let names):
          function.ops[op].attributes[entry.name] = .functions(names.map { standIn[$0] ?? $0 })
        case .int, .number, .ints, .symbol, .constant, .string: break
        }
      }
    }
    return function
  }
}

/// What a closed function without calls and regions does, apart from names.
struct CalleeKey: Hashable {
  private struct Step: Hashable {
    var opcode: Opcode
    var attributes: Attributes
    /// Arguments and results of ops, numbered in order.
    var operands: [Int]
    var types: [TensorType]
  }

  private var argumentTypes: [TensorType]
  private var roles: [ArgumentRole]
  private var steps: [Step] = []

  init(_ function: Function) {
    argumentTypes = function.argumentTypes
    roles = function.arguments.map(\.role)
    var numbers: [ValueID: Int] = [:]
    for argument in function.arguments { numbers[argument.value] = numbers.count }
    for id in function.opsInOrder {
      let op = function.ops[id]
      let operands = function.operands(of: op).map { numbers[$0]! }
      let results = function.results(of: id)
      for result in results { numbers[result] = numbers.count }
      steps.append(
        Step(
          opcode: op.opcode, attributes: op.attributes, operands: operands,
          types: results.map { function.type(of: $0) }))
    }
  }
}
