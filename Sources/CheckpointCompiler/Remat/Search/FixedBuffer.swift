// Memory of fixed length for the inner loops of the search.
//
// Invariants  Indices are checked in debug builds only: what indexes a buffer is an id or a slot that
//             its owner made.

/// An array of fixed length that its owner alone holds.
struct FixedBuffer<Element: BitwiseCopyable>: ~Copyable {
  private let base: UnsafeMutablePointer<Element>
  /// Number of elements.
  let count: Int

  /// `count` copies of one element.
  init(repeating element: Element, count: Int) {
    base = .allocate(capacity: max(1, count))
    base.initialize(repeating: element, count: count)
    self.count = count
  }

  /// The elements of an array.
  init(_ elements: [Element]) {
    count = elements.count
    base = .allocate(capacity: max(1, elements.count))
    let base = base
    elements.withUnsafeBufferPointer { elements in
      if let first = elements.baseAddress {
        base.initialize(from: first, count: elements.count)
      }
    }
  }

  deinit { base.deallocate() }

  subscript(index: Int) -> Element {
    get {
      assert(index >= 0 && index < count)
      return base[index]
    }
    nonmutating set {
      assert(index >= 0 && index < count)
      base[index] = newValue
    }
  }

  /// Moves `count` elements from one place to another; the ranges may overlap.
  func move(_ count: Int, from source: Int, to target: Int) {
    assert(min(source, target) >= 0 && max(source, target) + count <= self.count)
    (base + target).update(from: base + source, count: count)
  }

  /// Sets all elements.
  func fill(_ element: Element) { base.update(repeating: element, count: count) }

  /// Copies the elements of another buffer to the front of this one.
  func copy(_ other: borrowing FixedBuffer<Element>) { copy(other, count: other.count) }

  /// Copies the first `length` elements of another buffer to the front of this one.
  func copy(_ other: borrowing FixedBuffer<Element>, count length: Int) {
    assert(length <= min(count, other.count))
    base.update(from: other.base, count: length)
  }
}
