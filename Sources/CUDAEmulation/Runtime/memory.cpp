// Device memory: one range of addresses that only the device may touch.
//
// Method      Allocations follow each other with red zones between them and are never reused, so that
//             an address that was freed stays invalid. The range is inaccessible while host code runs:
//             a host that reads through a device pointer crashes, as it would with a device.
// Invariants  New and freed memory is filled with 0xFF, which reads as NaN or -1. Bytes are counted as
//             they are asked for: the peak is what the caller's allocations add up to, to the byte.

#include "ckc_runtime.h"

#include <link.h>
#include <sys/mman.h>

#include <algorithm>

extern "C" char __start_ckc_emu_shared[] __attribute__((weak, visibility("hidden")));
extern "C" char __stop_ckc_emu_shared[] __attribute__((weak, visibility("hidden")));

namespace ckc_emu {

static const size_t range_size = size_t(1) << 36, alignment = 256, red_zone = 256, page = 4096;
static const unsigned char red = 0xc7;
static char *range;
static size_t range_used, bytes_used, bytes_peak, bytes_limit = ~size_t(0);
/// By address, which is by age.
static std::vector<Allocation> allocations;
static unsigned access_depth;

static void set_protection(int protection) {
  if (range_used > 0) mprotect(range, (range_used + page - 1) / page * page, protection);
}
DeviceAccess::DeviceAccess() {
  if (access_depth++ == 0) set_protection(PROT_READ | PROT_WRITE);
}
DeviceAccess::~DeviceAccess() {
  if (--access_depth == 0) set_protection(PROT_NONE);
}

const Allocation *allocation_of(const void *address) {
  const char *byte = static_cast<const char *>(address);
  auto next = std::upper_bound(
    allocations.begin(), allocations.end(), byte,
    [](const char *byte, const Allocation &allocation) { return byte < allocation.start; });
  if (next == allocations.begin()) return nullptr;
  const Allocation &allocation = next[-1];
  return byte < allocation.start + allocation.size ? &allocation : nullptr;
}

bool is_device_memory(const void *address, size_t size, bool writes) {
  const Allocation *allocation = allocation_of(address);
  if (!allocation) return !writes && is_constant(address);
  return allocation->is_live
         && static_cast<const char *>(address) + size <= allocation->start + allocation->size;
}

void check_red_zones() {
  for (const Allocation &allocation : allocations) {
    const char *zones[2] = {allocation.start - red_zone, allocation.start + allocation.size};
    for (int side = 0; side < 2; ++side) {
      for (size_t byte = 0; byte < red_zone; ++byte) {
        if (static_cast<unsigned char>(zones[side][byte]) == red) continue;
        found(format(
          "%zu bytes %s an allocation of %zu bytes were written",
          side == 0 ? red_zone - byte : byte + 1, side == 0 ? "before" : "after", allocation.size));
        break;
      }
    }
  }
}

// MARK: Memory of the library

void shared_section(char **start, size_t *size) {
  *start = __start_ckc_emu_shared;
  *size = size_t(__stop_ckc_emu_shared - __start_ckc_emu_shared);
}

/// The ranges of this library that nothing may write, `[start, end)`.
static std::vector<std::pair<uintptr_t, uintptr_t>> constant_ranges() {
  std::vector<std::pair<uintptr_t, uintptr_t>> ranges;
  dl_iterate_phdr(
    [](dl_phdr_info *info, size_t, void *result) {
      std::vector<std::pair<uintptr_t, uintptr_t>> read_only;
      bool is_this_library = false;
      for (int index = 0; index < info->dlpi_phnum; ++index) {
        const auto &segment = info->dlpi_phdr[index];
        const uintptr_t start = info->dlpi_addr + segment.p_vaddr, end = start + segment.p_memsz;
        const bool is_loaded = segment.p_type == PT_LOAD;
        // Tables of addresses are written by the loader, and constant from then on.
        if ((is_loaded && !(segment.p_flags & PF_W)) || segment.p_type == PT_GNU_RELRO) {
          read_only.push_back({start, end});
        }
        is_this_library |= is_loaded && uintptr_t(&range) >= start && uintptr_t(&range) < end;
      }
      if (!is_this_library) return 0;
      *static_cast<decltype(read_only) *>(result) = read_only;
      return 1;
    },
    &ranges);
  return ranges;
}

bool is_constant(const void *address) {
  static const auto ranges = constant_ranges();
  return std::any_of(ranges.begin(), ranges.end(), [&](const auto &range) {
    return uintptr_t(address) >= range.first && uintptr_t(address) < range.second;
  });
}

}  // namespace ckc_emu

using namespace ckc_emu;

extern "C" {

cudaError_t cudaMalloc(void **address, size_t size) {
  *address = nullptr;
  if (is_capturing()) return cudaErrorStreamCaptureUnsupported;
  if (size == 0) return cudaSuccess;
  const size_t start = (range_used + red_zone + alignment - 1) / alignment * alignment;
  if (bytes_used + size > bytes_limit || start + size + red_zone > range_size) {
    return cudaErrorMemoryAllocation;
  }
  if (!range) {
    void *memory = mmap(
      nullptr, range_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return cudaErrorMemoryAllocation;
    range = static_cast<char *>(memory);
  }
  range_used = start + size + red_zone;
  const DeviceAccess access;
  memset(range + start - red_zone, red, red_zone);
  memset(range + start, 0xff, size);
  memset(range + start + size, red, red_zone);
  allocations.push_back({range + start, size, true});
  check_allocated(range + start, size);
  bytes_used += size;
  bytes_peak = std::max(bytes_peak, bytes_used);
  *address = range + start;
  return cudaSuccess;
}

cudaError_t cudaFree(void *address) {
  if (!address) return cudaSuccess;
  for (Allocation &allocation : allocations) {
    if (allocation.start != address || !allocation.is_live) continue;
    const DeviceAccess access;
    memset(allocation.start, 0xff, allocation.size);
    allocation.is_live = false;
    check_freed(address);
    bytes_used -= allocation.size;
    return cudaSuccess;
  }
  return cudaErrorInvalidDevicePointer;
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total) {
  *total = std::min(range_size, bytes_limit);
  *free = *total - bytes_used;
  return cudaSuccess;
}

/// Bytes of device memory that were allocated at the same time, at most.
CKC_EMU_EXPORT size_t ckc_emu_peak_bytes(void) { return bytes_peak; }

/// More device memory than this cannot be allocated.
CKC_EMU_EXPORT void ckc_emu_limit_bytes(size_t limit) { bytes_limit = limit; }

/// Gives all memory back; the library is not used any more.
CKC_EMU_EXPORT void ckc_emu_release(void) {
  release_checks();
  release_fibers();
  if (range) munmap(range, range_size);
  range = nullptr;
  range_used = bytes_used = bytes_peak = 0;
  allocations.clear();
}

}  // extern "C"
