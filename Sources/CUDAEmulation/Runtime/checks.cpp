// Looks at every access to shared and device memory: races, values that were never written, bounds.
//
// Problem     A missing barrier need not change any result of an emulation that runs thread by thread.
// Method      Time is counted in intervals: a new one starts with every block and after every barrier.
//             What another thread did in an older interval of this block, in an older launch, or
//             before a `__syncwarp` that both took part in, happened before; everything else another
//             thread did happens at the same time. Of every word the last write is kept, and as many
//             reads as are needed so that any write that races with some read races with a kept one:
//             two of the present block, in two warps if there are, and one of older blocks.
//             Words are split where accesses are smaller than they.
// Invariants  An access out of bounds ends the launch before it happens; all else is only noted.
// Cost        48 bytes for each word that is touched; about 30 ns for an access.

#include "ckc_runtime.h"

#include <algorithm>
#include <map>
#include <set>

namespace ckc_emu {

const bool has_checks = true;

namespace {

struct Moment {
  uint32_t interval;  // 0: never
  uint32_t thread : 10, synchronizations : 22;
  Site *site;
};
struct Cell {
  Moment write, read, other_read, older_read;
};
/// What is known of one range of memory.
struct Region {
  const char *start;
  size_t size;
  bool is_shared;
  /// One cell for every byte; of a word that is accessed as a whole only the first is used. The four
  /// cells of a word are in four arrays, so that the others cost nothing.
  Cell *cells[4] = {};
  /// For every word, the size of the smallest access to it; 0 before the first.
  std::vector<uint8_t> widths;
  /// For every byte, whether it holds a value.
  std::vector<uint8_t> initialized;

