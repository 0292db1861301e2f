import Testing

@testable import CheckpointCompiler

/// Plans for a device are priced by its arithmetic, cache and launches.
@Suite struct GPUCostTests {
  private func costNs(_ dtype: String, size: Int, _ target: Target) throws -> Double {
    let text = """
      func @main(%x: \(dtype)[\(size),\(size)], %w: \(dtype)[\(size),\(size)]) -> (
          %y: \(dtype)[\(size),\(size)]) {
        %y = linear %x, %w
        return %y
      }
      """
    let compilation = try LoopSamples.compile(text, CompileOptions(target: target))
    return try #require(compilation.step).costNs
  }

  @Test func productsTakeTheTimeOfTheirType() throws {
    let sizes = 4096
    for gpu in GPU.all {
      let flops = 2 * Double(sizes * sizes) * Double(sizes)
      for (dtype, rate) in [
        ("f32", gpu.flopsPerNs), ("bf16", gpu.tensorFlopsPerNs), ("f16", gpu.tensorFlopsPerNs),
        ("f64", gpu.doubleFlopsPerNs),
      ] {
        let cost = try costNs(dtype, size: sizes, .cuda(gpu))
        #expect(cost > flops / rate && cost < 2 * flops / rate, "\(gpu.name), \(dtype): \(cost)")
      }
    }
    // Emitted C computes bf16 in f32.
    let ratio = try costNs("f32", size: 512, .cpu()) / costNs("bf16", size: 512, .cpu())
    #expect(ratio > 0.9 && ratio < 1.1)
  }

  @Test func smallTrafficComesFromTheCache() throws {
    for gpu in GPU.all {
      let half = gpu.cacheBytes / 2
      #expect(gpu.trafficNs(0) == 0)
      #expect(gpu.trafficNs(half) == Double(half) / gpu.cacheBytesPerNs)
      let beyond = gpu.trafficNs(half + 1_000_000) - gpu.trafficNs(half)
      #expect(abs(beyond - 1_000_000 / gpu.bytesPerNs) < 1e-6)
    }
    // A kernel of a few bytes takes a launch.
    let tiny = try costNs("f32", size: 4, .cuda(.a100))
    #expect(tiny >= GPU.a100.launchNs && tiny < 2 * GPU.a100.launchNs)
  }
}
