// How often a loop runs, where that follows from constants.
//
// Form        A scalar integer is carried; it starts as a constant, the body adds a constant to it, and
//             the condition compares it with a constant: what a counted loop looks like in every
//             front end. Constants may be captured, and lie behind reshapes, broadcasts and fusions.
// Cost        O(callees + ops between the constants and where they are used).

/// How many trips the price of a loop assumes where they are not known.
let assumedTripCount = 10

/// A carried integer that grows by the same amount in every trip.
struct LoopCounter: Hashable, Sendable {
  var start: Int
  var step: Int
}

extension Function {
  /// The carried values of a `while` that are counters, by position.
  func counters(of op: OpID) -> [Int: LoopCounter] {
    guard let body = ops[op].attributes.function(.body).flatMap(callee) else { return [:] }
    let operands = Array(operands(of: op))
    var found: [Int: LoopCounter] = [:]
    for index in body.results.indices {
      guard case .number(let start) = scalarSource(of: operands[index]),
        let step = step(ofCounter: index, in: body, operands)
      else { continue }
      found[index] = LoopCounter(start: start, step: step)
    }
    return found
  }

  /// What the body adds to a carried value, where that is a constant.
  private func step(ofCounter index: Int, in body: Function, _ operands: [ValueID]) -> Int? {
    guard case .op(let next) = body.scalarSource(of: body.returnedValues[index]),
      [.add, .subtract].contains(body.ops[next].opcode)
    else { return nil }
    func number(_ value: ValueID) -> Int? {
      constant(value, in: body, operands, carriedCount: body.results.count)
    }
    let (a, b) = (body.operands(of: next).first!, body.operands(of: next).last!)
    func isCounter(_ value: ValueID) -> Bool {
      body.scalarSource(of: value) == .argument(index)
    }
    if body.ops[next].opcode == .add {
      return isCounter(a) ? number(b) : isCounter(b) ? number(a) : nil
    }
    guard isCounter(a), let step = number(b), step > Int.min else { return nil }
    return -step
  }

  /// The number of a value of the condition or the body of a loop on some operands, where it is the
  /// same in all trips.
  private func constant(
    _ value: ValueID, in function: Function, _ operands: [ValueID], carriedCount: Int
  ) -> Int? {
    switch function.scalarSource(of: value) {
    case .number(let number): return number
    case .argument(let index):
      guard index >= carriedCount, case .number(let number) = scalarSource(of: operands[index])
      else { return nil }
      return number
    case .op, nil: return nil
    }
  }

  /// The number of times that the body of a `while` runs; nil where it is not known.
  func tripCount(of op: OpID) -> Int? {
    let attributes = ops[op].attributes
    guard ops[op].opcode == .while, let condition = attributes.function(.condition).flatMap(callee),
      let body = attributes.function(.body).flatMap(callee)
    else { return nil }
    let operands = Array(operands(of: op))
    let carriedCount = ops[op].resultCount
    func number(_ value: ValueID) -> Int? {
      constant(value, in: condition, operands, carriedCount: carriedCount)
    }
    guard case .op(let test) = condition.scalarSource(of: condition.returnedValues[0]),
      condition.ops[test].opcode == .compare,
      var direction = condition.ops[test].attributes.symbol(.direction)
    else { return nil }
    var (left, right) = (condition.operands(of: test).first!, condition.operands(of: test).last!)
    if case .argument? = condition.scalarSource(of: left), number(left) == nil {
    } else {
      (left, right) = (right, left)
      direction = ["lt": "gt", "le": "ge", "gt": "lt", "ge": "le"][direction] ?? direction
    }
    guard case .argument(let counter) = condition.scalarSource(of: left), counter < carriedCount,
      let limit = number(right),
      case .number(let start) = scalarSource(of: operands[counter]),
      let step = step(ofCounter: counter, in: body, operands)
    else { return nil }
    let dtype = type(of: operands[counter]).dtype
    // Counters of 2^63 and more are not followed.
    let top = dtype == .ui64 ? Int64.max : dtype.greatestInteger
    guard start >= dtype.leastInteger, limit >= dtype.leastInteger else { return nil }
    return trips(
      from: start, by: step, while: direction, limit, range: dtype.leastInteger...top)
  }

  /// What a scalar comes from.
  private enum ScalarSource: Equatable {
    case number(Int)
    case argument(Int)
    case op(OpID)
  }

  /// Where an integer scalar comes from, through ops that only pass it on; nil for other values.
  private func scalarSource(of value: ValueID) -> ScalarSource? {
    var value = value
    while true {
      let type = type(of: value)
      guard !type.dtype.isFloatingPoint, type.elementCount == 1 else { return nil }
      switch values[value].definition {
      case .argument(let index): return .argument(index)
      case .result(let id, let index):
        switch ops[id].opcode {
        case .reshape, .broadcastInDim: value = operands(of: id).first!
        case .fusion: value = yieldedValues(of: ops[id].regions[0])[index]
        case .constant:
          switch ops[id].attributes.constant! {
          case .splat(let bytes), .dense(let bytes):
            return .number(type.dtype.decodeInteger(bytes[...]))
          }
        default: return .op(id)
        }
      }
    }
  }
}

/// How often a counter passes a test; nil where it never fails, or wraps around before.
private func trips(
  from start: Int, by step: Int, while direction: String, _ limit: Int, range: ClosedRange<Int64>
) -> Int? {
  /// The counter in the direction in which it grows; a strict test.
  func upwards(_ start: Int, _ step: Int, below limit: Int, top: Int) -> Int? {
    if start >= limit { return 0 }
    let (distance, overflow) = limit.subtractingReportingOverflow(start)
    guard step > 0, !overflow else { return nil }
    let count = (distance - 1) / step + 1
    let (last, wraps) = start.addingReportingOverflow((count - 1) * step)
    // The first value that fails the test must be one.
    return wraps || last > top - step ? nil : count
  }
  let (low, high) = (Int(range.lowerBound), Int(range.upperBound))
  switch direction {
  case "lt": return upwards(start, step, below: limit, top: high)
  case "le":
    return limit == high ? nil : upwards(start, step, below: limit + 1, top: high)
  case "gt", "ge":
    // Negation of the least number would overflow.
    guard start > Int.min, step > Int.min, limit > Int.min + 1 else { return nil }
    return upwards(
      -start, -step, below: -limit + (direction == "ge" ? 1 : 0), top: -max(low, -Int.max))
  case "ne":
    if start == limit { return 0 }
    let (distance, overflow) = limit.subtractingReportingOverflow(start)
    guard !overflow, step != 0, step != -1 || distance != Int.min else { return nil }
    return distance % step == 0 && distance / step > 0 ? distance / step : nil
  default: return nil
  }
}
