// Compiles a graph under a budget and writes the C, or says why it cannot.
//
//   swift run embedding GRAPH.ir BUDGET_BYTES OUTPUT_DIRECTORY

import CheckpointCompiler
import Foundation

guard CommandLine.arguments.count == 4, let budgetBytes = Int(CommandLine.arguments[2]) else {
  print("usage: embedding GRAPH.ir BUDGET_BYTES OUTPUT_DIRECTORY")
  exit(2)
}
let (path, directory) = (CommandLine.arguments[1], CommandLine.arguments[3])

let options = CompileOptions(
  name: "net", optimizer: .sgd(weightDecay: 0), budget: .bytes(budgetBytes))
var sources = SourceMap()
do {
  let text = try readFile(path)
  let net = try Compiler(options: options).compile(text, fileName: path, sources: &sources)
  if let step = net.step, let keepAll = net.keepAll {
    print("arena \(step.arenaBytes) bytes, of a budget of \(budgetBytes)")
    print("arena \(keepAll.arenaBytes) bytes when everything is kept")
    print("predicted time \(step.costNs / keepAll.costNs) times that of keeping everything")
  }
  var outputs = OutputBatch()
  outputs.add(net.header, to: "\(directory)/net.h")
  outputs.add(net.source, to: "\(directory)/net.c")
  try outputs.commit()
} catch let error as CompileError {
  print(error.rendered(with: sources), terminator: "")
  exit(1)
} catch {
  // A file that cannot be read or written.
  print("error: \(error)")
  exit(1)
}
