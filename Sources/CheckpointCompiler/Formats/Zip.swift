// ZIP archives of stored (uncompressed) entries, the container of `.npz`.
//
// Problem     `.npz` files are ZIP archives, written by NumPy with 64-bit extra fields even when they
//             are small. Damaged and hostile archives must be refused, not followed.
// Method      The central directory at the end is the truth; each local header is checked against it.
// Invariants  Entries do not overlap; names are unique; every CRC-32 is verified. Archives are
//             written without dates, so that equal contents are equal bytes.
// Cost        O(bytes + entries log entries).
// Source      PKWARE, APPNOTE.TXT 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

/// Reads and writes ZIP archives of stored entries.
enum Zip {
  /// One entry of an archive.
  struct Entry {
    var name: String
    var bytes: [UInt8]
  }

  /// The entries in the order of the central directory.
  static func decode(_ bytes: [UInt8], name: String) throws(Diagnostic) -> [Entry] {
    let directory = try locateDirectory(bytes, name: name)
    var reader = ByteReader(bytes, name: name, at: directory.offset)
    var entries: [Entry] = []
    var names: Set<String> = []
    var extents: [(start: Int, end: Int, name: String)] = []
    for _ in 0..<directory.count {
      let record = try readRecord(&reader)
      guard names.insert(record.name).inserted else {
        throw Diagnostic("\(name): the archive has two entries named '\(record.name)'")
      }
      let range = try dataRange(of: record, in: bytes, name: name)
      extents.append((record.headerOffset, range.upperBound, record.name))
      let data = Array(bytes[range])
      guard crc32(data) == record.crc else {
        throw Diagnostic("\(name): entry '\(record.name)' is damaged: its CRC-32 does not match")
      }
      entries.append(Entry(name: record.name, bytes: data))
    }
    guard reader.offset <= directory.end else {
      throw Diagnostic("\(name): the ZIP directory runs into the record after it")
    }
    extents.sort { ($0.start, $0.end) < ($1.start, $1.end) }
    for (first, second) in zip(extents, extents.dropFirst()) where second.start < first.end {
      throw Diagnostic("\(name): entries '\(first.name)' and '\(second.name)' overlap")
    }
    if let last = extents.last, last.end > directory.offset {
      throw Diagnostic("\(name): entry '\(last.name)' overlaps the ZIP directory")
    }
    return entries
  }

  private struct Record {
    var name: String
    var crc: UInt32
    var size: Int
    var headerOffset: Int
  }

  /// Finds the central directory from the end-of-directory record at the end of the file.
  private static func locateDirectory(
    _ bytes: [UInt8], name: String
  ) throws(Diagnostic) -> (offset: Int, count: Int, end: Int) {
    let signature: [UInt8] = [0x50, 0x4B, 5, 6]
    var end = bytes.count - 22
    let lowest = max(0, bytes.count - 22 - 65535)
    while end >= lowest, !bytes[end...].starts(with: signature) { end -= 1 }
    guard end >= lowest, end >= 0 else {
      throw Diagnostic(
        "\(name): not a ZIP archive, or truncated: it has no end-of-directory record")
    }
    var reader = ByteReader(bytes, name: name, at: end + 4)
    let disks = [try reader.uint16("the disk number"), try reader.uint16("the disk number")]
    guard disks.allSatisfy({ $0 == 0 || $0 == 0xFFFF }) else {
      throw Diagnostic("\(name): the archive is split over several files")
    }
    _ = try reader.uint16("the entry count")
    var count = try reader.uint16("the entry count")
    var size = try reader.uint32("the directory size")
    var offset = try reader.uint32("the directory offset")
    var stop = end
    if count == 0xFFFF || size == 0xFFFF_FFFF || offset == 0xFFFF_FFFF {
      let locator = end - 20
      guard locator >= 0, bytes[locator...].starts(with: [0x50, 0x4B, 6, 7]) else {
        throw Diagnostic("\(name): the archive's 64-bit directory record is missing")
      }
      var fields = ByteReader(bytes, name: name, at: locator + 8)
      stop = try fields.uint64("the offset of the 64-bit directory record")
      guard stop < locator, bytes[stop...].starts(with: [0x50, 0x4B, 6, 6]) else {
        throw Diagnostic("\(name): the archive's 64-bit directory record is missing")
      }
      fields = ByteReader(bytes, name: name, at: stop + 32)
      count = try fields.uint64("the entry count")
      size = try fields.uint64("the directory size")
      offset = try fields.uint64("the directory offset")
    }
    guard offset <= stop, size <= stop - offset else {
      throw Diagnostic("\(name): the ZIP directory lies outside the file")
    }
    // A record takes 46 bytes at least; this bounds the loop over a hostile count.
    guard count <= size / 46 else {
      throw Diagnostic("\(name): the ZIP directory is too small for \(count) entries")
    }
    return (offset, count, stop)
  }

