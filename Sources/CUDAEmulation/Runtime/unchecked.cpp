// What takes the place of `checks.cpp` where accesses are not looked at: nothing.

#include "ckc_runtime.h"

namespace ckc_emu {

const bool has_checks = false;

void start_checks_of_launch(const Call &, const Windows &) {}
void start_checks_of_block(const char *, size_t) {}
void check_barrier_passed() {}
void check_warp_synchronized(unsigned) {}
void check_access(const void *, size_t, Access, const Site &) {}
void set_initialized(const void *, size_t, bool) {}
void check_allocated(const void *, size_t) {}
void check_freed(const void *) {}
void release_checks() {}

}  // namespace ckc_emu
