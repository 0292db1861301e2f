struct CUDAAttention {
  private(set) var uses: Set<String> = []
  init(_ attention: AttentionKernel, buffers: [KernelBuffer]) {}
  mutating func print(_ symbol: String) -> CUDAKernel { CUDAKernel() }
}
