// Stacks of rows, one a trip, and sums over trips: what the loops of a gradient are made of.

extension TensorType {
  /// The type of so many values of this type.
  func stacked(_ count: Int) -> TensorType { with(shape: [count] + shape) }
}

extension Function {
  /// The name of an argument, or its number.
  func nameOfArgument(_ index: Int) -> String {
    let name = values[arguments[index].value].name
    return name.isEmpty ? "arg\(index)" : name
  }

  /// Whether a function has loops or branches.
  fileprivate var hasControlFlow: Bool { ops.elements.contains { $0.opcode.runsRoutines } }

  /// The function with its loops made small, so that what they only pass on is captured, and so never
  /// stacked.
  func preparingLoops() -> Function {
    guard hasControlFlow else { return self }
    var function = self
    for _ in 0..<Pipeline.roundsMax {
      for index in function.callees.indices {
        let callee = function.callees[index]
        function.callees[index] = Pipeline.local.run(callee)
      }
      guard let next = loopSimplification.run(function) else { break }
      function = next
    }
    return function
  }
}

extension FunctionBuilder {
  /// An integer in every element of a type; of one that the dtype lacks, its lowest bits.
  mutating func number(_ value: Int, _ type: TensorType) -> ValueID {
    let wrapped = (0..<type.dtype.byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    let bytes = type.dtype.encode(integer: value) ?? wrapped
    return emit(.constant, [], [.value: .constant(.splat(bytes))], type: type)
  }

  /// A scalar and one more.
  mutating func increment(_ value: ValueID) -> ValueID {
    let one = number(1, type(of: value))
    return emit(.add, [value, one], name: "trip.new")
  }

  /// A counter at a trip.
  mutating func value(of counter: LoopCounter, at trip: ValueID, as type: TensorType) -> ValueID {
    var value = trip
    if type.dtype != .i32 { value = emit(.convert, [value], type: TensorType(type.dtype)) }
    if !type.shape.isEmpty { value = emit(.reshape, [value], type: type) }
    let (step, start) = (number(counter.step, type), number(counter.start, type))
    value = emit(.multiply, [value, step])
    return emit(.add, [value, start])
  }

  /// `trip` and zeros: where a row begins.
  private mutating func starts(_ trip: ValueID, rank: Int) -> [ValueID] {
    guard rank > 0 else { return [trip] }
    let zero = number(0, TensorType(.i32))
    return [trip] + Array(repeating: zero, count: rank)
  }

  /// The stack with a value as its row.
  mutating func pushRow(_ value: ValueID, on stack: ValueID, at trip: ValueID) -> ValueID {
    let type = type(of: value)
    let row = emit(.reshape, [value], type: type.stacked(1))
    return emit(.dynamicUpdateSlice, [stack, row] + starts(trip, rank: type.rank))
  }

  /// A row of a stack, as a value of the given type.
  mutating func row(of stack: ValueID, at trip: ValueID, as type: TensorType) -> ValueID {
    let row = emit(
      .dynamicSlice, [stack] + starts(trip, rank: type.rank), [.sliceSizes: .ints([1] + type.shape)]
    )
    return emit(.reshape, [row], type: type)
  }

  /// A sum and one more part of it. Where the part is zero but for some windows, only these change.
  mutating func accumulate(_ part: ValueID, onto sum: ValueID) -> ValueID {
    if let id = function.definingOp(of: part) {
      let op = function.ops[id]
      let operands = Array(function.operands(of: id))
      let isSparse = operands.first.map { isZero($0) } ?? false
      if op.opcode == .dynamicUpdateSlice, isSparse {
        let window = emit(
          .dynamicSlice, [sum] + operands[2...],
          [.sliceSizes: .ints(type(of: operands[1]).shape)])
        let added = emit(.add, [window, operands[1]])
        return emit(.dynamicUpdateSlice, [sum, added] + operands[2...])
      }
      if op.opcode == .scatter, isSparse, op.attributes.symbol(.kind) == "add" {
        return emit(.scatter, [sum] + operands[1...], op.attributes)
      }
    }
    return emit(.add, [sum, part])
  }

  /// Whether a value is a constant of zeros.
  private func isZero(_ value: ValueID) -> Bool {
    function.splat(value).map { type(of: value).dtype.decode($0[...]) == 0 } ?? false
  }
}
