// `ckc fmt`: IR text in its standard form.

import CheckpointCompiler

/// `ckc fmt`
enum FmtVerb {
  /// A file before and after.
  private struct Form {
    var name: String
    var path: String
    var text: [UInt8]
    var isChanged: Bool
  }

  static func run(_ arguments: Arguments, console: Console) throws -> ExitCode {
    let checks = arguments.has(.check)
    let rewrites = arguments.has(.inPlace)
    if checks, rewrites {
      throw Failure.usage("--check writes nothing and --in-place rewrites: give one of them")
    }
    if rewrites, arguments.operands.contains("-") {
      throw Failure.usage("--in-place: standard input cannot be rewritten")
    }
    var forms: [Form] = []
    var failures: [Failure] = []
    for path in arguments.operands {
      do {
        forms.append(try format(path))
      } catch {
        failures.append(Failure(error))
      }
    }
    // One wrong file stops all, so that a command rewrites everything or nothing.
    if let first = failures.first {
      let rendered = failures.map { $0.rendered ?? "ckc: error: \($0.message)\n" }.joined()
      var failure = Failure(first.status, first.message, rendered: rendered)
      failure.diagnostics = failures.flatMap(\.diagnostics)
      throw failure
    }
    if rewrites {
      var batch = OutputBatch()
      for form in forms where form.isChanged { batch.add(form.text, to: form.path) }
      try batch.commit()
    }
    let isText = !checks && !rewrites
    if arguments.isJSON {
      let files = forms.map { form in
        var members = [
          JSONMember("file", .string(form.name)), JSONMember("isChanged", .bool(form.isChanged)),
        ]
        if isText {
          members.append(JSONMember("text", .string(String(decoding: form.text, as: UTF8.self))))
        }
        return JSONValue.object(members)
      }
      console.print(JSONValue.object([JSONMember("files", .array(files))]).compactText + "\n")
    } else if isText {
      for form in forms { console.print(String(decoding: form.text, as: UTF8.self)) }
    } else if checks {
      for form in forms where form.isChanged { console.print("\(form.name)\n") }
    }
    return checks && forms.contains(where: \.isChanged) ? .input : .done
  }

  private static func format(_ path: String) throws -> Form {
    let name = path == "-" ? "<stdin>" : path
    let text = try GraphJob.bytes(of: path)
    guard !isStableHLO(text, fileName: name) else {
      throw Failure.input("\(name): StableHLO text; 'ckc import' writes it as IR")
    }
    var sources = SourceMap()
    do {
      let form = try formatted(text, name: name, sources: &sources)
      return Form(name: name, path: path, text: form, isChanged: form != text)
    } catch {
      throw Failure(error, sources: sources)
    }
  }
}
