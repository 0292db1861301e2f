// A kernel program as one header and one C source.
//
// Rules       No library beyond libc and libm, no allocation, no writable globals. Clean as C11 and
//             as C++17 under -Wall -Wextra -Wconversion -pedantic. Equal programs give equal bytes.
// Switches    CKC_POISON fills what a kernel will write with 0xFF bytes before it runs; CKC_PROFILE
//             adds a parameter that receives the time of every kernel; CKC_SCALAR leaves vector
//             extensions out.

/// The header and the source of a program.
func emitC(_ program: KernelProgram) -> (header: String, source: String) {
  let printer = CProgramPrinter(program)
  return (printer.header(), printer.source())
}

/// The four structs of pointers that a caller fills.
enum CallerGroup: String, CaseIterable, Sendable {
  case inputs, parameters, state, results

  /// The group of an argument.
  init(_ role: ArgumentRole) {
    switch role {
    case .input: self = .inputs
    case .parameter, .frozen: self = .parameters
    case .state: self = .state
    }
  }
}

/// A pointer in one of the structs.
private struct Member {
  var name: String
  var type: TensorType
  var isWritten: Bool
  var comment: String
}

struct CProgramPrinter {
  let program: KernelProgram
  private var members: [CallerGroup: [Member]] = [:]
  /// The member of every argument and of every result; empty for updates.
  private(set) var argumentMembers: [String] = []
  private(set) var resultMembers: [String] = []

  init(_ program: KernelProgram) {
    self.program = program
    let function = program.function
    var updated: Set<Int> = []
    for result in function.results {
      if case .update(let argument) = result.role { updated.insert(argument) }
    }
    var names: [CallerGroup: Set<String>] = [:]
    let macros = ["ARENA_BYTES", "ARENA_ALIGN"].map { "\(program.name)_\($0)" }
    func unique(_ name: String, _ fallback: String, _ group: CallerGroup) -> String {
      var candidate = cMemberName(name.isEmpty ? fallback : name)
      if macros.contains(candidate) { candidate += "_" }
      while !names[group, default: []].insert(candidate).inserted { candidate += "_" }
      return candidate
    }
    for (index, argument) in function.arguments.enumerated() {
      let value = function.values[argument.value]
      let group = CallerGroup(argument.role)
      let name = unique(value.name, "arg\(index)", group)
      argumentMembers.append("\(group.rawValue)->\(name)")
      members[group, default: []].append(
        Member(
          name: name, type: value.type, isWritten: updated.contains(index),
          comment: "%\(value.name): \(value.type)"
            + (argument.role == .frozen ? ", frozen" : "")
            + (updated.contains(index) ? ", updated" : "")))
    }
    for (index, result) in function.results.enumerated() {
      if case .update = result.role {
        resultMembers.append("")
        continue
      }
      let type = function.type(of: function.returnedValues[index])
      let name = unique(result.name, "result\(index)", .results)
      resultMembers.append("results->\(name)")
      members[.results, default: []].append(
        Member(name: name, type: type, isWritten: true, comment: "%\(result.name): \(type)"))
    }
  }

  private var name: String { program.name }

  /// The head of the function, but for its last parenthesis.
  var signature: String {
    let groups = CallerGroup.allCases.map { "const \(name)_\($0.rawValue) *\($0.rawValue)" }
    let text = "int \(name)_step(\n    \(groups.joined(separator: ",\n    ")),\n    void *arena"
    return program.target.isCUDA ? text + ",\n    cudaStream_t stream" : text
  }

  // MARK: Header

