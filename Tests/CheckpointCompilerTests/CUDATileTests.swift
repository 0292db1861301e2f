import Testing

@testable import CheckpointCompiler

@Suite struct CUDATileTests {
  /// The part of a product of `[rows, depth]` and `[depth, columns]`, or of operands that are turned.
  private func part(
    _ rows: Int, _ columns: Int, _ depth: Int, _ dtype: DType = .f32, turnsSecond: Bool = false
  ) throws -> (Contraction.Part, Contraction.DTypes) {
    let second = turnsSecond ? "\(columns),\(depth)" : "\(depth),\(columns)"
    let text = """
      func @main(%a: \(dtype.name)[\(rows),\(depth)], %b: \(dtype.name)[\(second)]) -> \(dtype.name)[\(rows),\(columns)] {
        %c = dot_general %a, %b {lhs_contract = [1], rhs_contract = [\(turnsSecond ? 1 : 0)]}
        return %c
      }
      """
    var sources = SourceMap()
    let compilation = try Compiler(options: CompileOptions(target: .cuda(), lastStage: .code))
      .compile(Array(text.utf8), fileName: "test.ir", sources: &sources)
    let program = try #require(compilation.program)
    guard case .contraction(let contraction)? = program.functions.first?.body else {
      throw TestFailure()
    }
    return (contraction.parts[0], contraction.dtypes)
  }

  private struct TestFailure: Error {}

  private func tile(
    _ rows: Int, _ columns: Int, _ depth: Int, _ dtype: DType = .f32, turnsSecond: Bool = false
  ) throws -> CUDATile {
    let (part, dtypes) = try part(rows, columns, depth, dtype, turnsSecond: turnsSecond)
    return CUDATile(part, dtypes, .a100)
  }

  @Test func largeMatricesHaveLargeTiles() throws {
    let large = try tile(4096, 2048, 64)
    #expect((large.rowWidth, large.columnWidth, large.blocks) == (128, 128, 512))
    // Sums of eight bytes take twice the registers.
    let wide = try tile(4096, 2048, 64, .f64)
    #expect((wide.rowWidth, wide.columnWidth) == (64, 64))
  }

