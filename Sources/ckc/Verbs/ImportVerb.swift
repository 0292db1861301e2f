// `ckc import`: StableHLO as IR.

import CheckpointCompiler

/// `ckc import`
enum ImportVerb {
  static func run(_ arguments: Arguments, console: Console) throws {
    let operand = arguments.operands[0]
    let name = operand == "-" ? "<stdin>" : operand
    guard !operand.hasSuffix(".ir") else {
      throw Failure.input("\(name): the file is IR; import reads StableHLO")
    }
    let text = try GraphJob.bytes(of: operand)
    var sources = SourceMap()
    let module: Module
    do {
      let syntax = try parseStableHLO(text, name: name, sources: &sources)
      let options = StableHLOOptions(entry: arguments.entry, roles: arguments.roles)
      module = try importStableHLO(syntax, options: options, sources: &sources).module
    } catch {
      throw Failure(error, sources: sources)
    }
    let printed = Printer.print(module)
    if arguments.isJSON {
      let value: JSONValue = ["file": .string(name), "text": .string(printed)]
      console.print(value.compactText + "\n")
    } else {
      try writeResult(printed, arguments, console: console)
    }
  }
}
