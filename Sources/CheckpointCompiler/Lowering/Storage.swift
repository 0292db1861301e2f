// Where every value of a grouped function lives while the step runs.

/// The memory that holds a value.
public enum Storage: Hashable, Sendable {
  /// The caller's buffer of the argument at an index. It is read, and written where the value is the
  /// in-place update of that parameter or state.
  case argument(Int)
  /// The caller's buffer of the result at an index. Kernels write the result there, later kernels
  /// may read it.
  case result(Int)
  /// Bytes of the arena from an offset on.
  case arena(offset: Int)
  /// The static, read-only data of the dense constant that defines a value.
  case constantData(ValueID)
}

/// A copy after the last kernel, for a result that could not be written in place.
public struct FinalCopy: Hashable, Sendable {
  /// The value.
  public var from: ValueID
  /// Where it must end up.
  public var to: Storage

  /// A copy.
  public init(from: ValueID, to: Storage) {
    self.from = from
    self.to = to
  }
}

/// A place for every value outside fusions and for the scratch of every kernel.
public struct StoragePlan: Sendable {
  /// The storage of each value; nil for values inside fusions. A view has the storage of its root.
  public var storage: Table<ValueID, Storage?>
  /// The arena offset of each kernel's scratch, where it needs any.
  public var scratch: Table<OpID, Int>
  /// Copies after the last kernel, in order.
  public var finalCopies: [FinalCopy]
  /// The size of the arena.
  public var arenaBytes: Int
  /// The alignment of the arena; offsets are multiples of it.
  public var alignment: Int

  /// A plan.
  public init(
    storage: Table<ValueID, Storage?>, scratch: Table<OpID, Int>, finalCopies: [FinalCopy],
    arenaBytes: Int, alignment: Int = 64
  ) {
    self.storage = storage
    self.scratch = scratch
    self.finalCopies = finalCopies
    self.arenaBytes = arenaBytes
    self.alignment = alignment
  }
}
