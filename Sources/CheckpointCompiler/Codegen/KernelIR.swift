// Kernels as loops over buffers: what both C and CUDA are printed from.
//
// Body        Loops, or one of the kernels with a blocking of their own: contractions, sorts and
//             attention; for CUDA, loops spread over threads (`GridKernel`).
// Loops       Statements over scalars. A scalar is a value of one element in the compute type of its
//             dtype; a row is a small local array, one element per lane of the innermost loop.
// Order       A loop says whether its iterations are independent; reductions run in the order that
//             is written, so that no number of threads changes a bit.
// Buffers     Parameters of the kernel, by number. Two parameters never alias: a result that
//             overwrites an operand shares its parameter.

/// A test that an index lies in a range, and on a grid.
struct Condition: Hashable, Sendable {
  /// What is tested.
  var index: Index
  /// The least value that passes; nil where it is known to.
  var lower: Int?
  /// The first value above that does not; nil where it is known not to be reached.
  var upper: Int?
  /// The value must be a multiple.
  var divisor = 1

  /// Whether it always holds.
  var isTrivial: Bool { lower == nil && upper == nil && divisor == 1 }
}

/// The value of one element.
indirect enum Expression: Hashable, Sendable {
  /// A scalar that was defined.
  case local(Int)
  /// The element of a row at the current lane.
  case lane(row: Int, Index)
  /// The element of a buffer.
  case load(buffer: Int, Index)
  /// A constant: the bytes of one element.
  case constant(DType, [UInt8])
  /// An index as a number.
  case number(Index, DType)
  /// An elementwise op.
  case apply(Opcode, from: DType, to: DType, [Expression], direction: String?)
  /// The neutral element of a reduction.
  case neutral(kind: String, DType)
  /// Two elements combined as a reduction does, in the dtype of its accumulator.
  case combine(kind: String, DType, Expression, Expression)
  /// An expression where all conditions hold, else the other; only the chosen one is evaluated.
  case choose([Condition], Expression, Expression)
  /// One word of a random stream; the key is in a buffer.
  case randomWord(key: Int, stream: Int, Index)
  /// A random word as a number of `[0, 1)`.
  case uniform(Expression, DType)
}

/// How the iterations of a loop relate.
enum LoopKind: Hashable, Sendable {
  /// One after the other.
  case serial
  /// In any order, on one thread: a loop to be vectorized.
  case independent
  /// In any order, on any thread; the given number of nested loops forms one range.
  case parallel(collapsed: Int)
}

/// One step of a kernel.
enum Statement: Hashable, Sendable {
  /// A scalar of the compute type of a dtype.
  case define(local: Int, DType, Expression)
  /// A place, kept as an integer.
  case definePlace(local: Int, Expression, clampedTo: ClosedRange<Int>?)
  /// A local array of `count` elements, all the same at first.
  case defineRow(row: Int, DType, count: Int, Expression)
  /// A row in the scratch of the kernel, `at` elements after the byte `offset`: it holds what was
  /// assigned to it there before.
  case defineScratchRow(row: Int, DType, offset: Int, at: Index)
  /// A new value of an element of a row.
  case assignLane(row: Int, Index, Expression)
  /// A new element of a buffer.
  case store(buffer: Int, Index, DType, Expression)
  /// A loop over `0..<extent`.
  case loop(variable: Int, extent: Int, LoopKind, [Statement])
  /// A loop over the lanes of a block: `lane` takes `0..<min(most, total - block)`, and `variable`
  /// is `block + lane`.
  case lanes(variable: Int, lane: Int, block: Int, most: Int, total: Int, [Statement])
  /// A loop in blocks of `width`: the variable takes `0, width, …` below `extent`.
  case blocks(variable: Int, width: Int, extent: Int, LoopKind, [Statement])
  /// A loop over a part of a range: the variable takes `start, start + step, …` below `start + most`
  /// and `total`, where `start` is the variable of a loop in blocks of `most` below `total`.
  case part(variable: Int, step: Int, start: Int, most: Int, total: Int, [Statement])
  /// Statements that run where all conditions hold.
  case when([Condition], [Statement])
  /// A row of `ui32` with the words from `start` on of a random stream, as many as the block that
  /// begins at the variable `block` has lanes.
  case randomWords(
    row: Int, key: Int, stream: Int, start: Index, block: Int, most: Int, total: Int)
}

extension Statement {
  /// Whether it uses scratch of the kernel.
  var takesScratch: Bool {
    switch self {
    case .defineScratchRow: true
    case .loop(_, _, _, let body), .lanes(_, _, _, _, _, let body), .blocks(_, _, _, _, let body),
      .part(_, _, _, _, _, let body), .when(_, let body):
      body.contains { $0.takesScratch }
    case .define, .definePlace, .defineRow, .assignLane, .store, .randomWords: false
    }
  }

