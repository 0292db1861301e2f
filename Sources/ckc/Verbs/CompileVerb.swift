// `ckc compile`

import CheckpointCompiler

/// Compiles a graph and writes what was asked for, all of it or nothing.
enum CompileVerb {
  private static let directoryDefault = "out"

  static func run(_ arguments: Arguments, console: Console) throws {
    let job = try GraphJob(arguments, lastStage: .code)
    let kinds = arguments.words(.emit) ?? ["c"]
    let directory = arguments.text(.output) ?? directoryDefault
    guard let compilation = try job.compile(console: console) else { return }
    let products = try Products(compilation, kinds: kinds, directory: directory)
    var batch = products.texts
    if kinds.contains("lib") || kinds.contains("exe") {
      try products.build(with: try Builder(arguments), into: &batch)
    } else {
      _ = arguments.text(.cc)
    }
    var files = batch.paths
    let reportPath = "\(directory)/\(compilation.name).report.json"
    if kinds.contains("report") { files.append(reportPath) }
    try arguments.refuseOverwriting(with: files)
    guard let report = PlanReport(compilation, files: files) else {
      throw Failure(.defect, "the compilation has no plan")
    }
    if kinds.contains("report") { batch.add(report.json(), to: reportPath) }
    try batch.commit()
    console.print(arguments.isJSON ? report.json() : report.text())
  }
}

/// The compiler of emitted text.
private enum Builder {
  case c(CompilerDriver)
  case cuda(CUDADriver, architecture: Int)

  init(_ arguments: Arguments) throws(ToolchainError) {
    if let gpu = arguments.target.gpu {
      self = .cuda(try arguments.cudaDriver(), architecture: gpu.architecture)
    } else {
      self = .c(try arguments.compilerDriver())
    }
  }

  /// Compiles files to a library or a program.
  func compile(
    _ sources: [String], to output: String, as product: CompilerDriver.Product
  ) throws(ToolchainError) {
    switch self {
    case .c(let driver): try driver.compile(sources, to: output, as: product)
    case .cuda(let driver, let architecture):
      try driver.compile(sources, to: output, as: product, architecture: architecture)
    }
  }
}

/// The files of one compilation.
private struct Products {
  let compilation: Compilation
  let kinds: [String]
  let directory: String
  /// What the names of sources end with.
  private let suffix: String
  /// The files that need no compiler.
  private(set) var texts = OutputBatch()

  init(_ compilation: Compilation, kinds: [String], directory: String) throws(Failure) {
    self.compilation = compilation
    self.kinds = kinds
    self.directory = directory
    suffix = compilation.options.target.isCUDA ? "cu" : "c"
    let name = compilation.name
    if kinds.contains("c") {
      texts.add(compilation.header, to: "\(directory)/\(name).h")
      texts.add(compilation.source, to: "\(directory)/\(name).\(suffix)")
    }
    if kinds.contains("ir"), let step = compilation.step {
      texts.add(Printer.print(step.function), to: "\(directory)/\(name).planned.ir")
    }
    if kinds.contains("plan") {
      guard let plan = SavedPlan(compilation) else {
        throw .input("--emit plan: the graph holds its plan already; --emit ir writes it")
      }
      texts.add(plan.json(), to: "\(directory)/\(name).plan.json")
    }
  }

  /// Compiles the emitted text in a temporary directory and adds what comes out.
  func build(with builder: Builder, into batch: inout OutputBatch) throws {
    let name = compilation.name
    let work = try TemporaryDirectory()
    let source = work.file("\(name).\(suffix)")
    try writeFileAtomically(Array(compilation.header.utf8), to: work.file("\(name).h"))
    try writeFileAtomically(Array(compilation.source.utf8), to: source)
    if kinds.contains("lib") {
      let library = work.file("lib\(name).so")
      try builder.compile([source], to: library, as: .sharedLibrary)
      batch.add(try readFile(library), to: "\(directory)/lib\(name).so", isExecutable: true)
    }
    if kinds.contains("exe") {
      let isCUDA = compilation.options.target.isCUDA
      let main = isCUDA ? compilation.deviceDriverSource : compilation.driverSource
      let (mainSource, program) = (work.file("\(name)_main.\(suffix)"), work.file("program"))
      try writeFileAtomically(Array(main.utf8), to: mainSource)
      try builder.compile([mainSource, source], to: program, as: .executable)
      batch.add(main, to: "\(directory)/\(name)_main.\(suffix)")
      batch.add(try readFile(program), to: "\(directory)/\(name)", isExecutable: true)
    }
  }
}
