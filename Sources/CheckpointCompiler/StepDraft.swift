// A step whose order is final, with its buffers packed: what a planned step is made from.
//
// Method      Values that are written over an operand form chains that live long. Fewer of them may
//             pack better: both assignments are packed roughly, and only the better one with full
//             effort.

/// A function whose order of ops is final, placed in an arena that was not checked yet.
struct StepDraft {
  private let function: Function
  private let computations: [Int]
  private let costNs: Double
  private let target: Target
  private var assignment: StorageAssignment
  private var packing: PackResult

  /// The share of the effort that tells which of several drafts packs better.
  static let roughEffort = 0.02

  /// Packs roughly: with a small part of `effort`, until the arena is at most `capacityBytes`.
  init(
    _ function: Function, computations: [Int], costNs: Double, target: Target, effort: Double,
    capacityBytes: Int?
  ) throws(CompileError) {
    self.function = function
    self.computations = computations
    self.costNs = costNs
    self.target = target
    do throws(Diagnostic) {
      assignment = try StorageAssignment(function, target: target)
      let options = PackOptions(
        capacityBytes: capacityBytes, effort: effort * StepDraft.roughEffort)
      packing = pack(assignment.problem, options: options)
      let goal = max(assignment.problem.maxLiveBytes, capacityBytes ?? 0)
      if packing.plan.arenaBytes > goal, let other = try assignment.cuttingChains() {
        let second = pack(other.problem, options: options)
        if second.plan.arenaBytes < packing.plan.arenaBytes {
          (assignment, packing) = (other, second)
        }
      }
    } catch {
      throw .defect(error.message)
    }
  }

  /// The size of the arena.
  var arenaBytes: Int { packing.plan.arenaBytes }

  /// Searches for a smaller arena until one is within a capacity, or the effort is spent.
  mutating func improve(effort: Double, capacityBytes: Int?) {
    let goal = max(assignment.problem.maxLiveBytes, capacityBytes ?? 0)
    guard arenaBytes > goal else { return }
    let better = pack(
      assignment.problem, options: PackOptions(capacityBytes: capacityBytes, effort: effort))
    if better.plan.arenaBytes < arenaBytes { packing = better }
  }

  /// The step, after its storage was checked against its kernels.
  func checked() throws(CompileError) -> PlannedStep {
    let storage = assignment.plan(packing.plan)
    do throws(Diagnostic) {
      var checker = StorageChecker(function, storage, target: target)
      try checker.check()
      guard checker.highWaterBytes <= storage.arenaBytes else {
        throw Diagnostic("\(checker.highWaterBytes) bytes of \(storage.arenaBytes) are touched")
      }
    } catch {
      throw .defect(error.message)
    }
    return PlannedStep(
      function: function, storage: storage, computations: computations,
      peakLiveBytes: assignment.problem.maxLiveBytes, costNs: costNs, assignment: assignment,
      packed: packing.plan)
  }
}
