// What an op knows at compile time, besides its operands.

/// The elements of a constant: one for all, or all of them.
public enum ConstantData: Hashable, Sendable {
  /// The little-endian bytes of one element, repeated over the whole shape.
  case splat([UInt8])
  /// The little-endian bytes of every element, row-major.
  case dense([UInt8])
}

/// The value of an attribute.
public enum Attribute: Hashable, Sendable {
  /// An integer.
  case int(Int)
  /// A number.
  case number(Double)
  /// A list of integers, one per dimension or the like.
  case ints([Int])
  /// A word of a closed set, such as a comparison direction.
  case symbol(String)
  /// The name of a function.
  case function(String)
  /// The names of functions, in an order that means something.
  case functions([String])
  /// The elements of a constant.
  case constant(ConstantData)
  /// Free text, such as the label of a region.
  case string(String)
}

/// The names of attributes, in the order in which they are printed.
public enum AttributeName: String, CaseIterable, Sendable {
  case callee, value, label
  case function, condition, body, branches, comparator, select, scatter
  case direction, kind, dims, dim
  case order
  case exponentBits = "exponent_bits"
  case mantissaBits = "mantissa_bits"
  case start, limit, strides, low, high, interior
  case lhsBatch = "lhs_batch"
  case rhsBatch = "rhs_batch"
  case lhsContract = "lhs_contract"
  case rhsContract = "rhs_contract"
  case dimNumbers = "dim_numbers"
  case window
  case lhsDilation = "lhs_dilation"
  case rhsDilation = "rhs_dilation"
  case windowReversal = "window_reversal"
  case featureGroups = "feature_groups"
  case batchGroups = "batch_groups"
  case baseDilation = "base_dilation"
  case windowDilation = "window_dilation"
  case offsetDims = "offset_dims"
  case collapsedSliceDims = "collapsed_slice_dims"
  case startIndexMap = "start_index_map"
  case indexVectorDim = "index_vector_dim"
  case sliceSizes = "slice_sizes"
  case operandBatchDims = "operand_batch_dims"
  case indicesBatchDims = "indices_batch_dims"
  case updateWindowDims = "update_window_dims"
  case insertedWindowDims = "inserted_window_dims"
  case scatterDims = "scatter_dims"
  case qDims = "q_dims"
  case kDims = "k_dims"
  case vDims = "v_dims"
  case yDims = "y_dims"
  case qkvDim = "qkv_dim"
  case scale
  case causalOffset = "causal_offset"
  case mask
  case maskDims = "mask_dims"
  case fill, rate
  case keepScale = "keep_scale"
  case distribution, stream

  /// The place in the printed order.
  var printedPlace: Int { AttributeName.allCases.firstIndex(of: self)! }
}

/// The attributes of one op, in printed order; few, so that a scan beats hashing.
public struct Attributes: Hashable, Sendable, ExpressibleByDictionaryLiteral {
  /// The pairs in the order of `AttributeName`.
  public private(set) var entries: [Entry] = []

  /// A name and its value.
  public struct Entry: Hashable, Sendable {
    /// The name.
    public var name: AttributeName
    /// The value.
    public var value: Attribute
  }

  /// No attributes.
  public init() {}

  /// The given attributes.
  public init(dictionaryLiteral elements: (AttributeName, Attribute)...) {
    for (name, value) in elements { self[name] = value }
  }

  /// The value of an attribute; nil where it is absent.
  public subscript(name: AttributeName) -> Attribute? {
    get { entries.first { $0.name == name }?.value }
    set {
      entries.removeAll { $0.name == name }
      guard let newValue else { return }
      let position =
        entries.firstIndex { $0.name.printedPlace > name.printedPlace } ?? entries.count
      entries.insert(Entry(name: name, value: newValue), at: position)
    }
  }

  /// Whether there are none.
  public var isEmpty: Bool { entries.isEmpty }

  /// The integer of that name.
  public func int(_ name: AttributeName) -> Int? {
    if case .int(let value)? = self[name] { value } else { nil }
  }
  /// The number of that name.
  public func number(_ name: AttributeName) -> Double? {
    if case .number(let value)? = self[name] { value } else { nil }
  }
  /// The list of integers of that name.
  public func ints(_ name: AttributeName) -> [Int]? {
    if case .ints(let value)? = self[name] { value } else { nil }
  }
  /// The list of that name, or `count` times `fill` where it is absent.
  public func ints(_ name: AttributeName, count: Int, fill: Int) -> [Int] {
    ints(name) ?? Array(repeating: fill, count: count)
  }
  /// The symbol of that name.
  public func symbol(_ name: AttributeName) -> String? {
    if case .symbol(let value)? = self[name] { value } else { nil }
  }
  /// The function of that name.
  public func function(_ name: AttributeName) -> String? {
    if case .function(let value)? = self[name] { value } else { nil }
  }
  /// The list of functions of that name.
  public func functions(_ name: AttributeName) -> [String]? {
    if case .functions(let value)? = self[name] { value } else { nil }
  }
  /// The names of all functions, in printed order: what is called and what is only named.
  public var functionNames: [String] {
    entries.flatMap { entry in
      switch entry.value {
      case .function(let name): [name]
      case .functions(let names): names
      case .int, .number, .ints, .symbol, .constant, .string: [String]()
      }
    }
  }
  /// The elements of a constant.
  public var constant: ConstantData? {
    if case .constant(let data)? = self[.value] { data } else { nil }
  }
}
