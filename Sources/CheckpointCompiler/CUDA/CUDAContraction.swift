// How each part of a contraction runs on a graphics processor, and what its forms share.
//
// Forms       Tiled: blocks compute tiles of the result from tiles of both operands in shared memory.
//             Dots: a block for each element, its threads along the depth. Direct: a thread for each
//             element. Tiles of bf16 and f16 are multiplied by tensor cores. Few tiles of great depth
//             are summed in slices of it (`CUDASlices`).
// Invariants  Shape and dtype alone decide the form. Sums of a slice and direct sums are one chain of
//             fused multiply-adds in the order of the depth, those of tensor cores one of 16 products
//             each, whatever the size of the tile; so an epilogue changes no bit.

/// The form of a part of a contraction.
enum CUDAContractionForm: Hashable, Sendable {
  case tiled
  case dots
  case direct

  /// Tiles of the smallest size, in all slices, from which on they are preferred to dots.
  private static let tilesMin = 32
  /// The depth from which on few results are worth a block each.
  private static let dotsDepthMin = 512

  init(_ part: Contraction.Part) {
    let (rows, columns, depth) = (part.rowCount, part.columnCount, part.depthCount)
    let side = CUDATile.unit * CUDATile.sizes[0]
    func tiles(_ count: Int) -> Int { (count + side - 1) / side }
    let isDeep = depth >= Self.dotsDepthMin
    let count = tiles(rows) * tiles(columns) * part.groupCount * CUDASlices(part).count
    if isDeep, count < Self.tilesMin {
      self = .dots
    } else if min(rows, columns) < 4 || depth < 4 {
      self = .direct
    } else {
      self = .tiled
    }
  }

  /// What it does with a part, for readers.
  func description(_ part: Contraction.Part) -> String {
    let slices = CUDASlices(part)
    guard self == .tiled, slices.count > 1 else { return "\(self)" }
    return "tiled, \(slices.count) slices of the depth, \(slices.depth) each"
  }
}

/// Prints the kernel of a contraction.
struct CUDAContraction {
  let contraction: Contraction
  let buffers: [KernelBuffer]
  let gpu: GPU
  /// The support functions that were used.
  private(set) var uses: Set<String> = []

  init(_ contraction: Contraction, buffers: [KernelBuffer], gpu: GPU) {
    self.contraction = contraction
    self.buffers = buffers
    self.gpu = gpu
  }

  /// The functions of the contraction, named after `symbol`.
  mutating func print(_ symbol: String) -> CUDAKernel {
    var kernel = CUDAKernel()
    let parameters = buffers.enumerated().map { CUDAParameter($1, $0) }
    for (number, part) in contraction.parts.enumerated() {
      var writer = CUDAPart(part, contraction, buffers: buffers)
      let name = contraction.parts.count == 1 ? symbol : "\(symbol)_\(number)"
      let body: [String]
      let (blocks, threads): (Int, Int)
      var resident = 1
      let form = CUDAContractionForm(part)
      let isInSlices = form == .tiled && writer.slices.count > 1
      switch form {
      case .tiled:
        let tile = CUDATile(part, contraction.dtypes, gpu)
        body = tile.isOnTensorCores ? writer.onTensorCores(tile) : writer.tiled(tile)
        (blocks, threads) = (tile.blocks, CUDATile.threads)
        // The largest tiles may take so many registers that no other block has room, which would
        // multiply while one waits at its barrier.
        if !tile.isOnTensorCores, tile.rows * tile.columns == 64 { resident = 2 }
      case .dots:
        (body, threads) = (writer.dots(), CUDAPart.dotThreads)
        blocks = writer.resultCount
      case .direct:
        (body, threads) = (writer.direct(), CUDAPart.directThreads)
        blocks = writer.directBlocks
      }
      let parameters = parameters + (isInSlices ? [.scratch] : [])
      kernel.add(
        name, blocks: blocks, threads: threads, resident: resident, parameters: parameters,
        body: body)
      if isInSlices {
        kernel.add(
          "\(name)_sum", blocks: writer.directBlocks, threads: CUDAPart.directThreads,
          parameters: parameters, body: writer.addSlices())
      }
      uses.formUnion(writer.uses)
    }
    return kernel
  }
}

/// Writes the function of one part.
struct CUDAPart: PlaceText {
  typealias Loop = Contraction.Loop

  /// Threads of a block.
  static let dotThreads = 128
  static let directThreads = 128

  let part: Contraction.Part
  let dtypes: Contraction.DTypes
  /// The slices of the depth of a part in tiles.
  let slices: CUDASlices
  /// The type of places and of indices.
  let index: String
  private let epilogue: Epilogue?
  private let buffers: [KernelBuffer]
  /// The support functions that were used.
  private(set) var uses: Set<String> = []

