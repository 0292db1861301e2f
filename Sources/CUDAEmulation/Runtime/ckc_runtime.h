// What the files of the runtime know of each other.
//
// The runtime is part of every library that holds emulated kernels: one device, with its memory, its
// streams and its findings. It belongs to one thread of the host at a time.

#pragma once

#include <cuda_runtime.h>

#include <functional>
#include <string>
#include <vector>

namespace ckc_emu {

// MARK: Findings (findings.cpp)

/// A place in the source: a line, or an address in the code that stands for one.
struct Site {
  const char *file = nullptr;
  int line = 0;
  const void *code = nullptr;
};
/// The words for a site, `file:line`.
std::string text(const Site &site);
/// Words, as `printf` makes them.
std::string format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));
/// Keeps what was found, with the kernel and the thread that are running; the same words once.
void found(const std::string &words);
/// Keeps what was found and ends the launch. In a kernel it does not return.
[[noreturn]] void fail(const std::string &words);
bool has_findings();

// MARK: Threads (fibers.cpp)

/// Prepares thread `index` of a block to run `body` from its start.
void prepare_fiber(unsigned index, void (*body)());
/// Runs a thread until it, or one that it switched to, returns to the scheduler.
void enter_fiber(unsigned index);
/// Goes from one thread to another.
void switch_fiber(unsigned from, unsigned to);
/// Goes from a thread to the scheduler.
void leave_fiber(unsigned from);
/// Whether an address is on the stack of a thread, and of which.
bool is_on_stack(const void *address, unsigned *owner);
void release_fibers();

// MARK: Blocks (blocks.cpp)

/// In which order threads that could run do.
enum class Order { forward, reverse, random };
struct Schedule {
  Order order = Order::forward;
  uint64_t seed = 1;
  /// Whether streams wait with their work until somebody waits for them.
  bool is_lazy = false;
};
extern Schedule schedule;
/// The next random number of the schedule.
uint32_t random_number();

/// The call that runs; null in host code.
extern const Call *running_call;
/// The index of the running thread in its block.
extern unsigned running_thread;
/// Whether a kernel is running.
inline bool is_in_kernel() { return running_call != nullptr; }
/// Runs all blocks of a call, unless one fails.
void run_grid(const Call &call);
/// Ends the launch from within a thread.
[[noreturn]] void abandon();

// MARK: Asynchronous copies (copies.cpp)

void start_copies_of_block();
/// - Returns: Whether the running thread has waited for all copies that it started.
bool has_waited_for_copies();

// MARK: Streams (streams.cpp)

/// Whether a stream is being captured, and the host may do nothing but fill it.
bool is_capturing();
using Work = std::function<void()>;
/// Puts work into a stream: it is done now, or when somebody waits, or captured.
cudaError_t add_work(cudaStream_t stream, Work work);

// MARK: Memory (memory.cpp)

struct Allocation {
  char *start;
  size_t size;
  bool is_live;
};
/// The allocation that an address belongs to, or null.
const Allocation *allocation_of(const void *address);
/// Whether the bytes are within one live allocation, or in a table of constants if only read.
bool is_device_memory(const void *address, size_t size, bool writes);
/// Lets the CPU touch device memory while it plays the device.
struct DeviceAccess {
  DeviceAccess();
  ~DeviceAccess();
};
/// Looks for writes around allocations.
void check_red_zones();
/// The statically shared memory of all kernels.
void shared_section(char **start, size_t *size);
/// Whether an address is in read-only data of this library.
bool is_constant(const void *address);

// MARK: Checks (checks.cpp; without checks they do nothing)

extern const bool has_checks;
/// The parts of the arena that a call may touch; without an arena, all.
struct Windows {
  struct Part {
    const char *start;
    size_t size;
  };
  const void *arena = nullptr;
  std::vector<Part> parts;
};
void start_checks_of_launch(const Call &call, const Windows &windows);
void start_checks_of_block(const char *dynamic, size_t dynamic_size);
void check_barrier_passed();
void check_warp_synchronized(unsigned warp);
enum class Access { read, write };
/// A thread of the device touches memory; an access that must not happen ends the launch.
void check_access(const void *address, size_t size, Access access, const Site &site);
/// The bytes hold no value from now on, or one.
void set_initialized(const void *address, size_t size, bool is_initialized);
void check_allocated(const void *address, size_t size);
void check_freed(const void *address);
void release_checks();

}  // namespace ckc_emu