  func header() -> String {
    let guardName = "CKC_\(name.uppercased())_H"
    var out = """
      /* Made by ckc: one training step of @\(program.function.name). */
      #ifndef \(guardName)
      #define \(guardName)

      #include <stddef.h>
      #include <stdint.h>
      \(program.target.isCUDA ? "#include <cuda_runtime.h>\n" : "")
      #ifdef __cplusplus
      extern "C" {
      #endif

      /* What the caller allocates for a step: this many bytes at this alignment. Nothing in the arena
         has to be kept from one step to the next. */
      #define \(name)_ARENA_BYTES \(program.arenaBytes)
      #define \(name)_ARENA_ALIGN \(program.alignment)


      """
    for group in CallerGroup.allCases {
      let members = members[group] ?? []
      out += "/* \(describe(group)) */\n"
      out += "typedef struct \(name)_\(group.rawValue) {\n"
      for member in members {
        out += "  \(member.isWritten ? "" : "const ")\(cStorageType(member.type.dtype)) "
        out += "*\(member.name); /* \(commentText(member.comment)) */\n"
      }
      if members.isEmpty { out += "  const void *none;\n" }
      out += "} \(name)_\(group.rawValue);\n\n"
    }
    if program.target.isCUDA {
      return out + """
        /* Puts one step into a stream and returns without waiting for it. The structs are in the memory
           of the host; all pointers in them, and the arena, are of the device. Tensors are dense and
           row-major, aligned to 16 bytes; no two may overlap. Returns 0, or the number of a cudaError_t:
           that of an invalid value if the arena is missing or a pointer not aligned. Steps on different
           data may run at the same time. */
        \(signature));

        #ifdef __cplusplus
        }
        #endif

        #endif

        """
    }
    out += """
      /* Runs one step. Tensors are dense and row-major; no two may overlap. Returns 0, or 1 if the
         arena is missing or not aligned. Steps on different data may run at the same time. */
      \(signature)
      #ifdef CKC_PROFILE
          , double *kernel_ns
      #endif
          );

      #ifdef __cplusplus
      }
      #endif

      #endif

      """
    return out
  }

  private func describe(_ group: CallerGroup) -> String {
    switch group {
    case .inputs: "Data of a step."
    case .parameters: "Parameters; those that the step updates hold the new values after it."
    case .state: "State that one step hands to the next, updated in place."
    case .results: "Where results go."
    }
  }

  // MARK: Source

  func source() -> String {
    var uses: Set<String> = []
    var kernels = ""
    for (number, function) in program.functions.enumerated() {
      kernels += kernel(function, number, &uses) + "\n"
    }
    let contractions = program.functions.compactMap { function in
      if case .contraction(let contraction) = function.body {
        contraction.scheduled(program.target)
      } else {
        nil
      }
    }
    let contracted = Set(contractions.map(\.dtypes))
    let attentions = program.functions.compactMap { function in
      if case .attention(let attention) = function.body { attention } else { nil }
    }
    uses.formUnion(attentions.flatMap { CAttentionSource.supportFunctions($0.dtype) })
    for dtype in [DType.bf16, .f16] {
      if contracted.contains(where: { $0.first == dtype || $0.second == dtype }) {
        uses.insert("ckc_\(dtype.name)_to_f32")
      }
      if contracted.contains(where: { $0.result == dtype }) {
        uses.insert("ckc_f32_to_\(dtype.name)")
      }
    }
    var out = prologue()
    let support = CSupport.source(using: uses)
    if !support.isEmpty { out += support + "\n\n" }
    let sorts = program.functions.contains {
      if case .sort = $0.body { true } else { false }
    }
    if !contracted.isEmpty || sorts || !attentions.isEmpty {
      let text = CGemmSource.source(
        for: contractions, sums: attentions.map(\.sum), target: program.target)
      out += text + "\n\n"
    }
    if !attentions.isEmpty { out += CAttentionSource.source(for: attentions) + "\n\n" }
    for (number, table) in program.constants.enumerated() { out += constant(table, number) + "\n" }
    return out + kernels + macros() + routines() + step()
  }

