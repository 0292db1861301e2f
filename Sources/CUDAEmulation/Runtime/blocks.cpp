// Runs the blocks of a grid, one after the other, and the threads of a block in turns.
//
// Problem     Barriers and exchanges of a warp must do what they do on a device, and misuse of them
//             must be found, not survived by luck.
// Method      A thread runs until it must wait, then the next one that can; the last one to arrive at
//             a barrier or a meeting of its warp lets the others go. When none can run and some have
//             not returned, these wait for ever: the launch fails with the places where they wait.
// Invariants  All threads of a block meet at the same `__syncthreads`, all 32 lanes of a warp at the
//             same exchange: no emitted code relies on anything weaker.
// Order       Forward, reverse or random, of blocks and of threads: results must not depend on it.

#include "ckc_runtime.h"

#include <algorithm>

namespace ckc_emu {

Schedule schedule;
const Position *position;
const Call *running_call;
unsigned running_thread;

enum class State : uint8_t { ready, at_barrier, at_meeting, returned };

struct Thread {
  Position position;
  State state;
  Site waits_at;
};
struct Warp {
  unsigned arrived;
  Meeting kind;
  Site site;
  /// Lanes that leave one meeting may be at the next before others have read: two sets in turns.
  Words words[2][32];
  unsigned round;
};

static Thread threads[1024];
static Warp warps[32];
static unsigned thread_count, returned_count, barrier_arrivals;
static Site barrier_site;
static bool has_failed;
/// Threads that can run, from `ready_first` on.
static std::vector<unsigned> ready;
static size_t ready_first;

static uint64_t random_state;
uint32_t random_number() {
  // SplitMix64.
  random_state += 0x9e3779b97f4a7c15u;
  uint64_t mixed = random_state;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return uint32_t(mixed >> 32);
}

/// Puts what was added since `first` into the order of the schedule.
template <class T>
static void arrange(std::vector<T> &items, size_t first) {
  if (schedule.order == Order::reverse) std::reverse(items.begin() + long(first), items.end());
  if (schedule.order == Order::random) {
    for (size_t index = items.size(); index > first + 1; --index) {
      std::swap(items[index - 1], items[first + random_number() % (index - first)]);
    }
  }
}

// MARK: Turns

static void run_thread(unsigned index) {
  running_thread = index;
  position = &threads[index].position;
}

/// Lets another thread run; returns when this one can go on.
static void wait() {
  const unsigned self = running_thread;
  if (ready_first == ready.size()) {
    leave_fiber(self);
    return;
  }
  const unsigned next = ready[ready_first++];
  run_thread(next);
  switch_fiber(self, next);
}

/// Threads `first` to `end`, but for the running one, go on.
static void release(unsigned first, unsigned end) {
  if (ready_first == ready.size()) {
    ready.clear();
    ready_first = 0;
  }
  const size_t before = ready.size();
  for (unsigned index = first; index < end; ++index) {
    threads[index].state = State::ready;
    if (index != running_thread) ready.push_back(index);
  }
  arrange(ready, before);
}

static void thread_body() {
  running_call->run(running_call->arguments);
  if (!has_waited_for_copies()) fail("a thread returns before it has waited for its copies");
  threads[running_thread].state = State::returned;
  ++returned_count;
  wait();
}

void abandon() {
  has_failed = true;
  leave_fiber(running_thread);
  __builtin_unreachable();
}

// MARK: Waiting for each other

void barrier(const char *file, int line) {
  const Site site = {file, line, nullptr};
  if (barrier_arrivals == 0) barrier_site = site;
  if (barrier_site.line != line || strcmp(barrier_site.file, file) != 0) {
    fail(
      "divergent barriers: this thread is at " + text(site) + ", others at " + text(barrier_site));
  }
  if (++barrier_arrivals == thread_count) {
    barrier_arrivals = 0;
    check_barrier_passed();
    release(0, thread_count);
    return;
  }
  threads[running_thread].state = State::at_barrier;
  threads[running_thread].waits_at = site;
  wait();
}

const Words *meet(Meeting kind, unsigned mask, const Words &mine, const char *file, int line) {
  const Site site = {file, line, nullptr};
  const unsigned warp_index = running_thread / 32, lane = running_thread % 32;
  Warp &warp = warps[warp_index];
  if (mask != 0xffffffffu) {
    fail(format("the mask %08x at %s leaves out lanes of the warp", mask, text(site).c_str()));
  }
  if (thread_count < 32 * warp_index + 32) {
    fail("the block ends within a warp that meets at " + text(site));
  }
  if (warp.arrived == 0) {
    warp.kind = kind;
    warp.site = site;
  }
  if (warp.kind != kind || warp.site.line != line || strcmp(warp.site.file, file) != 0) {
    fail("divergent warp: this lane is at " + text(site) + ", others at " + text(warp.site));
  }
  Words *words = warp.words[warp.round % 2];
  words[lane] = mine;
  if (++warp.arrived == 32) {
    warp.arrived = 0;
    ++warp.round;
    // Only `__syncwarp` orders memory; shuffles do not.
    if (kind == Meeting::synchronize) check_warp_synchronized(warp_index);
    release(32 * warp_index, 32 * warp_index + 32);
  } else {
    threads[running_thread].state = State::at_meeting;
    threads[running_thread].waits_at = site;
    wait();
  }
  return words;
}

/// Some threads wait and none can run.
static std::string deadlock() {
  std::vector<std::pair<Site, unsigned>> places;
  for (unsigned index = 0; index < thread_count; ++index) {
    const Thread &thread = threads[index];
    if (thread.state == State::returned) continue;
    auto known = std::find_if(places.begin(), places.end(), [&](const auto &place) {
      return place.first.line == thread.waits_at.line
             && strcmp(place.first.file, thread.waits_at.file) == 0;
    });
    if (known == places.end()) known = places.insert(known, {thread.waits_at, 0});
    ++known->second;
  }
  std::string words = "threads wait for others for ever:";
  for (const auto &place : places) {
    words += format(" %u at %s,", place.second, text(place.first).c_str());
  }
  return words + format(" %u have returned", returned_count);
}

// MARK: Blocks

static std::vector<char> dynamic_memory;
static char *dynamic_start;
void *dynamic_shared() { return dynamic_start; }

static void start_block(const Call &call, unsigned index) {
  const dim3 block = call.block, grid = call.grid;
  const uint3 place = {index % grid.x, index / grid.x % grid.y, index / grid.x / grid.y};
  returned_count = barrier_arrivals = 0;
  for (Warp &warp : warps) warp.arrived = 0;
  // What was never written reads as NaN, or -1.
  char *section;
  size_t section_size;
  shared_section(&section, &section_size);
  memset(section, 0xff, section_size);
  if (call.dynamic_shared_bytes > 0) memset(dynamic_start, 0xff, call.dynamic_shared_bytes);
  start_copies_of_block();
  start_checks_of_block(dynamic_start, call.dynamic_shared_bytes);
  ready.clear();
  ready_first = 0;
  for (unsigned thread = 0; thread < thread_count; ++thread) {
    const uint3 coordinates = {
      thread % block.x, thread / block.x % block.y, thread / block.x / block.y};
    threads[thread].position = {coordinates, place, block, grid, thread % 32};
    threads[thread].state = State::ready;
    prepare_fiber(thread, thread_body);
    ready.push_back(thread);
  }
  arrange(ready, 0);
}

void run_grid(const Call &call) {
  const DeviceAccess access;
  thread_count = call.block.x * call.block.y * call.block.z;
  dynamic_memory.resize(call.dynamic_shared_bytes + 128);
  dynamic_start = dynamic_memory.data();
  dynamic_start += -uintptr_t(dynamic_start) % 128;
  running_call = &call;
  has_failed = false;
  random_state = schedule.seed;
  std::vector<unsigned> blocks;
  for (unsigned index = 0; index < call.grid.x * call.grid.y * call.grid.z; ++index) {
    blocks.push_back(index);
  }
  arrange(blocks, 0);
  for (unsigned index : blocks) {
    start_block(call, index);
    const unsigned first = ready[ready_first++];
    run_thread(first);
    enter_fiber(first);
    // The scheduler has control again: all have returned, none can run, or one has failed.
    position = nullptr;
    if (has_failed) break;
    if (returned_count < thread_count) {
      found(deadlock());
      break;
    }
  }
  check_red_zones();
  running_call = nullptr;
}

}  // namespace ckc_emu
