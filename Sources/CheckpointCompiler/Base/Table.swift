// A dense array indexed by a typed entity.

/// One element for every entity of a kind, in the order of the entities.
public struct Table<ID: EntityID, Element> {
  /// The elements in order.
  public var elements: [Element]

  /// An empty table.
  @inlinable public init() { elements = [] }
  /// A table of `count` equal elements.
  @inlinable public init(repeating element: Element, count: Int) {
    elements = Array(repeating: element, count: count)
  }
  /// A table of the given elements.
  @inlinable public init(_ elements: [Element]) { self.elements = elements }

  /// The number of elements.
  @inlinable public var count: Int { elements.count }
  /// The element of `id`.
  @inlinable public subscript(id: ID) -> Element {
    get { elements[Int(id.rawValue)] }
    _modify { yield &elements[Int(id.rawValue)] }
  }
  /// All entities, in order.
  @inlinable public var ids: LazyMapSequence<Range<Int>, ID> {
    elements.indices.lazy.map { ID(rawValue: UInt32(truncatingIfNeeded: $0)) }
  }
  /// Appends an element and returns its entity.
  @inlinable @discardableResult public mutating func append(_ element: Element) -> ID {
    elements.append(element)
    return ID(rawValue: UInt32(truncatingIfNeeded: elements.count - 1))
  }
}

extension Table: Sendable where Element: Sendable {}
extension Table: Equatable where Element: Equatable {}
