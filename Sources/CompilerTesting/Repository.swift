// Where the files of the repository are, for tests that read or rewrite them.

import Foundation

/// Whether golden text is rewritten instead of compared: `CKC_BLESS=1 swift test`.
package let isBlessing = ProcessInfo.processInfo.environment["CKC_BLESS"] == "1"

/// The absolute path of a file, given from the root of the repository.
package func repositoryPath(_ relative: String) -> String {
  let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  return sources.deletingLastPathComponent().appending(path: relative).path()
}
