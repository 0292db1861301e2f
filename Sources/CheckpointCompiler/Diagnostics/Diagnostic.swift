// What went wrong, where, and which rule says so.

/// A byte offset in a source text of a `SourceMap`.
public struct SourceLocation: Hashable, Sendable {
  /// Index of the file in its `SourceMap`; negative when the location is unknown.
  public var file: Int32
  /// Byte offset of the first character.
  public var offset: Int32
  /// Length in bytes of the marked text; at least 1.
  public var length: Int32

  /// A range of a file.
  public init(file: Int32, offset: Int32, length: Int32 = 1) {
    self.file = file
    self.offset = offset
    self.length = length
  }

  /// The absence of a location.
  public static let unknown = SourceLocation(file: -1, offset: 0, length: 0)
}

/// An error, warning or note about the user's input.
///
/// Messages are lower case without a full stop; they state the rule, then the values that break it.
public struct Diagnostic: Error, Sendable, Equatable {
  /// How grave a diagnostic is.
  public enum Severity: String, Sendable {
    /// The input is refused.
    case error
    /// The input is accepted, but probably not what was meant.
    case warning
    /// An addition to the diagnostic before it.
    case note
  }

  /// How grave it is.
  public var severity: Severity
  /// The rule, and what breaks it.
  public var message: String
  /// Where it is.
  public var location: SourceLocation
  /// The constraint of `docs/ops.md` that it names, such as `dot_general_c2`.
  public var constraint: String?
  /// Further places that explain it.
  public var notes: [Diagnostic]

  /// A diagnostic of any severity; an error unless stated otherwise.
  public init(
    _ message: String, at location: SourceLocation = .unknown, constraint: String? = nil,
    severity: Severity = .error, notes: [Diagnostic] = []
  ) {
    self.severity = severity
    self.message = message
    self.location = location
    self.constraint = constraint
    self.notes = notes
  }

  /// A note that points at a related place.
  public static func note(_ message: String, at location: SourceLocation) -> Diagnostic {
    Diagnostic(message, at: location, severity: .note)
  }
}

/// All diagnostics of one stage, in source order.
public struct DiagnosticList: Error, Sendable {
  /// The diagnostics; at least one is an error.
  public var diagnostics: [Diagnostic]
  /// A list of diagnostics.
  public init(_ diagnostics: [Diagnostic]) { self.diagnostics = diagnostics }
}
