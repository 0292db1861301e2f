// The names of the values of a function while it is elaborated.
//
// Regions     A name is visible while the region that it was defined in is open.
// Poison      What an op with an error defines has a name but no value, and its uses are silent.

/// The names that the ops of a function may use.
struct ValueNames {
  private struct Entry {
    /// Nil where the op that defines it has an error.
    var value: ValueID?
    var location: SourceLocation
    var region: Int
  }

  private var entries: [String: Entry] = [:]
  private var openRegions: [Int] = [0]
  private var regionCount = 1

  /// Whether a region is open in the body of the function.
  var isInRegion: Bool { openRegions.count > 1 }

  /// Opens a region; names that are defined from now on belong to it.
  mutating func openRegion() {
    openRegions.append(regionCount)
    regionCount += 1
  }

  /// Closes the innermost region.
  mutating func closeRegion() { openRegions.removeLast() }

  /// Defines a name; without a value it is poisoned.
  mutating func define(_ name: SyntaxName, _ value: ValueID?) throws(Diagnostic) {
    if let existing = entries[name.text] {
      throw Diagnostic(
        "%\(name.text) is defined twice", at: name.location,
        notes: [.note("%\(name.text) is defined here", at: existing.location)])
    }
    entries[name.text] = Entry(
      value: value, location: name.location, region: openRegions.last!)
  }

  /// Gives a name that was defined without a value one.
  mutating func give(_ name: SyntaxName, _ value: ValueID) { entries[name.text]?.value = value }

  /// Defines those of the names that are not defined yet, without values.
  mutating func poison(_ names: [SyntaxName]) {
    for name in names where entries[name.text] == nil { _ = try? define(name, nil) }
  }

  /// The value of a name; nil where it is poisoned.
  ///
  /// `suggests` tells whether the error of an unknown name may look for a similar one.
  func lookUp(_ name: SyntaxName, suggests: Bool) throws(Diagnostic) -> ValueID? {
    guard let entry = entries[name.text] else {
      let known = suggests ? entries.keys.sorted() : []
      throw Diagnostic(
        "%\(name.text) is not defined" + suggestion(for: name.text, among: known),
        at: name.location)
    }
    guard openRegions.contains(entry.region) else {
      throw Diagnostic(
        "%\(name.text) dies at the end of its region; yield it to use it here",
        at: name.location,
        notes: [.note("%\(name.text) is defined here", at: entry.location)])
    }
    return entry.value
  }

  /// The value of a name and where it was defined; nil where there is no value.
  func definition(of name: String) -> (value: ValueID, location: SourceLocation)? {
    guard let entry = entries[name], let value = entry.value else { return nil }
    return (value, entry.location)
  }
}