  private func prologue() -> String {
    let threads = program.target.threadsMax
    return """
      /* Made by ckc: one training step of @\(program.function.name). */
      #include "\(name).h"

      #include <math.h>
      #include <string.h>
      #ifdef CKC_PROFILE
      #include <time.h>
      #endif
      #ifdef _OPENMP
      #include <omp.h>
      #endif

      #ifdef __cplusplus
      #define CKC_RESTRICT __restrict
      #else
      #define CKC_RESTRICT restrict
      #endif
      #define CKC_INLINE static inline
      #ifdef __GNUC__
      #define CKC_KERNEL static __attribute__((noinline)) void
      #else
      #define CKC_KERNEL static void
      #endif
      #define CKC_PRAGMA(text) _Pragma(#text)
      #if defined(__GNUC__) && !defined(__clang__)
      #define CKC_INDEPENDENT CKC_PRAGMA(GCC ivdep)
      #else
      #define CKC_INDEPENDENT
      #endif
      #ifdef _OPENMP
      static inline int ckc_threads(int most) {
        const int available = omp_get_max_threads();
        return available < most ? available : most;
      }
      #define CKC_PARALLEL(depth) \\
        CKC_PRAGMA(omp parallel for collapse(depth) schedule(static) num_threads(ckc_threads(\(threads))))
      #if defined(__GNUC__) && !defined(__clang__)
      #define CKC_PARALLEL_VECTOR \\
        CKC_PRAGMA(omp parallel for simd schedule(static) num_threads(ckc_threads(\(threads))))
      #else
      #define CKC_PARALLEL_VECTOR CKC_PARALLEL(1)
      #endif
      #else
      #define CKC_PARALLEL(depth)
      #define CKC_PARALLEL_VECTOR CKC_INDEPENDENT
      #endif


      """
  }

  private func kernel(
    _ function: KernelFunction, _ number: Int, _ uses: inout Set<String>
  ) -> String {
    let symbol = kernelSymbol(number)
    let parameters = function.buffers.enumerated().map { number, buffer in
      "\(buffer.isWritten ? "" : "const ")\(cStorageType(buffer.dtype)) *CKC_RESTRICT b\(number)"
    }
    switch function.body {
    case .grid: preconditionFailure("a kernel of a graphics processor in C")
    case .sort(let sort):
      return cFunction(for: sort, name: symbol, parameters: parameters, uses: &uses)
    case .attention(let attention):
      return cFunction(for: attention, name: symbol, parameters: parameters)
    case .contraction(let contraction):
      return cFunction(
        for: contraction, buffers: function.buffers, name: symbol, target: program.target,
        uses: &uses)
    case .loops(let statements):
      var printer = CStatements(buffers: function.buffers)
      let lines = printer.print(statements)
      uses.formUnion(printer.uses)
      let scratch = function.body.takesScratch ? ["unsigned char *CKC_RESTRICT scratch"] : []
      let all = (parameters + scratch).joined(separator: ",\n    ")
      var out = "CKC_KERNEL \(symbol)(\n    \(all)) {\n"
      // An empty result, or a value that only its shape was read of.
      for number in function.buffers.indices
      where !lines.contains(where: { $0.contains("b\(number)[") }) {
        out += "  (void)b\(number);\n"
      }
      out += lines.joined(separator: "\n")
      return out + "\n}\n"
    }
  }

  func kernelSymbol(_ number: Int) -> String {
    "k\(number)_\(cIdentifier(program.functions[number].label))"
  }

  private func constantSymbol(_ number: Int) -> String { "c\(number)" }

  /// A table as bits, so that every number, infinite or not, keeps its own.
  func constant(_ table: ConstantTable, _ number: Int) -> String {
    let dtype = table.type.dtype
    let size = dtype.byteCount
    let count = max(1, table.type.elementCount)
    var words: [String] = []
    words.reserveCapacity(count)
    for place in stride(from: 0, to: table.bytes.count, by: size) {
      var bits: UInt64 = 0
      for byte in table.bytes[place..<place + size].reversed() { bits = bits << 8 | UInt64(byte) }
      words.append("0x\(String(bits, radix: 16))\(size == 8 ? "ull" : "u")")
    }
    if words.isEmpty { words = ["0"] }
    var rows: [String] = []
    for start in stride(from: 0, to: words.count, by: 8) {
      rows.append("  " + words[start..<min(start + 8, words.count)].joined(separator: ", "))
    }
    return """
      \(program.target.isCUDA ? "static __device__ const" : "static const") union {
        uint\(size * 8)_t bits[\(count)];
        \(cStorageType(dtype)) data[\(count)];
      } \(constantSymbol(number)) = {{
      \(rows.joined(separator: ",\n"))
      }};

      """
  }

