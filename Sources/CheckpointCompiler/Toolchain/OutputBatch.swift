// Files that are written all or not at all.
//
// Problem     A build that fails, a full disk or Ctrl-C must not leave half a file, nor half of the
//             files that belong together.
// Method      Every file is written under a temporary name in its own directory; when all are
//             complete, each is renamed to its name, which replaces an older file in one step.
// Invariants  Before `commit` returns or throws, no temporary file is left; a reader sees the old
//             content or the new one. Directories that were created for a failed batch go again. A
//             symbolic link stays, and the file that it names is replaced; a file keeps its mode.

import Foundation

/// Files that are written together: all of them, or none.
public struct OutputBatch: Sendable {
  /// One file to be written.
  struct File: Sendable {
    var path: String
    var bytes: [UInt8]
    var isExecutable: Bool
  }

  private var files: [File] = []

  /// No files.
  public init() {}

  /// The paths that will be written, in the order in which they were added.
  public var paths: [String] { files.map(\.path) }

  /// Adds a file; nothing is written yet.
  public mutating func add(_ bytes: [UInt8], to path: String, isExecutable: Bool = false) {
    files.append(File(path: path, bytes: bytes, isExecutable: isExecutable))
  }

  /// Adds a text file; nothing is written yet.
  public mutating func add(_ text: String, to path: String) {
    add(Array(text.utf8), to: path)
  }

  /// Writes all files, creating the directories they need.
  ///
  /// Every file is written beside its place before the first takes it: what fails while they are written
  /// leaves everything as it was. Each then takes its place at once, one after the other; where one of
  /// these renames fails, or a device or a pipe, which come last, the files before it stay replaced.
  ///
  /// - Throws: An error with the path that failed.
  public func commit() throws(FileError) {
    var createdDirectories: [String] = []
    var temporaries: [(path: String, destination: String)] = []
    do throws(FileError) {
      for file in files where try !OutputBatch.isStream(file.path) {
        let destination = try OutputBatch.destination(of: file.path)
        try OutputBatch.createDirectory(
          OutputBatch.directory(of: destination), created: &createdDirectories)
        temporaries.append((try OutputBatch.writeTemporary(file, for: destination), destination))
      }
      for temporary in temporaries where rename(temporary.path, temporary.destination) != 0 {
        throw FileError.fromErrno("cannot write", path: temporary.destination)
      }
      for file in files where try OutputBatch.isStream(file.path) {
        try OutputBatch.writeStream(file)
      }
    } catch {
      // A temporary file that was renamed already no longer exists under this name.
      for temporary in temporaries { unlink(temporary.path) }
      for directory in createdDirectories.reversed() { rmdir(directory) }
      throw error
    }
  }

  /// Whether a path is a device or a pipe, which is written to rather than replaced.
  ///
  /// - Throws: An error where the path is a directory.
  private static func isStream(_ path: String) throws(FileError) -> Bool {
    var status = stat()
    guard stat(path, &status) == 0 else { return false }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: throw FileError("cannot write", path: path, reason: "is a directory")
    case S_IFREG: return false
    default: return true
    }
  }

  private static func writeStream(_ file: File) throws(FileError) {
    let descriptor = open(file.path, O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .fromErrno("cannot write", path: file.path) }
    defer { close(descriptor) }
    try write(file, to: descriptor)
  }

  /// Tries whether all files can be written, and leaves everything as it was.
  ///
  /// - Throws: An error with the path that cannot be written.
  public func checkWritable() throws(FileError) {
    var createdDirectories: [String] = []
    defer { for directory in createdDirectories.reversed() { rmdir(directory) } }
    for file in files where try !OutputBatch.isStream(file.path) {
      let destination = try OutputBatch.destination(of: file.path)
      try OutputBatch.createDirectory(
        OutputBatch.directory(of: destination), created: &createdDirectories)
      unlink(try OutputBatch.writeTemporary(file, for: destination))
    }
  }

  /// The file that a path names, behind symbolic links.
  private static func destination(of path: String) throws(FileError) -> String {
    var path = path
    for _ in 0..<40 {
      guard let link = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else {
        return path
      }
      path = link.hasPrefix("/") ? link : "\(directory(of: path))/\(link)"
    }
    throw .fromErrno("cannot write", path: path, code: ELOOP)
  }

  /// The directory a path lies in.
  static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func createDirectory(
    _ path: String, created: inout [String]
  ) throws(FileError) {
    var status = stat()
    if stat(path, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFDIR else {
        throw FileError("cannot create directory", path: path, reason: "a file is in the way")
      }
      return
    }
    let parent = directory(of: path)
    if parent != path { try createDirectory(parent, created: &created) }
    if mkdir(path, 0o777) == 0 {
      created.append(path)
    } else if errno != EEXIST {
      throw .fromErrno("cannot create directory", path: path)
    }
  }

  /// Writes the content beside its destination and returns the temporary path.
  private static func writeTemporary(
    _ file: File, for destination: String
  ) throws(FileError) -> String {
    let action = "cannot write"
    let slash = destination.lastIndex(of: "/").map { destination.index(after: $0) }
    let split = slash ?? destination.startIndex
    // A long name gets a short one, so that the suffix fits into a directory entry.
    let stem = String(destination[split...].prefix(100))
    var temporary = ""
    var descriptor: Int32 = -1
    for attempt in 0..<1000 where descriptor < 0 {
      temporary = "\(destination[..<split]).\(stem).\(getpid())-\(attempt)"
      // The user's mask applies, as it does to what other programs write.
      descriptor = open(
        temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file.isExecutable ? 0o777 : 0o666)
      if descriptor < 0, errno != EEXIST { break }
    }
    guard descriptor >= 0 else { throw .fromErrno(action, path: file.path) }
    do {
      defer { close(descriptor) }
      var status = stat()
      if stat(destination, &status) == 0 {
        // A program may stand where a text stood: who may read it may run it.
        let runs = file.isExecutable ? (status.st_mode & 0o444) >> 2 : 0
        fchmod(descriptor, status.st_mode & 0o7777 | runs)
      }
      try write(file, to: descriptor)
    } catch {
      unlink(temporary)
      throw error
    }
    return temporary
  }

  private static func write(_ file: File, to descriptor: Int32) throws(FileError) {
    guard writeAll(file.bytes, to: descriptor) else {
      throw .fromErrno("cannot write", path: file.path)
    }
  }
}

/// Writes one file, all of it or nothing.
///
/// - Throws: An error with the path and the system's reason; an older file is then unchanged.
public func writeFileAtomically(_ bytes: [UInt8], to path: String) throws(FileError) {
  var batch = OutputBatch()
  batch.add(bytes, to: path)
  try batch.commit()
}
