// What a gradient rule sees, and the small vocabulary in which it is written.

/// One op to differentiate, and the builder that its gradient is appended to.
public struct GradientContext: Sendable {
  /// Where ops are appended.
  public var builder: FunctionBuilder
  /// The operands of the op.
  public let operands: [ValueID]
  /// The result of the op.
  public let result: ValueID
  /// The gradient with respect to the result, of its type.
  public let dy: ValueID
  /// The attributes of the op.
  public let attributes: Attributes
  /// For each operand, whether its gradient is asked for; others may be left nil.
  public let needed: [Bool]

  init(
    builder: FunctionBuilder, operands: [ValueID], result: ValueID, dy: ValueID,
    attributes: Attributes, needed: [Bool]
  ) {
    self.builder = builder
    self.operands = operands
    self.result = result
    self.dy = dy
    self.attributes = attributes
    self.needed = needed
  }
}