  private static func readRecord(_ reader: inout ByteReader) throws(Diagnostic) -> Record {
    let name = reader.name
    guard try reader.take(4, "a directory record").elementsEqual([0x50, 0x4B, 1, 2]) else {
      throw Diagnostic("\(name): a record of the ZIP directory has a wrong signature")
    }
    _ = try reader.take(4, "versions")
    let flags = try reader.uint16("flags")
    let method = try reader.uint16("the compression method")
    _ = try reader.take(4, "the date")
    let crc = UInt32(truncatingIfNeeded: try reader.uint32("the CRC-32"))
    var packed = try reader.uint32("the stored size")
    var size = try reader.uint32("the size")
    let nameLength = try reader.uint16("the name length")
    let extraLength = try reader.uint16("the extra length")
    let commentLength = try reader.uint16("the comment length")
    _ = try reader.take(8, "attributes")
    var headerOffset = try reader.uint32("the entry offset")
    let nameBytes = try reader.take(nameLength, "the entry name")
    guard let entry = String(validating: nameBytes, as: UTF8.self) else {
      throw Diagnostic("\(name): the name of an entry is not UTF-8")
    }
    var extra = ByteReader(
      Array(try reader.take(extraLength, "extra fields")), name: "\(name): entry '\(entry)'")
    _ = try reader.take(commentLength, "the comment")
    // The 64-bit extra field holds exactly those of the three numbers that did not fit.
    while extra.offset + 4 <= extra.bytes.count {
      let tag = try extra.uint16("an extra field")
      let length = try extra.uint16("an extra field")
      var field = ByteReader(Array(try extra.take(length, "an extra field")), name: extra.name)
      guard tag == 1 else { continue }
      if size == 0xFFFF_FFFF { size = try field.uint64("the 64-bit size") }
      if packed == 0xFFFF_FFFF { packed = try field.uint64("the 64-bit stored size") }
      if headerOffset == 0xFFFF_FFFF { headerOffset = try field.uint64("the 64-bit offset") }
    }
    guard flags & 1 == 0 else { throw Diagnostic("\(name): entry '\(entry)' is encrypted") }
    guard method == 0 else {
      throw Diagnostic(
        "\(name): entry '\(entry)' is compressed (method \(method)); "
          + "write the archive with np.savez, not np.savez_compressed")
    }
    guard packed == size else {
      throw Diagnostic(
        "\(name): entry '\(entry)' is stored, but has sizes \(packed) and \(size)")
    }
    return Record(name: entry, crc: crc, size: size, headerOffset: headerOffset)
  }

  private static func dataRange(
    of record: Record, in bytes: [UInt8], name: String
  ) throws(Diagnostic) -> Range<Int> {
    var reader = ByteReader(bytes, name: name, at: record.headerOffset)
    let what = "the header of entry '\(record.name)'"
    guard try reader.take(4, what).elementsEqual([0x50, 0x4B, 3, 4]) else {
      throw Diagnostic("\(name): \(what) has a wrong signature")
    }
    _ = try reader.take(22, what)
    let nameLength = try reader.uint16(what)
    let extraLength = try reader.uint16(what)
    guard try reader.take(nameLength, what).elementsEqual(record.name.utf8) else {
      throw Diagnostic("\(name): \(what) has another name than the ZIP directory")
    }
    _ = try reader.take(extraLength, what)
    let start = reader.offset
    _ = try reader.take(record.size, "entry '\(record.name)'")
    return start..<reader.offset
  }