  // MARK: Step

  /// Where the pointers of the step come from.
  private var stepScope: CScope {
    CScope(
      arguments: argumentMembers, results: resultMembers, constantNumbers: program.constantNumbers)
  }

  /// What the calls of kernels are made of.
  private func macros() -> String {
    """
    #ifdef CKC_POISON
    #define CKC_FRESH(offset, size) memset(m + (offset), 0xFF, (size))
    #else
    #define CKC_FRESH(offset, size) ((void)0)
    #endif
    #ifdef CKC_PROFILE
    static inline double ckc_now(void) {
      struct timespec now;
      timespec_get(&now, TIME_UTC);
      return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
    }
    #define CKC_RUN(number, call)              \\
      do {                                     \\
        const double start = ckc_now();        \\
        call;                                  \\
        kernel_ns[number] = ckc_now() - start; \\
      } while (0)
    #else
    #define CKC_RUN(number, call) call
    #endif


    """
  }

  private func step() -> String {
    var out = """
      \(signature)
      #ifdef CKC_PROFILE
          , double *kernel_ns
      #endif
          ) {
        unsigned char *const m = (unsigned char *)arena;
        (void)inputs;
        (void)parameters;
        (void)state;
        (void)results;
        if (\(name)_ARENA_BYTES > 0 && (m == NULL || (uintptr_t)m % \(name)_ARENA_ALIGN != 0)) return 1;

      """
    let scope = stepScope
    for (number, call) in program.calls.enumerated() {
      out += freshLines(call)
      out +=
        "  CKC_RUN(\(number), \(text(of: call, in: scope))); /* %\(commentText(call.name)) */\n"
    }
    for copy in program.finalCopies { out += "  \(text(of: copy, in: scope));\n" }
    return out + "  return 0;\n}\n"
  }
}

/// A text that cannot end a comment of C.
func commentText(_ text: String) -> String {
  text.replacing("*/", with: "* /").replacing("/*", with: "/ *")
}

/// A name as a member of a struct: an identifier that is no word of C or C++, no type of the struct,
/// whose meaning a member of that name changes in C++, and no macro of their headers, which are in
/// capitals or start with an underscore.
private func cMemberName(_ name: String) -> String {
  let identifier = cIdentifier(name)
  let isCapital = identifier.utf8.allSatisfy { $0 < UInt8(ascii: "a") || $0 == UInt8(ascii: "_") }
  let isLikeMacro = identifier.utf8.first == UInt8(ascii: "_") || isCapital
  return isLikeMacro || cReservedWords.contains(identifier) ? identifier + "_" : identifier
}

private let cReservedWords: Set<String> = [
  "alignas", "alignof", "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case",
  "catch", "char", "char16_t", "char32_t", "class", "compl", "const", "const_cast", "constexpr",
  "continue", "decltype", "default", "delete", "do", "double", "dynamic_cast", "else", "enum",
  "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if", "inline", "int",
  "long", "mutable", "namespace", "new", "noexcept", "not", "not_eq", "nullptr", "operator", "or",
  "or_eq", "private", "protected", "public", "register", "reinterpret_cast", "restrict", "return",
  "short", "signed", "sizeof", "static", "static_assert", "static_cast", "struct", "switch",
  "template", "this", "thread_local", "throw", "true", "try", "typedef", "typeid", "typename",
  "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq",
  "linux", "unix", "i386", "typeof", "typeof_unqual", "concept", "requires", "consteval",
  "constinit", "co_await", "co_return", "co_yield", "char8_t", "errno",
  "int8_t", "int16_t", "int32_t", "int64_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t",
  "size_t", "ptrdiff_t", "intptr_t", "uintptr_t", "intmax_t", "uintmax_t", "max_align_t",
  "nullptr_t",
]
