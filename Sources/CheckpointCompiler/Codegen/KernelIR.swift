// Placeholder of the seam: replaced by the kernel IR.

/// A step as kernels over buffers.
public struct KernelProgram: Sendable {}

/// Bytes of arena that a kernel needs while it runs, besides what it reads and writes.
func scratchBytes(of op: OpID, in function: Function, target: Target) -> Int { 0 }

func lower(
  _ function: Function, storage: StoragePlan, name: String, target: Target
) -> KernelProgram { KernelProgram() }

func emitC(_ program: KernelProgram) -> (header: String, source: String) { ("", "") }
