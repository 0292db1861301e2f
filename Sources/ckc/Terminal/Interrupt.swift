// Ctrl-C as a question that a loop asks, rather than as a sudden end.
//
// Problem     Training must stop after a whole step and save; a second Ctrl-C must still end it.
// Method      The signal is taken off its default action and watched by a dispatch source, which
//             sets a flag under a lock; the second one ends the process at once.

import Dispatch
import Foundation

/// Watches for Ctrl-C and the signal to terminate, as long as it exists.
final class Interrupt: @unchecked Sendable {
  // `isSet` is guarded by `lock`; the sources are only touched by `init` and `deinit`.
  private let lock = NSLock()
  private var isSet = false
  private var sources: [any DispatchSourceSignal] = []

  init() {
    let queue = DispatchQueue(label: "ckc.interrupt")
    for number in [SIGINT, SIGTERM] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { [weak self] in
        if self?.set() ?? true { _exit(128 + number) }
      }
      source.resume()
      sources.append(source)
    }
  }

  deinit {
    for source in sources { source.cancel() }
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
  }

  /// Whether the loop should stop.
  var isRequested: Bool { lock.withLock { isSet } }

  /// Sets the flag and returns whether it was set before.
  private func set() -> Bool {
    lock.withLock {
      defer { isSet = true }
      return isSet
    }
  }
}