  Region(const char *start, size_t size, bool is_shared)
    : start(start), size(size), is_shared(is_shared), widths(size / 4 + 1), initialized(size) {
    for (Cell *&plane : cells) plane = static_cast<Cell *>(calloc(size / 4 + 1, sizeof(Cell)));
  }
  Region(const Region &) = delete;
  ~Region() {
    for (Cell *plane : cells) free(plane);
  }
};

std::map<const char *, Region> regions;
/// The regions found last, of shared and of other memory: most accesses are to one of them.
Region *last_regions[2];
uint32_t interval = 1, first_of_launch, first_of_block;
uint32_t synchronizations[32];
Windows windows;
/// What holds the arena; null where a call may touch all of it.
const Allocation *windowed;
const char *arguments_start, *arguments_end;

bool is_in(const Region &region, const char *byte) {
  return byte >= region.start && byte < region.start + region.size;
}

/// The region of an address, or null.
Region *region_of(const char *byte) {
  for (Region *last : last_regions) {
    if (last && is_in(*last, byte)) return last;
  }
  auto next = regions.upper_bound(byte);
  if (next == regions.begin()) return nullptr;
  Region &region = (--next)->second;
  if (!is_in(region, byte)) return nullptr;
  return last_regions[region.is_shared] = &region;
}

Region &add_region(const char *start, size_t size, bool is_shared) {
  return regions
    .emplace(
      std::piecewise_construct, std::forward_as_tuple(start),
      std::forward_as_tuple(start, size, is_shared))
    .first->second;
}

/// Whether something happened before what the running thread does now.
bool is_before(const Moment &moment, const Region &region) {
  if (moment.interval < first_of_launch) return true;
  // Another block: its shared memory is not this one's, all else is used at the same time.
  if (moment.interval < first_of_block) return region.is_shared;
  if (moment.interval < interval || moment.thread == running_thread) return true;
  const unsigned warp = running_thread / 32;
  return moment.thread / 32 == warp && moment.synchronizations < synchronizations[warp];
}

void report(const char *what, const Site *now, const Site *then, const Region &region) {
  static std::set<std::pair<const void *, const void *>> known;
  if (!known.insert({now, then}).second) return;
  std::string words = format(
    "%s in %s memory: %s", what, region.is_shared ? "shared" : "device", text(*now).c_str());
  if (then) words += " and " + text(*then);
  found(words);
}

void note_read(Cell &cell, const Moment &now) {
  if (cell.read.interval == now.interval && cell.read.thread == now.thread) {
    cell.read = now;
    return;
  }
  const auto is_of_older_block = [](const Moment &moment) {
    return moment.interval < first_of_block;
  };
  for (Moment *read : {&cell.read, &cell.other_read}) {
    if (read->interval == 0 || !is_of_older_block(*read)) continue;
    cell.older_read = *read;
    read->interval = 0;
  }
  Moment &a = cell.read, &b = cell.other_read;
  const unsigned warp = now.thread / 32;
  if (a.interval < now.interval || a.thread == now.thread) {
    a = now;
  } else if (b.interval < now.interval || b.thread == now.thread) {
    b = now;
  } else if (a.thread / 32 == b.thread / 32) {
    // The other warp is worth more than a second lane; of lanes of one warp, the later ones are.
    if (a.thread / 32 != warp || a.synchronizations > b.synchronizations) {
      b = now;
    } else if (a.synchronizations < now.synchronizations) {
      a = now;
    }
  } else if (a.thread / 32 == warp) {
    a = now;
  } else if (b.thread / 32 == warp) {
    b = now;
  }
}

/// Makes a word have cells for parts of `width` bytes.
void split(Region &region, size_t word, uint8_t width) {
  uint8_t &present = region.widths[word];
  if (present == 0) {
    present = width;
    return;
  }
  for (; present > width; present /= 2) {
    for (size_t byte = 0; byte < 4; byte += present) {
      region.cells[byte + present / 2][word] = region.cells[byte][word];
    }
  }
}

void touch(Region &region, size_t first, size_t size, Access access, Site *site) {
  const Moment now = {
    interval, running_thread, synchronizations[running_thread / 32] & 0x3fffff, site};
  const uint8_t width = size % 4 == 0 && first % 4 == 0   ? 4
                        : size % 2 == 0 && first % 2 == 0 ? 2
                                                          : 1;
  for (size_t byte = first; byte < first + size;) {
    const size_t word = byte / 4;
    split(region, word, width);
    Cell &cell = region.cells[byte % 4][word];
    if (cell.write.interval != 0 && !is_before(cell.write, region)) {
      report("race", site, cell.write.site, region);
    }
    if (access == Access::read) {
      note_read(cell, now);
    } else {
      for (const Moment *read : {&cell.read, &cell.other_read, &cell.older_read}) {
        if (read->interval == 0 || is_before(*read, region)) continue;
        report("race", site, read->site, region);
      }
      cell.write = now;
    }
    byte += region.widths[word];
  }
  if (access == Access::write) {
    memset(&region.initialized[first], 1, size);
  } else if (memchr(&region.initialized[first], 0, size)) {
    report("read of what was never written", site, nullptr, region);
  }
}

/// Whether the arena's part of a call, if it has one, includes the bytes.
bool is_in_window(const char *start, size_t size) {
  if (!windowed || start < windowed->start || start >= windowed->start + windowed->size) return true;
  return std::any_of(windows.parts.begin(), windows.parts.end(), [&](const Windows::Part &part) {
    return start >= part.start && start + size <= part.start + part.size;
  });
}

/// One copy of each site: records hold its address. A small table finds those that recur.
Site *interned(const Site &site) {
  static std::map<std::pair<const void *, int>, Site> sites;
  static std::pair<const void *, Site *> recent[4096];
  const void *key = site.file ? site.file : site.code;
  auto &known = recent[(uintptr_t(key) ^ uintptr_t(site.line)) % 4096];
  if (known.first != key || known.second->line != site.line) {
    known = {key, &sites.emplace(std::make_pair(key, site.line), site).first->second};
  }
  return known.second;
}

}  // namespace

void check_access(const void *address, size_t size, Access access, const Site &place) {
  const char *start = static_cast<const char *>(address);
  unsigned owner;
  if (is_on_stack(address, &owner)) {
    if (owner == running_thread) return;
    fail("an access to another thread's variables at " + text(place));
  }
  if (start >= arguments_start && start < arguments_end) return;
  const char *const verb = access == Access::read ? "read" : "written";
  Region *region = region_of(start);
  if (!region) {
    if (access == Access::read && is_constant(address)) return;
    fail(format(
      "%zu bytes are %s outside of device memory at %s", size, verb, text(place).c_str()));
  }
  if (start + size > region->start + region->size) {
    fail(format(
      "%zu bytes are %s across the end of %s at %s", size, verb,
      region->is_shared ? "shared memory" : "an allocation", text(place).c_str()));
  }
  if (!is_in_window(start, size)) {
    fail(format(
      "%zu bytes are %s at %td in the arena, which is no tensor of the kernel's, at %s", size, verb,
      start - windowed->start, text(place).c_str()));
  }
  touch(*region, size_t(start - region->start), size, access, interned(place));
}

void set_initialized(const void *address, size_t size, bool is_initialized) {
  const char *start = static_cast<const char *>(address);
  Region *region = region_of(start);
  if (!region) return;
  const auto first = region->initialized.begin() + (start - region->start);
  std::fill(first, first + long(size), is_initialized);
}

void start_checks_of_launch(const Call &call, const Windows &windows_of_call) {
  arguments_start = static_cast<const char *>(call.arguments);
  arguments_end = arguments_start + call.arguments_size;
  windows = windows_of_call;
  windowed = windows.arena ? allocation_of(windows.arena) : nullptr;
  first_of_launch = ++interval;
}

void start_checks_of_block(const char *dynamic, size_t dynamic_size) {
  first_of_block = ++interval;
  char *section;
  size_t section_size;
  shared_section(&section, &section_size);
  static const char *dynamic_known;
  static size_t dynamic_known_size;
  if (dynamic != dynamic_known || dynamic_size != dynamic_known_size) {
    check_freed(dynamic_known);
    if (dynamic_size > 0) add_region(dynamic, dynamic_size, true);
    dynamic_known = dynamic;
    dynamic_known_size = dynamic_size;
  }
  if (section_size > 0 && regions.find(section) == regions.end()) {
    add_region(section, section_size, true);
  }
  set_initialized(section, section_size, false);
  if (dynamic_size > 0) set_initialized(dynamic, dynamic_size, false);
}

void check_barrier_passed() { ++interval; }
void check_warp_synchronized(unsigned warp) { ++synchronizations[warp]; }
void check_allocated(const void *address, size_t size) {
  add_region(static_cast<const char *>(address), size, false);
}
void check_freed(const void *address) {
  last_regions[0] = last_regions[1] = nullptr;
  regions.erase(static_cast<const char *>(address));
}
void release_checks() {
  last_regions[0] = last_regions[1] = nullptr;
  regions.clear();
}

}  // namespace ckc_emu