  /// Bytes of the local arrays that it defines.
  var rowBytes: Int {
    switch self {
    case .defineRow(_, let dtype, let count, _): count > 1 ? count * dtype.rowByteCount : 0
    case .randomWords(_, _, _, _, _, let most, _): most * DType.ui32.byteCount
    case .loop(_, _, _, let body), .lanes(_, _, _, _, _, let body), .blocks(_, _, _, _, let body),
      .part(_, _, _, _, _, let body), .when(_, let body):
      body.reduce(0) { $0 + $1.rowBytes }
    case .define, .definePlace, .defineScratchRow, .assignLane, .store: 0
    }
  }
}

extension DType {
  /// Bytes of an element of a row: narrower ones are computed in 4.
  var rowByteCount: Int { max(4, byteCount) }
}

/// A buffer that a kernel reads or writes.
struct KernelBuffer: Hashable, Sendable {
  /// The dtype of its elements.
  var dtype: DType
  /// Whether the kernel reads it.
  var isRead: Bool
  /// Whether the kernel writes it.
  var isWritten: Bool
}

/// What a kernel does.
enum KernelBody: Hashable, Sendable {
  /// Loops.
  case loops([Statement])
  /// A sum of products; buffers 0 and 1 are its operands, 2 its result, or all others those of its
  /// epilogue.
  case contraction(Contraction)
  /// A sort.
  case sort(SortKernel)
  /// Attention, or its gradients.
  case attention(AttentionKernel)
  /// Loops spread over the threads of a graphics processor.
  case grid(GridKernel)

  /// Whether its function has scratch as its last parameter.
  var takesScratch: Bool {
    switch self {
    case .loops(let statements): statements.contains { $0.takesScratch }
    case .contraction, .sort, .attention: true
    case .grid(let kernel): kernel.scratchBytes > 0
    }
  }
}

/// One kernel, apart from where its buffers are.
struct KernelFunction: Hashable, Sendable {
  /// A few words of its ops, for its name in the code.
  var label: String
  /// Its parameters.
  var buffers: [KernelBuffer]
  /// What it does.
  var body: KernelBody
}

/// A copy between two places.
struct PlacedCopy: Sendable {
  var from: Storage
  var to: Storage
  var sizeBytes: Int
}

/// One run of a kernel, of a loop, or of a branch.
struct KernelCall: Sendable {
  /// What runs.
  enum Work: Sendable {
    /// A kernel, by its position among the functions of the program.
    case kernel(Int)
    /// A loop or a branch, by its position among the controls of the program.
    case control(Int)
  }

  /// What runs.
  var work: Work
  /// Copies before it runs.
  var copies: [PlacedCopy] = []
  /// Where each buffer is.
  var buffers: [Storage]
  /// The size of each buffer in bytes.
  var sizes: [Int] = []
  /// Where its scratch begins; nil where it needs none.
  var scratchOffset: Int?
  /// The size of its scratch in bytes.
  var scratchBytes: Int
  /// The name of the value it makes.
  var name: String
  /// What it writes into the arena: offset and size, padded.
  var written: [(offset: Int, sizeBytes: Int)]
}

/// A function that loops and branches call: calls of kernels, on an arena and buffers of the caller.
struct KernelRoutine: Sendable {
  /// The name of the function.
  var name: String
  /// The buffers of its arguments; one that is updated is written.
  var arguments: [KernelBuffer]
  /// The buffers of its results; nil for the update of an argument.
  var results: [KernelBuffer?]
  /// Its calls, in order.
  var calls: [KernelCall]
  /// Copies after the last call.
  var finalCopies: [PlacedCopy]
  /// The static data of its dense constants.
  var constantNumbers: [ValueID: Int]
}

/// A function that calls routines: a loop, or one of several branches.
struct ControlFunction: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    /// The first routine is the condition, the second the body.
    case loop
    /// The first buffer counts the routine that runs.
    case branch
  }

  var kind: Kind
  /// Positions among the routines of the program.
  var routines: [Int]
  /// Its parameters.
  var buffers: [KernelBuffer]
  /// How often a loop runs, where that has to be known before it does.
  var trips: Int?
}

/// A constant with an element for each place, as static data.
struct ConstantTable: Sendable {
  /// Its type.
  var type: TensorType
  /// Its elements, little-endian.
  var bytes: [UInt8]
}

/// A step as calls of kernels.
public struct KernelProgram: Sendable {
  /// The prefix of emitted names.
  var name: String
  /// The planned function: names, types and roles of arguments and results.
  var function: Function
  /// The machine it is for.
  var target: Target
  /// The kernels, each once.
  var functions: [KernelFunction]
  /// What loops and branches call, callees before callers.
  var routines: [KernelRoutine]
  /// The loops and branches, each once.
  var controls: [ControlFunction]
  /// Their runs, in order.
  var calls: [KernelCall]
  /// Static data.
  var constants: [ConstantTable]
  /// The static data of the dense constants of the step.
  var constantNumbers: [ValueID: Int]
  /// Copies after the last kernel.
  var finalCopies: [PlacedCopy]
  /// The size of the arena.
  var arenaBytes: Int
  /// The alignment of the arena.
  var alignment: Int
}
