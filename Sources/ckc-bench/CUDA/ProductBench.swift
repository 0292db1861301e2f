// Products of matrices by emitted CUDA beside those of NVIDIA's cuBLAS, where it can be linked.
//
// Method      A graph of one product, compiled as any other, timed by events; cuBLAS on the same sizes,
//             without TF32, since the emitted product has the whole of f32. The median of some runs.

import CheckpointCompiler
import Foundation

/// The products of one device.
struct ProductBench {
  /// One product in one type.
  struct Row {
    var name: String
    var ms: Double
    var flopsPerNs: Double
    /// The share of the measured peak.
    var share: Double
    /// The milliseconds of cuBLAS; nil where it is not there.
    var cublasMs: Double?
  }

  private let driver: CUDADriver
  private let device: CUDADevice
  private let target: Target
  private let peak: DevicePeak
  private let cublas: String?
  private static let types: [(name: String, dtype: DType)] = [("f32", .f32), ("bf16", .bf16)]

  init(
    _ driver: CUDADriver, _ device: CUDADevice, target: Target, peak: DevicePeak, cublas: String?
  ) {
    self.driver = driver
    self.device = device
    self.target = target
    self.peak = peak
    self.cublas = cublas
  }

  /// The flags that find cuBLAS; wheels of PyPI have its libraries under versioned names only.
  private var cublasFlags: [String] {
    guard let cublas else { return ["-lcublas"] }
    let library = "\(cublas)/lib"
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: library)) ?? []).sorted()
    let files = ["libcublas.so", "libcublasLt.so"].compactMap { prefix in
      names.first { $0.hasPrefix(prefix) }
    }
    return ["-I\(cublas)/include", "-L\(library)", "-Xlinker", "-rpath", "-Xlinker", library]
      + files.map { "-l:\($0)" }
  }

  /// Measures, and says where cuBLAS is missing.
  func text(_ products: [CUDABenchArguments.Product], runs: Int) throws(BenchError) -> String {
    var text = ""
    var rows: [Row] = []
    do throws(BenchError) {
      let cublas = try CUDAProgram(
        driver, device, name: "cublas", text: Self.cublasSource, flags: cublasFlags)
      for product in products {
        for type in Self.types {
          var row = try self.row(product, type, runs: runs)
          row.cublasMs = try cublas.numbers(
            [type.name] + [product.rows, product.columns, product.depth, runs].map(String.init)
          ).first
          rows.append(row)
        }
      }
    } catch {
      let line = error.message.split(separator: "\n").first.map(String.init) ?? ""
      text += "  cuBLAS skipped: \(line)\n"
      rows = []
      for product in products {
        for type in Self.types { rows.append(try row(product, type, runs: runs)) }
      }
    }
    text += CUDABench.row("product", ["ms", "GFLOP/s", "% of peak", "/ cuBLAS"])
    for row in rows {
      text += CUDABench.row(
        row.name,
        [
          PlanBench.number(row.ms, 4), PlanBench.number(row.flopsPerNs, 0),
          PlanBench.number(100 * row.share, 0),
          row.cublasMs.map { PlanBench.number(row.ms / $0, 3) } ?? "-",
        ])
    }
    return text
  }

  private func row(
    _ product: CUDABenchArguments.Product, _ type: (name: String, dtype: DType), runs: Int
  ) throws(BenchError) -> Row {
    let (m, n, k) = (product.rows, product.columns, product.depth)
    let graph = """
      func @main(%x: \(type.name)[\(m),\(k)], %w: \(type.name)[\(k),\(n)]) -> (%y: \(type.name)[\(m),\(n)]) {
        %y = linear %x, %w
        return %y
      }
      """
    var sources = SourceMap()
    let step: DeviceStep
    do {
      let compilation = try Compiler(options: CompileOptions(name: "product", target: target))
        .compile(Array(graph.utf8), fileName: "product.ir", sources: &sources)
      step = try DeviceStep(compilation, driver: driver, architecture: device.architecture)
      for index in step.function.arguments.indices {
        try step.setArgument(
          index, to: Tensor(step.function.argumentType(index), repeating: 0.5))
      }
      var times: [Double] = []
      for run in -2..<runs {
        try step.run()
        if run >= 0 { times.append(step.lastMilliseconds) }
      }
      let ms = medianOf(times)
      let rate = product.flops / (ms * 1e6)
      let limit = type.dtype == .f32 ? peak.flopsPerNs : peak.tensorFlopsPerNs
      return Row(
        name: "\(type.name) \(m) x \(n), depth \(k)", ms: ms, flopsPerNs: rate,
        share: rate / limit)
    } catch {
      throw BenchError(message: "a product of \(m) x \(n), depth \(k): \(error)")
    }
  }

  /// `cublas f32|bf16 ROWS COLUMNS DEPTH RUNS` prints the median of the milliseconds.
  static let cublasSource = """
    #include <cublas_v2.h>
    #include <cuda_runtime.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>

    #include <algorithm>
    #include <vector>

    int main(int argc, char **argv) {
      if (argc != 6) return 2;
      const bool is_f32 = strcmp(argv[1], "f32") == 0;
      const int m = atoi(argv[2]), n = atoi(argv[3]), k = atoi(argv[4]), runs = atoi(argv[5]);
      const size_t size = is_f32 ? 4 : 2;
      const cudaDataType_t type = is_f32 ? CUDA_R_32F : CUDA_R_16BF;
      void *x, *w, *y;
      cublasHandle_t handle;
      cudaEvent_t start, end;
      if (cudaMalloc(&x, size * m * k) != cudaSuccess || cudaMalloc(&w, size * k * n) != cudaSuccess
          || cudaMalloc(&y, size * m * n) != cudaSuccess || cudaMemset(x, 0, size * m * k) != cudaSuccess
          || cudaMemset(w, 0, size * k * n) != cudaSuccess || cudaEventCreate(&start) != cudaSuccess
          || cudaEventCreate(&end) != cudaSuccess || cublasCreate(&handle) != CUBLAS_STATUS_SUCCESS) {
        fprintf(stderr, "cuBLAS cannot be started");
        return 1;
      }
      const float one = 1, zero = 0;
      std::vector<float> times;
      for (int run = -2; run < runs; run++) {
        /* Rows follow each other: the transposed product of what cuBLAS takes for columns. */
        cudaEventRecord(start, 0);
        const cublasStatus_t status = cublasGemmEx(
            handle, CUBLAS_OP_N, CUBLAS_OP_N, n, m, k, &one, w, type, n, x, type, k, &zero, y, type, n,
            is_f32 ? CUBLAS_COMPUTE_32F_PEDANTIC : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
        cudaEventRecord(end, 0);
        float ms = 0;
        if (status != CUBLAS_STATUS_SUCCESS || cudaEventSynchronize(end) != cudaSuccess
            || cudaEventElapsedTime(&ms, start, end) != cudaSuccess) {
          fprintf(stderr, "cuBLAS fails");
          return 1;
        }
        if (run >= 0) times.push_back(ms);
      }
      std::sort(times.begin(), times.end());
      printf("%.6f\\n", times[times.size() / 2]);
      return 0;
    }

    """
}