  /// The archive of the entries, in their order.
  ///
  /// - Throws: An error where an entry or the archive reaches 4 GiB, which needs the 64-bit format.
  static func encode(_ entries: [Entry], name: String) throws(Diagnostic) -> [UInt8] {
    var out: [UInt8] = []
    var directory: [UInt8] = []
    out.reserveCapacity(entries.reduce(22) { $0 + $1.bytes.count + 2 * $1.name.utf8.count + 76 })
    for entry in entries {
      let offset = out.count
      guard entry.bytes.count < 0xFFFF_FFFF, offset < 0xFFFF_FFFF, entry.name.utf8.count < 65536
      else {
        throw Diagnostic("\(name): a .npz of 4 GiB or more is not supported; write safetensors")
      }
      var fields: [UInt8] = []
      // Version 2.0, names in UTF-8, stored, 1980-01-01.
      for value in [20, 0x800, 0, 0, 0x21] { fields.appendLittleEndian(value, byteCount: 2) }
      fields.appendLittleEndian(Int(crc32(entry.bytes)), byteCount: 4)
      fields.appendLittleEndian(entry.bytes.count, byteCount: 4)
      fields.appendLittleEndian(entry.bytes.count, byteCount: 4)
      fields.appendLittleEndian(entry.name.utf8.count, byteCount: 2)
      fields.appendLittleEndian(0, byteCount: 2)
      out += [0x50, 0x4B, 3, 4] + fields
      out += Array(entry.name.utf8)
      out += entry.bytes
      directory += [0x50, 0x4B, 1, 2, 20, 0] + fields
      for byteCount in [2, 2, 2, 4] { directory.appendLittleEndian(0, byteCount: byteCount) }
      directory.appendLittleEndian(offset, byteCount: 4)
      directory += Array(entry.name.utf8)
    }
    guard entries.count < 0xFFFF, out.count < 0xFFFF_FFFF else {
      throw Diagnostic("\(name): a .npz of 4 GiB or more is not supported; write safetensors")
    }
    let offset = out.count
    out += directory
    out += [0x50, 0x4B, 5, 6, 0, 0, 0, 0]
    out.appendLittleEndian(entries.count, byteCount: 2)
    out.appendLittleEndian(entries.count, byteCount: 2)
    out.appendLittleEndian(directory.count, byteCount: 4)
    out.appendLittleEndian(offset, byteCount: 4)
    out.appendLittleEndian(0, byteCount: 2)
    return out
  }

  /// Eight tables, so that eight bytes are folded in per step.
  private static let crcTables: [[UInt32]] = {
    var tables = [[UInt32]](repeating: [UInt32](repeating: 0, count: 256), count: 8)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
      tables[0][byte] = value
    }
    for table in 1..<8 {
      for byte in 0..<256 {
        let previous = tables[table - 1][byte]
        tables[table][byte] = previous >> 8 ^ tables[0][Int(previous & 255)]
      }
    }
    return tables
  }()

  /// The CRC-32 of ZIP (polynomial 0x04C11DB7, reflected).
  static func crc32(_ bytes: [UInt8]) -> UInt32 {
    let tables = crcTables
    var crc: UInt32 = 0xFFFF_FFFF
    bytes.withUnsafeBufferPointer { buffer in
      var index = 0
      while index + 8 <= buffer.count {
        let low = crc ^ word(buffer, index)
        let high = word(buffer, index + 4)
        crc = tables[7][Int(low & 255)] ^ tables[6][Int(low >> 8 & 255)]
        crc ^= tables[5][Int(low >> 16 & 255)] ^ tables[4][Int(low >> 24)]
        crc ^= tables[3][Int(high & 255)] ^ tables[2][Int(high >> 8 & 255)]
        crc ^= tables[1][Int(high >> 16 & 255)] ^ tables[0][Int(high >> 24)]
        index += 8
      }
      while index < buffer.count {
        crc = crc >> 8 ^ tables[0][Int((crc ^ UInt32(buffer[index])) & 255)]
        index += 1
      }
    }
    return ~crc
  }

  private static func word(_ buffer: UnsafeBufferPointer<UInt8>, _ index: Int) -> UInt32 {
    UInt32(buffer[index]) | UInt32(buffer[index + 1]) << 8 | UInt32(buffer[index + 2]) << 16
      | UInt32(buffer[index + 3]) << 24
  }
}

/// Reads and writes NumPy's `.npz`: named arrays in an uncompressed ZIP archive.
public enum Npz {
  /// The arrays in the order of the archive, names without their `.npy`.
  ///
  /// - Throws: An error that names the file, the entry and the rule it breaks.
  public static func decode(_ bytes: [UInt8], name: String) throws(Diagnostic) -> [NamedTensor] {
    var tensors: [NamedTensor] = []
    for entry in try Zip.decode(bytes, name: name) {
      guard entry.name.hasSuffix(".npy") else {
        throw Diagnostic("\(name): entry '\(entry.name)' is not a .npy file")
      }
      let tensor = try Npy.decode(entry.bytes, name: "\(name): entry '\(entry.name)'")
      tensors.append(NamedTensor(name: String(entry.name.dropLast(4)), tensor: tensor))
    }
    return tensors
  }

  /// The archive of the tensors, in their order.
  ///
  /// - Throws: An error where a name is used twice or the archive reaches 4 GiB.
  public static func encode(_ tensors: [NamedTensor], name: String) throws(Diagnostic) -> [UInt8] {
    var names: Set<String> = []
    for tensor in tensors where !names.insert(tensor.name).inserted {
      throw Diagnostic("\(name): two tensors are named '\(tensor.name)'")
    }
    return try Zip.encode(
      tensors.map { Zip.Entry(name: $0.name + ".npy", bytes: Npy.encode($0.tensor)) }, name: name)
  }
}
