// "Did you mean": the closest of a list of words.

/// Finds the word that was probably meant.
enum Suggestion {
  /// The number of insertions, deletions, replacements and swaps of neighbours between two words.
  ///
  /// - Complexity: O(*m*·*n*), optimal string alignment.
  static func distance(_ first: String, _ second: String) -> Int {
    let (a, b) = (
      Array(first.lowercased().unicodeScalars), Array(second.lowercased().unicodeScalars)
    )
    var rows = [Array(0...b.count)]
    for i in 1..<max(1, a.count + 1) {
      var row = [i]
      for j in 1..<max(1, b.count + 1) {
        let replaced = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
        var best = min(replaced, rows[i - 1][j] + 1, row[j - 1] + 1)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          best = min(best, rows[i - 2][j - 2] + 1)
        }
        row.append(best)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }

  /// The closest of `words`, if it is close enough to be meant; of equally close ones the first that
  /// starts like `word`, or the first.
  static func closest(to word: String, in words: [String]) -> String? {
    // Nobody types a word this long by mistake, and the table is quadratic.
    guard !word.isEmpty, word.utf8.count <= 64 else { return nil }
    let ranked = words.map { ($0, distance(word, $0), $0.first == word.first ? 0 : 1) }
      .min { ($0.1, $0.2) < ($1.1, $1.2) }
    if let (match, distance, _) = ranked, distance <= max(1, min(word.count, match.count) / 3) {
      return match
    }
    let extended = words.filter { $0.hasPrefix(word) }
    return extended.count == 1 && word.count >= 2 ? extended[0] : nil
  }

  /// `; did you mean 'x'?`, or nothing where no word is close.
  static func clause(for word: String, in words: [String], prefix: String = "") -> String {
    closest(to: word, in: words).map { "; did you mean '\(prefix)\($0)'?" } ?? ""
  }
}
