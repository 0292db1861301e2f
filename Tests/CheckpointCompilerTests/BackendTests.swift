import Foundation
import Testing

@testable import CheckpointCompiler

/// Runs emitted C once and returns results in order (updates: new values).
func runCompiled(_ c: Compilation, _ arguments: [Tensor], flags: [String] = []) throws -> [Tensor] {
  let driver = try CompilerDriver()
  let dir = try TemporaryDirectory()
  let name = c.name
  try writeFileAtomically(Array(c.header.utf8), to: dir.file("\(name).h"))
  try writeFileAtomically(Array(c.source.utf8), to: dir.file("\(name).c"))
  try? writeFileAtomically(Array(c.source.utf8), to: "/tmp/ck/dev/last.c")
  try? writeFileAtomically(Array(c.header.utf8), to: "/tmp/ck/dev/\(name).h")
  try driver.compile([dir.file("\(name).c")], to: dir.file("l.so"), as: .sharedLibrary, extraFlags: flags)
  let library = try DynamicLibrary(path: dir.file("l.so"))
  typealias Entry = @convention(c) (UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer) -> Int32
  let entry = unsafeBitCast(try library.symbol("\(name)_step"), to: Entry.self)
  let f = c.step!.function
  func alloc(_ n: Int) -> UnsafeMutableRawPointer { aligned_alloc(64, max(64, (n + 63) / 64 * 64))! }
  let argBuffers = zip(f.arguments, arguments).map { a, t in
    let p = alloc(t.bytes.count); t.bytes.withUnsafeBytes { if $0.count > 0 { p.copyMemory(from: $0.baseAddress!, byteCount: $0.count) } }; return p }
  let types = f.resultTypes
  let resBuffers = types.map { alloc($0.sizeBytes) }
  func list(_ p: [UnsafeMutableRawPointer]) -> UnsafeMutablePointer<UnsafeMutableRawPointer?> {
    let l = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: max(1, p.count)); for (i, x) in p.enumerated() { l[i] = x }; return l }
  func group(_ g: CallerGroup) -> UnsafeRawPointer { UnsafeRawPointer(list(f.arguments.indices.filter { CallerGroup(f.arguments[$0].role) == g }.map { argBuffers[$0] })) }
  var res: [UnsafeMutableRawPointer] = []
  for (i, r) in f.results.enumerated() { if case .update = r.role {} else { res.append(resBuffers[i]) } }
  let arena = alloc(c.step!.arenaBytes)
  memset(arena, 0xFF, c.step!.arenaBytes)
  let status = entry(group(.inputs), group(.parameters), group(.state), UnsafeRawPointer(list(res)), arena)
  #expect(status == 0)
  return f.results.indices.map { i in
    var p = resBuffers[i]
    if case .update(let a) = f.results[i].role { p = argBuffers[a] }
    return Tensor(types[i], bytes: Array(UnsafeRawBufferPointer(start: p, count: types[i].sizeBytes)))
  }
}

func expectClose(_ a: Tensor, _ b: Tensor, _ tolerance: Double, _ what: String) {
  for (i, (x, y)) in zip(a.floats, b.floats).enumerated() {
    if x.isNaN && y.isNaN { continue }
    if abs(x - y) > tolerance * (1 + abs(y)) { Issue.record("\(what)[\(i)]: \(x) is not \(y)"); return }
  }
}

@Suite struct BackendTests {
  func compile(_ text: String, _ options: CompileOptions) throws -> Compilation {
    var sources = SourceMap()
    do {
      return try Compiler(options: options).compile(Array(text.utf8), fileName: "test.ir", sources: &sources)
    } catch CompileError.input(let list) {
      Issue.record("\(DiagnosticRenderer(sources: sources).render(list.diagnostics))")
      throw CompileError.input(list)
    }
  }

  static let norm = """
    func @main(%x: f32[37,50], param %g: f32[50], param %b: f32[50], %key: ui32[2]) -> (loss %loss: f32, %y: f32[37,50]) {
      %s = reduce %x {kind = add, dims = [1]}
      %m = multiply %s, 0.02
      %mb = broadcast_in_dim %m {dims = [0]} : f32[37,50]
      %c = subtract %x, %mb
      %c2 = multiply %c, %c
      %v = reduce %c2 {kind = add, dims = [1]}
      %v1 = multiply %v, 0.02
      %v2 = add %v1, 0.00001
      %r = rsqrt %v2
      %rb = broadcast_in_dim %r {dims = [0]} : f32[37,50]
      %h = multiply %c, %rb
      %gb = broadcast_in_dim %g {dims = [1]} : f32[37,50]
      %bb = broadcast_in_dim %b {dims = [1]} : f32[37,50]
      %hg = multiply %h, %gb
      %y = add %hg, %bb
      %u = random %key {distribution = uniform, stream = 3} : f32[37,50]
      %keep = compare %u, 0.3 {direction = ge}
      %d = select %keep, %y, 0.0
      %t = tanh %d
      %e = exponential %t
      %loss = reduce %e {kind = add, dims = [0, 1]}
      return %loss, %y
    }
    """

  static let pool = """
    func @main(%x: f32[3,9,8,5], param %w: f32[5], %i: i32[7], param %table: f32[11,6]) -> (loss %loss: f32, %p: f32[3,5,4,5]) {
      %wb = broadcast_in_dim %w {dims = [3]} : f32[3,9,8,5]
      %y = multiply %x, %wb
      %p = reduce_window %y {kind = max, window = [1,3,2,1], strides = [1,2,2,1], low = [0,1,0,0], high = [0,1,0,0]}
      %a = reduce_window %y {kind = add, window = [1,3,2,1], strides = [1,2,2,1], low = [0,1,0,0], high = [0,1,0,0]}
      %q = add %p, %a
      %t = transpose %q {dims = [0,3,1,2]}
      %z = constant 0.0 : f32
      %pd = pad %t, %z {low = [0,1,0,-1], high = [0,0,2,1], interior = [0,0,1,0]}
      %s1 = sine %pd
      %l1 = reduce %s1 {kind = add, dims = [0,1,2,3]}
      %e = gather %table, %i {offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1, slice_sizes = [1, 6]}
      %e2 = concatenate %e, %e {dim = 0}
      %e3 = multiply %e2, %e2
      %l2 = reduce %e3 {kind = add, dims = [0,1]}
      %loss = add %l1, %l2
      return %loss, %p
    }
    """

  @Test(arguments: [norm, pool]) func matchesTheInterpreter(text: String) throws {
    var generator = SeededGenerator(seed: 1)
    for budget in [Budget.unlimited, .minimum] {
      let c = try compile(text, CompileOptions(budget: budget))
      try? writeFileAtomically(Array(Printer.print(c.step!.function).utf8), to: "/tmp/ck/dev/last.ir")
      let f = c.step!.function
      let arguments = f.argumentTypes.map { type in
        type.dtype.isFloatingPoint ? Tensor(type, floats: (0..<type.elementCount).map { _ in generator.unit() * 2 - 1 })
          : Tensor(type, integers: (0..<type.elementCount).map { _ in Int64(generator.index(below: 10)) })
      }
      let expected = try interpret(c.differentiated!, arguments: arguments)
      let planned = try interpret(f, arguments: arguments)
      let got = try runCompiled(c, arguments, flags: ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"])
      for (i, r) in f.results.enumerated() {
        expectClose(planned[i], expected[i], 1e-5, "interpreted \(r.name)")
        expectClose(got[i], expected[i], 1e-4, r.name)
      }
    }
  }
}
