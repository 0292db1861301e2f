// Where the compiler announces accesses: the functions that `-fsanitize=thread` and the checks of
// `-fsanitize=alignment,bounds,signed-integer-overflow` call, in place of the sanitizers' own.
//
// Source      The interfaces of LLVM's compiler-rt, which gcc shares: tsan_interface.h, ubsan_handlers.h.

#include "ckc_runtime.h"

using namespace ckc_emu;

/// The access of `size` bytes that the caller of the caller makes.
static inline void announce(const void *address, size_t size, Access access, const void *code) {
  if (position && size > 0) check_access(address, size, access, Site{nullptr, 0, code});
}

#define CALLER __builtin_return_address(0)
#define ACCESSES(size)                                                                            \
  void __tsan_read##size(void *address) { announce(address, size, Access::read, CALLER); }        \
  void __tsan_write##size(void *address) { announce(address, size, Access::write, CALLER); }      \
  void __tsan_unaligned_read##size(void *address) { announce(address, size, Access::read, CALLER); } \
  void __tsan_unaligned_write##size(void *address) {                                              \
    announce(address, size, Access::write, CALLER);                                               \
  }                                                                                               \
  void __tsan_read_write##size(void *address) {                                                   \
    announce(address, size, Access::read, CALLER);                                                \
    announce(address, size, Access::write, CALLER);                                               \
  }

extern "C" {

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(void *address, size_t size) {
  announce(address, size, Access::read, CALLER);
}
void __tsan_write_range(void *address, size_t size) {
  announce(address, size, Access::write, CALLER);
}
void *__tsan_memcpy(void *to, const void *from, size_t size) {
  announce(from, size, Access::read, CALLER);
  announce(to, size, Access::write, CALLER);
  return memcpy(to, from, size);
}
void *__tsan_memmove(void *to, const void *from, size_t size) {
  announce(from, size, Access::read, CALLER);
  announce(to, size, Access::write, CALLER);
  return memmove(to, from, size);
}
void *__tsan_memset(void *to, int byte, size_t size) {
  announce(to, size, Access::write, CALLER);
  return memset(to, byte, size);
}
void __tsan_init(void) {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit(void) {}

/// What the compiler says about the place of a check.
struct Location {
  const char *file;
  uint32_t line, column;
};
static void misused(const char *what, const Location *place) {
  const std::string words = what + (" at " + text(Site{place->file, int(place->line), nullptr}));
  if (position) fail(words);
  found(words);
}

void __ubsan_handle_type_mismatch_v1(Location *place, uintptr_t) {
  misused("an access that is not aligned to its size", place);
}
void __ubsan_handle_out_of_bounds(Location *place, uintptr_t) {
  misused("an index out of the bounds of its array", place);
}
void __ubsan_handle_add_overflow(Location *place, uintptr_t, uintptr_t) {
  misused("an integer sum that overflows", place);
}
void __ubsan_handle_sub_overflow(Location *place, uintptr_t, uintptr_t) {
  misused("an integer difference that overflows", place);
}
void __ubsan_handle_mul_overflow(Location *place, uintptr_t, uintptr_t) {
  misused("an integer product that overflows", place);
}
void __ubsan_handle_negate_overflow(Location *place, uintptr_t) {
  misused("an integer whose negative overflows", place);
}

}  // extern "C"
