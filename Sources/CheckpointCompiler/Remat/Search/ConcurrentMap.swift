// Independent pieces of work on several threads, their results in a fixed order.
//
// Invariants  A piece sees nothing that another writes, so the results do not depend on the number
//             of threads.

import Dispatch

/// The results of `body` for `0..<count`, in that order, computed on up to `threadCount` threads.
package func concurrentMap<Result: Sendable>(
  _ count: Int, threadCount: Int, _ body: @Sendable (Int) -> Result
) -> [Result] {
  let workers = min(count, threadCount)
  if workers < 2 { return (0..<count).map(body) }
  var results = [Result?](repeating: nil, count: count)
  results.withUnsafeMutableBufferPointer { buffer in
    // Every index is written by one thread, and read after all have ended.
    nonisolated(unsafe) let slots = buffer
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
      for index in stride(from: worker, to: count, by: workers) { slots[index] = body(index) }
    }
  }
  return results.compactMap { $0 }
}
