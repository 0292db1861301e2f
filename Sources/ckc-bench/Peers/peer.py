"""A peer of ckc: one training step of one network, run when told.

    peer.py torch|jax MODE FOLDER

FOLDER holds `model.json` (network, sizes, learning rate, threads) and the numbers to start from:
`torch.npz` in PyTorch's layouts, `graph.npz` in those of the graph. Commands come on standard input,
one a line, answers go to standard output as JSON, one a line: `steps N` runs N steps and tells their
times and losses; `statistics` is the sum of squares of the running statistics; `memory` is the growth
of the resident set in one step. Standard input that ends, ends it.
"""

import ctypes
import gc
import json
import os
import sys
import time


def status(field):
    """A figure of this process in bytes, or None where the kernel tells none."""
    try:
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))
    except (OSError, StopIteration):
        return None


def step_growth(step):
    """The most that the resident set grows by in one step: of three, the largest, in bytes.

    Free pages go back to the system before, so that all that a step needs is counted, gradients and
    workspaces among it; parameters and batch are there already.
    """
    growths = []
    for _ in range(3):
        gc.collect()
        try:
            ctypes.CDLL(None).malloc_trim(0)
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # the high-water mark starts anew
        except (OSError, AttributeError):
            return None
        before = status("VmRSS")
        step()
        if before is None:
            return None
        growths.append(status("VmHWM") - before)
    return max(growths)


def timed(step, count):
    times, losses = [], []
    for _ in range(count):
        start = time.perf_counter()
        loss = step()
        times.append((time.perf_counter() - start) * 1e3)
        losses.append(loss)
    return {"ms": times, "losses": losses}


def main():
    library, mode, folder = sys.argv[1:]
    with open(os.path.join(folder, "model.json")) as file:
        model = json.load(file)
    if hasattr(os, "sched_setaffinity"):  # libraries that count processors find as many as threads
        processors = sorted(os.sched_getaffinity(0))[: model["threads"]]
        os.sched_setaffinity(0, processors)
    # What a library prints itself must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if library == "torch":
        from torch_peer import Training
    else:
        from jax_peer import Training
    start = time.perf_counter()
    training = Training(model, mode, folder)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    answer({"version": training.version, "seconds": time.perf_counter() - start})
    for line in sys.stdin:
        command, *rest = line.split()
        if command == "steps":
            answer(timed(training.step, int(rest[0])))
        elif command == "statistics":
            answer({"squares": training.squares_of_statistics()})
        elif command == "memory":
            answer({"bytes": step_growth(training.step)})


if __name__ == "__main__":
    main()
