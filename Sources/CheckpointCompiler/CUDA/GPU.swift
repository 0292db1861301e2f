// Graphics processors as targets: what CUDA is emitted and plans are priced for.
//
// Numbers     From the makers' data sheets: f32 operations outside tensor cores, since contractions are
//             computed with fused multiply-adds of f32; bandwidth of the memory; multiprocessors. The
//             time of a launch is that of launches that follow each other in one stream.

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
  /// Bytes per nanosecond to and from memory.
  public var bytesPerNs: Double
  /// The time that one launch takes after another, in nanoseconds.
  public var launchNs: Double

  /// NVIDIA A100 (SXM, 80 GB).
  public static let a100 = GPU(
    name: "a100", architecture: 80, multiprocessors: 108, flopsPerNs: 19_500, bytesPerNs: 2_039,
    launchNs: 2_500)
  /// NVIDIA H100 (SXM).
  public static let h100 = GPU(
    name: "h100", architecture: 90, multiprocessors: 132, flopsPerNs: 66_900, bytesPerNs: 3_350,
    launchNs: 2_500)
  /// NVIDIA GeForce RTX 4090.
  public static let rtx4090 = GPU(
    name: "rtx4090", architecture: 89, multiprocessors: 128, flopsPerNs: 82_600,
    bytesPerNs: 1_008, launchNs: 2_500)

  /// All that are described.
  public static let all = [a100, h100, rtx4090]
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
