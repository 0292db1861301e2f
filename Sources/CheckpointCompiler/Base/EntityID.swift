// Dense, typed 32-bit indices for the entities of a graph.

/// A typed index into a dense table: values, ops and blocks of a function, kernels, buffers.
public protocol EntityID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The position in the table.
  var rawValue: UInt32 { get }
  /// The entity at a position.
  init(rawValue: UInt32)
}

extension EntityID {
  /// The entity at `index`.
  @inlinable public init(_ index: Int) { self.init(rawValue: UInt32(truncatingIfNeeded: index)) }
  /// The position as an `Int`.
  @inlinable public var index: Int { Int(rawValue) }
  /// Orders entities by their position.
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
  /// The type's name and the position, for messages about defects.
  public var description: String { "\(Self.self)#\(rawValue)" }
}
