// Graphics processors as targets: what CUDA is emitted and plans are priced for.
//
// Numbers     From the makers' data sheets: operations per second by type, f32 and f64 outside tensor
//             cores, since contractions of these are computed with fused multiply-adds, bf16 and f16 on
//             them, dense, with sums in f32; bandwidth of the memory; multiprocessors; the L2 cache.
//             `mma.sync`, which is emitted, reaches 63 % of an H100's tensor cores: that is their peak
//             here. The bandwidth of caches is what microbenchmarks reach, rounded. The time of a launch
//             is that of launches that follow each other in one stream.
// Source      W. Luo et al., "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture via
//             Microbenchmarking", IPDPS 2024, arXiv:2402.13499.

/// A graphics processor.
public struct GPU: Hashable, Sendable {
  /// The word after `cuda:` on the command line.
  public var name: String
  /// The compute capability, times ten.
  public var architecture: Int
  /// Multiprocessors, each of which runs several blocks.
  public var multiprocessors: Int
  /// Peak f32 operations per nanosecond.
  public var flopsPerNs: Double
  /// Peak operations per nanosecond of products of bf16 or f16 on tensor cores.
  public var tensorFlopsPerNs: Double
  /// Peak f64 operations per nanosecond.
  public var doubleFlopsPerNs: Double
  /// Bytes per nanosecond to and from memory.
  public var bytesPerNs: Double
  /// The size of the L2 cache.
  public var cacheBytes: Int
  /// Bytes per nanosecond to and from the L2 cache.
  public var cacheBytesPerNs: Double
  /// The time that one launch takes after another, in nanoseconds.
  public var launchNs: Double

  /// NVIDIA A100 (SXM, 80 GB).
  public static let a100 = GPU(
    name: "a100", architecture: 80, multiprocessors: 108, flopsPerNs: 19_500,
    tensorFlopsPerNs: 312_000, doubleFlopsPerNs: 9_700, bytesPerNs: 2_039, cacheBytes: 40 << 20,
    cacheBytesPerNs: 4_500, launchNs: 2_500)
  /// NVIDIA H100 (SXM).
  public static let h100 = GPU(
    name: "h100", architecture: 90, multiprocessors: 132, flopsPerNs: 66_900,
    tensorFlopsPerNs: 623_000, doubleFlopsPerNs: 33_500, bytesPerNs: 3_350, cacheBytes: 50 << 20,
    cacheBytesPerNs: 5_500, launchNs: 2_500)
  /// NVIDIA GeForce RTX 4090.
  public static let rtx4090 = GPU(
    name: "rtx4090", architecture: 89, multiprocessors: 128, flopsPerNs: 82_600,
    tensorFlopsPerNs: 165_200, doubleFlopsPerNs: 1_290, bytesPerNs: 1_008, cacheBytes: 72 << 20,
    cacheBytesPerNs: 5_000, launchNs: 2_500)

  /// All that are described.
  public static let all = [a100, h100, rtx4090]
}

extension GPU {
  /// Peak operations per nanosecond of products of elements of a type.
  package func productFlopsPerNs(_ dtype: DType) -> Double {
    switch dtype {
    case .bf16, .f16: tensorFlopsPerNs
    case .f64: doubleFlopsPerNs
    case .f32, .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: flopsPerNs
    }
  }

  /// The least time for bytes to and from memory, in nanoseconds.
  ///
  /// What the kernels before have left in the cache comes from there: up to half of it, since the
  /// other half is being written.
  package func trafficNs(_ bytes: Int) -> Double {
    let near = min(bytes, cacheBytes / 2)
    return Double(near) / cacheBytesPerNs + Double(bytes - near) / bytesPerNs
  }
}

extension Target {
  /// A graphics processor that CUDA is emitted for.
  public static func cuda(_ gpu: GPU = .a100) -> Target {
    Target(
      name: "cuda:\(gpu.name)", threadsMax: 1, vectorBytes: 16, flopsPerNs: gpu.flopsPerNs,
      bytesPerNs: gpu.bytesPerNs, kernelOverheadNs: gpu.launchNs, gpu: gpu)
  }

  /// The words that name targets.
  public static let names = ["c", "cuda"] + GPU.all.map { "cuda:\($0.name)" }

  /// The target of a word such as `c`, `cuda` or `cuda:h100`; nil where it names none.
  public init?(name: String, threadsMax: Int) {
    if name == "c" {
      self = .cpu(threadsMax: threadsMax)
    } else if name == "cuda" {
      self = .cuda()
    } else if let gpu = GPU.all.first(where: { "cuda:\($0.name)" == name }) {
      self = .cuda(gpu)
    } else {
      return nil
    }
  }
}
