// A kernel program as one header and one CUDA source.
//
// Device      Every kernel of the program is one or more functions of the device, launched one after the
//             other by a function of the host; kernels that do the same work are the same function.
// Host        The step is one sequence of launches and copies on the stream of the caller: nothing is
//             allocated, nothing is waited for, so that it can be captured as a graph.
// Rules       No atomics, no shuffles of a part of a warp, no return before a barrier, static shared
//             memory. Compiled with `-fmad=false`, as C is with `-ffp-contract=off`: multiply-adds are
//             fused where they are written so. Equal programs give equal bytes.
// Switches    CKC_POISON fills what a kernel will write with 0xFF bytes before it runs; CKC_EMU leaves to
//             the headers of an emulation what only nvcc can compile.

/// The header and the source of a program for a graphics processor.
func emitCUDA(_ program: KernelProgram) -> (header: String, source: String) {
  let printer = CUDAProgramPrinter(program)
  return (printer.c.header(), printer.source())
}

private struct CUDAProgramPrinter {
  let program: KernelProgram
  /// What C and CUDA have in common.
  let c: CProgramPrinter
  private let gpu: GPU
  private let reached: CUDAReached

  init(_ program: KernelProgram) {
    guard let gpu = program.target.gpu else {
      preconditionFailure("CUDA for \(program.target.name)")
    }
    self.program = program
    self.gpu = gpu
    c = CProgramPrinter(program)
    reached = CUDAReached(program)
  }

  private var name: String { program.name }

  func source() -> String {
    var uses: Set<String> = []
    var kernels = ""
    for (number, function) in program.functions.enumerated()
    where reached.kernels.contains(number) {
      kernels += kernel(function, number, &uses) + "\n"
    }
    var out = """
      /* Made by ckc: one training step of @\(program.function.name).
         nvcc -O3 -std=c++17 -fmad=false -arch=sm_\(gpu.architecture) */
      #include "\(name).h"

      \(CUDASupport.prologue)
      """
    let support = CUDASupport.source(using: uses)
    if !support.isEmpty { out += support + "\n\n" }
    out += CUDASupport.instructions(in: kernels)
    for (number, table) in program.constants.enumerated()
    where reached.constants.contains(number) {
      out += c.constant(table, number) + "\n"
    }
    return out + kernels + routines() + step()
  }

  // MARK: Kernels

  /// The functions of the device of a kernel, and the function of the host that launches them.
  private func kernel(
    _ function: KernelFunction, _ number: Int, _ uses: inout Set<String>
  ) -> String {
    let symbol = c.kernelSymbol(number)
    let kernel: CUDAKernel
    let device = "\(symbol)_device"
    switch function.body {
    case .grid(let grid):
      var printer = CUDALoops(buffers: function.buffers)
      kernel = printer.print(grid, device)
      uses.formUnion(printer.uses)
    case .contraction(let contraction):
      var printer = CUDAContraction(contraction, buffers: function.buffers, gpu: gpu)
      kernel = printer.print(device)
      uses.formUnion(printer.uses)
    case .sort(let sort):
      kernel = CUDASort.print(sort, device, buffers: function.buffers, uses: &uses)
    case .attention(let attention):
      var printer = CUDAAttention(attention, buffers: function.buffers)
      kernel = printer.print(device)
      uses.formUnion(printer.uses)
    case .loops: preconditionFailure("loops for one thread in CUDA")
    }
    var parameters = ["cudaStream_t stream"]
    parameters += function.buffers.enumerated().map { number, buffer in
      "\(buffer.isWritten ? "" : "const ")\(cStorageType(buffer.dtype)) *b\(number)"
    }
    if function.body.takesScratch { parameters.append("unsigned char *scratch") }
    var lines = kernel.launches.map { launch in
      let arguments = launch.arguments.map { ", \($0)" }.joined()
      return
        "  CKC_TRY(CKC_LAUNCH(\(launch.symbol), dim3(\(launch.blocks)), dim3(\(launch.threads)), "
        + "0, stream\(arguments)));"
    }
    let used = identifiers(in: lines)
    let names =
      ["stream"] + function.buffers.indices.map { "b\($0)" }
      + (function.body.takesScratch ? ["scratch"] : [])
    lines += names.filter { !used.contains($0) }.map { "  (void)\($0);" }
    return kernel.text
      + "static int \(symbol)(\n    \(parameters.joined(separator: ",\n    "))) {\n"
      + lines.joined(separator: "\n") + "\n  return 0;\n}\n"
  }

  // MARK: Calls

  /// What the places of one function of the host are called.
  private struct Scope {
    var arguments: [String]
    var results: [String]
    var constantNumbers: [ValueID: Int]

    func pointer(
      _ storage: Storage, _ dtype: DType, sizeBytes: Int, isWritten: Bool
    ) -> String {
      let type = "\(isWritten ? "" : "const ")\(cStorageType(dtype)) *"
      return switch storage {
      case .argument(let index): arguments[index]
      case .result(let index): results[index]
      case .arena(let offset): "(\(type))CKC_PLACE(m, \(offset), \(sizeBytes))"
      case .constantData(let value): "t\(constantNumbers[value]!)"
      }
    }

    /// Lines that find the tables of constants on the device.
    func tables(_ constants: [ConstantTable]) -> String {
      constantNumbers.values.sorted().map { number in
        let type = cStorageType(constants[number].type.dtype)
        return """
            const \(type) *t\(number);
            {
              void *table = NULL;
              CKC_TRY(cudaGetSymbolAddress(&table, c\(number)));
              t\(number) = (const \(type) *)table;
            }
            (void)t\(number);

          """
      }.joined()
    }
  }