  /// Every multiprocessor gets a tile where tiles can be small enough.
  @Test func smallMatricesHaveManyTiles() throws {
    let small = try tile(256, 256, 64)
    #expect((small.rowWidth, small.columnWidth, small.blocks) == (32, 32, 64))
    let medium = try tile(1024, 1024, 64)
    #expect(
      medium.blocks >= GPU.a100.multiprocessors && medium.rowWidth * medium.columnWidth > 1024)
  }

  @Test func narrowMatricesHaveNarrowTiles() throws {
    let narrow = try tile(8192, 10, 64)
    #expect(narrow.columnWidth == 32 && narrow.rowWidth >= 32)
  }

  /// What is contiguous and aligned along the depth or across it is copied past the registers.
  @Test func tensorCoresMultiplyNarrowNumbers() throws {
    let along = try tile(512, 512, 64, .bf16, turnsSecond: true)
    #expect(along.isOnTensorCores && along.depth == 32)
    #expect(along.rowRun == .along && along.columnRun == .along)
    let across = try tile(512, 512, 64, .f16)
    #expect(across.rowRun == .along && across.columnRun == .across && across.depth == 32)
    let unaligned = try tile(512, 512, 60, .bf16, turnsSecond: true)
    #expect(unaligned.isOnTensorCores && unaligned.rowRun == nil && unaligned.depth == 16)
    let mixed = try tile(512, 512, 60, .bf16)
    #expect(mixed.rowRun == nil && mixed.columnRun == .across && mixed.depth == 16)
    let singles = try tile(512, 512, 64)
    #expect(!singles.isOnTensorCores)
  }

  @Test(arguments: [
    (rows: 64, columns: 64, depth: 64, form: CUDAContractionForm.tiled),
    (rows: 5, columns: 7, depth: 4096, form: .dots),
    (rows: 64, columns: 27, depth: 65_536, form: .tiled),
    (rows: 64, columns: 64, depth: 512, form: .dots),
    (rows: 3, columns: 4096, depth: 64, form: .direct),
    (rows: 64, columns: 64, depth: 2, form: .direct),
  ])
  func shapesDecideTheForm(rows: Int, columns: Int, depth: Int, form: CUDAContractionForm) throws {
    #expect(CUDAContractionForm(try part(rows, columns, depth).0) == form)
  }

  /// Few tiles of great depth are cut into slices, many tiles are not; sums of slices stay few beside
  /// what they are made from.
  @Test(arguments: [
    (rows: 64, columns: 576, depth: 65_536, slices: 28),
    (rows: 64, columns: 64, depth: 65_536, slices: 64),
    (rows: 64, columns: 64, depth: 2048, slices: 8),
    (rows: 128, columns: 1152, depth: 4096, slices: 7),
    (rows: 1024, columns: 1024, depth: 65_536, slices: 1),
    (rows: 64, columns: 64, depth: 511, slices: 1),
    (rows: 300, columns: 300, depth: 600, slices: 1),
  ])
  func fewTilesAreCutAlongTheDepth(rows: Int, columns: Int, depth: Int, slices: Int) throws {
    let (part, dtypes) = try part(rows, columns, depth)
    let cut = CUDASlices(part)
    #expect(cut.count == slices)
    #expect(cut.depth * cut.count >= depth && cut.depth * (cut.count - 1) < depth)
    #expect(slices == 1 || cut.depth % 32 == 0)
    #expect(cut.scratchBytes(4) == (slices > 1 ? 4 * slices * rows * columns : 0))
    // All slices together keep the multiprocessors busy.
    #expect(CUDATile(part, dtypes, .a100).blocks >= slices)
  }
}

@Suite struct CUDATargetTests {
  @Test func targetsHaveNames() {
    for name in Target.names {
      let target = Target(name: name, threadsMax: 2)
      #expect(target != nil && target?.isCUDA == (name != "c"), "\(name)")
    }
    #expect(Target(name: "cuda:none", threadsMax: 2) == nil)
    #expect(Target(name: "cuda", threadsMax: 2) == .cuda(.a100))
  }

  /// The condition of a loop that is counted is not emitted.
  @Test func onlyWhatRunsIsEmitted() throws {
    let compilation = try LoopSamples.compile(
      LoopSamples.stacking(), CompileOptions(target: .cuda(), lastStage: .code))
    let program = try #require(compilation.program)
    let reached = CUDAReached(program)
    #expect(reached.routines.count == 1 && program.routines.count == 2)
    let all = Set(program.functions.indices)
    #expect(reached.kernels.isStrictSubset(of: all))
    for number in all {
      let isEmitted = compilation.source.contains("static int k\(number)_")
      #expect(isEmitted == reached.kernels.contains(number), "kernel \(number)")
    }
  }

  /// What runs next may not depend on data.
  @Test func branchesAreRefused() throws {
    let text = """
      func @one(%x: f32[4]) -> f32[4] {
        return %x
      }
      func @two(%x: f32[4]) -> f32[4] {
        %y = negate %x
        return %y
      }
      func @main(%i: i32, %x: f32[4]) -> f32[4] {
        %y = case %i, %x {branches = [@one, @two]}
        return %y
      }
      """
    var sources = SourceMap()
    do throws(CompileError) {
      _ = try Compiler(options: CompileOptions(target: .cuda(), lastStage: .code))
        .compile(Array(text.utf8), fileName: "test.ir", sources: &sources)
      Issue.record("it is emitted")
    } catch {
      guard case .input(let list) = error else {
        Issue.record("\(error)")
        return
      }
      let rendered = DiagnosticRenderer(sources: sources).render(list.diagnostics)
      #expect(rendered.contains("test.ir:9:8: error: 'case' cannot be emitted as CUDA"))
    }
  }
}