  init(_ part: Contraction.Part, _ contraction: Contraction, buffers: [KernelBuffer]) {
    self.part = part
    self.buffers = buffers
    slices = CUDASlices(part)
    dtypes = contraction.dtypes
    epilogue = contraction.epilogue
    index = part.mostPlace <= CUDAIndexWidth.intMost ? "int" : "ptrdiff_t"
  }

  /// The type that products are added in.
  var sumType: String { dtypes.sum.cSum }

  /// The elements of the result.
  var resultCount: Int { part.groupCount * part.rowCount * part.columnCount }

  /// What gives the element of an operand at a place, as a number that sums are computed in.
  mutating func loader(_ operand: Contraction.Operand) -> (_ place: String) -> String {
    let (buffer, sumType, dtype) = (operand == .first ? "b0" : "b1", sumType, dtypes.of(operand))
    _ = cLoad(dtype, buffer, uses: &uses)
    return { place in
      var known: Set<String> = []
      let number = cLoad(dtype, "\(buffer)[\(place)]", uses: &known)
      return dtype.cSum == sumType && dtype.isFloatingPoint ? number : "(\(sumType))\(number)"
    }
  }

  /// A sum with a product added.
  func product(_ a: String, _ b: String, plus sum: String) -> String {
    switch sumType {
    case "float": "fmaf(\(a), \(b), \(sum))"
    case "double": "fma(\(a), \(b), \(sum))"
    default: "\(sum) + \(a) * \(b)"
    }
  }

  /// Lines that take a flat index apart into `prefix0`, `prefix1`, …, where `lines` use them.
  func decoded(
    _ flat: String, _ loops: [Loop], _ prefix: String, indent: String, for lines: [String]
  ) -> [String] {
    unraveled(
      flat, loops.enumerated().map { ("\(prefix)\($0)", $1.extent) }, type: index,
      used: identifiers(in: lines), indent: indent)
  }

  /// The condition that a position along an axis is inside the tensor and not in a gap.
  func hits(_ position: String, _ axis: Contraction.Axis) -> String {
    let inside = "\(position) >= 0 && \(position) < \(axis.extent * axis.dilation)"
    return axis.dilation == 1 ? inside : "\(inside) && \(position) % \(axis.dilation) == 0"
  }

  /// The offset in the first operand of a position along an axis, as a term.
  func offset(_ position: String, _ axis: Contraction.Axis) -> String {
    axis.dilation == 1
      ? term(position, axis.stride) : term("(\(position) / \(axis.dilation))", axis.stride)
  }

  /// Where the results begin, and the places of the epilogue.
  var resultBases: [Int] { [part.outBase] + part.extraBases }

  /// How far an iteration of a loop moves a place of the results.
  func resultStride(_ loop: Loop, _ place: Int) -> Int {
    place == 0 ? loop.out : place <= loop.extras.count ? loop.extras[place - 1] : 0
  }

  /// Lines that store a sum.
  ///
  /// - Parameters:
  ///   - sum: The sum, as C.
  ///   - depth: How deep the lines stand.
  ///   - places: The place of the element in the result, then those of the epilogue.
  /// - Returns: The lines.
  mutating func finish(_ sum: String, depth: Int, places: (Int) -> String) -> [String] {
    let indent = String(repeating: "  ", count: depth)
    guard let epilogue else {
      let dtype = dtypes.result
      let value = dtype.isFloatingPoint ? sum : "(\(cStorageType(dtype)))\(sum)"
      return ["\(indent)b2[\(places(0))] = \(cStore(dtype, value, uses: &uses));"]
    }
    var printer = CStatements(buffers: buffers)
    let body = printer.lines(of: withoutUnusedDefinitions(epilogue.statements), depth: depth)
    uses.formUnion(printer.uses)
    let used = identifiers(in: body)
    var lines: [String] = []
    for place in 0...epilogue.places.count where used.contains("i\(place)") {
      lines.append("\(indent)const \(index) i\(place) = \(places(place));")
    }
    if used.contains("v\(Epilogue.sum)") {
      let rounded = cRounded(dtypes.result, sum, uses: &uses)
      lines.append(
        "\(indent)const \(cComputeType(dtypes.result)) v\(Epilogue.sum) = \(rounded);")
    }
    return lines + body
  }
}

extension Contraction.Part {
  /// A bound of the places in all tensors.
  var mostPlace: Int {
    let all = groups + rows + columns + depth
    func bound(_ base: Int, _ stride: (Contraction.Loop) -> Int) -> Int {
      all.reduce(abs(base)) { $0 + abs(stride($1)) * max(0, $1.extent - 1) }
    }
    var most = bound(secondBase) { $0.second }
    most = max(most, bound(outBase) { $0.out })
    let first = bound(firstBase) { $0.first }
    most = max(most, axes.reduce(first) { $0 + abs($1.stride) * $1.extent })
    for (place, base) in extraBases.enumerated() {
      most = max(most, bound(base) { place < $0.extras.count ? $0.extras[place] : 0 })
    }
    return max(most, [groupCount, rowCount, columnCount].reduce(1, *), depthCount)
  }
}