  private func text(of copy: PlacedCopy, in scope: Scope) -> String {
    let from = scope.pointer(copy.from, .ui8, sizeBytes: copy.sizeBytes, isWritten: false)
    let to = scope.pointer(copy.to, .ui8, sizeBytes: copy.sizeBytes, isWritten: true)
    return "  CKC_COPY(\(to), \(from), \(copy.sizeBytes));\n"
  }

  /// The lines of calls and of the copies after them.
  private func lines(
    _ calls: [KernelCall], _ finalCopies: [PlacedCopy], in scope: Scope
  ) -> String {
    var out = ""
    for call in calls {
      out += c.freshLines(call)
      for copy in call.copies { out += text(of: copy, in: scope) }
      let scratch =
        call.scratchOffset.map {
          "(unsigned char *)CKC_PLACE(m, \($0), \(call.scratchBytes))"
        } ?? "NULL"
      let symbol: String
      let buffers: [KernelBuffer]
      var (before, after) = (["stream"], [String]())
      switch call.work {
      case .kernel(let number):
        symbol = c.kernelSymbol(number)
        buffers = program.functions[number].buffers
        if program.functions[number].body.takesScratch { after = [scratch] }
      case .control(let number):
        symbol = c.controlSymbol(number)
        buffers = program.controls[number].buffers
        before.append(scratch)
      }
      let pointers = zip(zip(call.buffers, call.sizes), buffers).map { place, buffer in
        scope.pointer(
          place.0, buffer.dtype, sizeBytes: place.1, isWritten: buffer.isWritten)
      }
      let arguments = (before + pointers + after).joined(separator: ", ")
      out += "  CKC_RUN(\(symbol)(\(arguments))); /* %\(commentText(call.name)) */\n"
    }
    for copy in finalCopies { out += text(of: copy, in: scope) }
    return out
  }

  // MARK: Loops

  /// The functions that loops call, and the loops, each after what it calls.
  private func routines() -> String {
    var out = ""
    var pending = program.controls.indices.filter(reached.controls.contains)
    for number in 0...program.routines.count {
      for control in pending where program.controls[control].routines.allSatisfy({ $0 < number }) {
        out += self.control(control) + "\n"
      }
      pending.removeAll { program.controls[$0].routines.allSatisfy { $0 < number } }
      if reached.routines.contains(number) { out += routine(number) + "\n" }
    }
    return out
  }

  private func head(_ symbol: String, _ buffers: [(name: String, buffer: KernelBuffer)]) -> String {
    let pointers = buffers.map { name, buffer in
      "\(buffer.isWritten ? "" : "const ")\(cStorageType(buffer.dtype)) *\(name)"
    }
    let parameters = ["cudaStream_t stream", "unsigned char *m"] + pointers
    return "static int \(symbol)(\n    \(parameters.joined(separator: ",\n    "))) {\n"
      + (["stream", "m"] + buffers.map(\.name)).map { "  (void)\($0);\n" }.joined()
  }

  private func routine(_ number: Int) -> String {
    let routine = program.routines[number]
    let arguments = routine.arguments.enumerated().map { (name: "a\($0)", buffer: $1) }
    let results = routine.results.enumerated().compactMap { index, buffer in
      buffer.map { (name: "y\(index)", buffer: $0) }
    }
    let scope = Scope(
      arguments: arguments.map(\.name), results: routine.results.indices.map { "y\($0)" },
      constantNumbers: routine.constantNumbers)
    return "/* @\(commentText(routine.name)) */\n"
      + head(c.routineSymbol(number), arguments + results) + scope.tables(program.constants)
      + lines(routine.calls, routine.finalCopies, in: scope) + "  return 0;\n}\n"
  }

  private func control(_ number: Int) -> String {
    let control = program.controls[number]
    guard control.kind == .loop, let trips = control.trips else {
      preconditionFailure("a branch, or a loop that is not counted, in CUDA")
    }
    let buffers = control.buffers.enumerated().map { (name: "b\($0)", buffer: $1) }
    let arguments = (["stream", "m"] + buffers.map(\.name)).joined(separator: ", ")
    return head(c.controlSymbol(number), buffers) + """
        for (int64_t trip = 0; trip < \(trips); trip++) {
          CKC_RUN(\(c.routineSymbol(control.routines[1]))(\(arguments)));
        }
        return 0;
      }

      """
  }

  // MARK: Step

  /// Lines that refuse tensors that are not aligned.
  private var alignmentCheck: String {
    let pointers = (c.argumentMembers + c.resultMembers).filter { !$0.isEmpty }
    if pointers.isEmpty { return "" }
    let bits = pointers.map { "(uintptr_t)\($0)" }.joined(separator: " |\n      ")
    return """
        if ((\(bits)) % \(CUDASupport.alignment) != 0) {
          return (int)cudaErrorInvalidValue;
        }

      """
  }

  private func step() -> String {
    let scope = Scope(
      arguments: c.argumentMembers, results: c.resultMembers,
      constantNumbers: program.constantNumbers)
    return """
      \(c.signature)) {
        unsigned char *const m = (unsigned char *)arena;
        (void)inputs;
        (void)parameters;
        (void)state;
        (void)results;
        (void)stream;
        if (\(name)_ARENA_BYTES > 0 && (m == NULL || (uintptr_t)m % \(name)_ARENA_ALIGN != 0)) {
          return (int)cudaErrorInvalidValue;
        }
      \(alignmentCheck)
      """ + scope.tables(program.constants) + lines(program.calls, program.finalCopies, in: scope)
        + "  return 0;\n}\n"
  }
}
