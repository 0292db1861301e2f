// What a user decides about the schedules of contractions, in place of the cost model.
//
// Problem     An experiment wants one number of a schedule to be another. Whether a contraction is
//             recomputed, fused or alone, its sums must keep the same bits.
// Method      A rule is about all contractions of one size and of the same dtypes, in whatever kernels
//             they are. It is part of the target, so that plans, scratch and code see the same schedule.
//             What it leaves out is chosen as before, for the least estimated time under the rule.
// Invariants  Rules are checked on contractions as they are before any kernel is made, and hold for all
//             of their size or for none.

/// The size of a contraction, or of one of its parts: what a rule is about.
public struct ContractionSize: Hashable, Sendable {
  /// Rows of the product of matrices that it is.
  public var rows: Int
  /// Columns of the product.
  public var columns: Int
  /// What is summed over.
  public var depth: Int
  /// How many such products there are.
  public var groups: Int
  /// The dtype of the first factor.
  public var first: DType
  /// The dtype of the second factor.
  public var second: DType

  /// A size.
  public init(
    rows: Int, columns: Int, depth: Int, groups: Int = 1, first: DType, second: DType
  ) {
    self.rows = rows
    self.columns = columns
    self.depth = depth
    self.groups = groups
    self.first = first
    self.second = second
  }
}

/// What is decided about the contractions of one size; nil where the cost model chooses.
public struct ScheduleRule: Hashable, Sendable {
  /// How products are computed where there is a choice.
  public enum Form: String, CaseIterable, Sendable {
    /// By minimal filtering, or in packed panels.
    case winograd, packed
  }

  /// The side whose panels are packed for a whole block.
  public enum Side: String, CaseIterable, Sendable { case rows, columns }

  /// What threads share out.
  public enum Tasks: String, CaseIterable, Sendable {
    /// The panels of a block: all pack the other side's for it, and wait for each other.
    case panels
    /// The blocks of rows and columns: each thread packs all that its own need, and waits for nobody.
    case blocks
    /// The products, where there are several.
    case groups
  }

  /// What can be decided, as texts name it.
  public enum Key: String, CaseIterable, Sendable {
    case form, slices, depth, shared, rows, columns, threads, tasks, chunks
  }

  /// The form.
  public var form: Form?
  /// Into how many slices the depth is cut that are summed apart.
  public var slices: Int?
  /// The depth of a block. With `slices` and `form` it decides in which order sums are added up.
  public var depth: Int?
  /// The side whose panels are shared.
  public var shared: Side?
  /// The rows of a block.
  public var rows: Int?
  /// The columns of a block.
  public var columns: Int?
  /// Threads that take part.
  public var threads: Int?
  /// What threads share out.
  public var tasks: Tasks?
  /// Tasks of a panel, or of a slice.
  public var chunks: Int?
  /// Where it stands in its text, and where each value does.
  var location = SourceLocation.unknown
  var locations: [Key: SourceLocation] = [:]

  /// A rule that leaves everything to the cost model.
  public init() {}

  /// Where the value of a key stands.
  func location(of key: Key) -> SourceLocation { locations[key] ?? location }

  /// The number or word of a key, as text.
  func text(_ key: Key) -> String? {
    switch key {
    case .form: form?.rawValue
    case .shared: shared?.rawValue
    case .slices: slices.map { "\($0)" }
    case .depth: depth.map { "\($0)" }
    case .rows: rows.map { "\($0)" }
    case .columns: columns.map { "\($0)" }
    case .threads: threads.map { "\($0)" }
    case .tasks: tasks?.rawValue
    case .chunks: chunks.map { "\($0)" }
    }
  }
}

/// Rules by size.
public struct ScheduleRules: Hashable, Sendable {
  /// The rules.
  public var rules: [ContractionSize: ScheduleRule] = [:]

  /// No rules.
  public init() {}

  /// Whether there is none.
  public var isEmpty: Bool { rules.isEmpty }

  /// The rule about a size.
  subscript(size: ContractionSize) -> ScheduleRule? { rules.isEmpty ? nil : rules[size] }
}

extension Contraction.Part {
  /// What rules call it.
  func size(_ dtypes: Contraction.DTypes) -> ContractionSize {
    ContractionSize(
      rows: rowCount, columns: columnCount, depth: depthCount, groups: groupCount,
      first: dtypes.first, second: dtypes.second)
  }
}

extension Contraction {
  /// It without a form that a rule forbids.
  func scheduled(_ target: Target) -> Contraction {
    var contraction = self
    contraction.winograd = winograd(target)
    return contraction
  }
}
