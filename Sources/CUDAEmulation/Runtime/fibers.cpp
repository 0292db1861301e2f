// The threads of a block: stacks of their own that one thread of the host switches between.
//
// Problem     A barrier must stop a thread in the middle of a kernel and let others reach it.
// Method      On x86-64 a switch saves the registers that a call keeps and changes the stack pointer;
//             elsewhere `ucontext` does that. A stack starts with the address of the thread's body in
//             place of a return address.
// Invariants  A page below each stack is never accessible, so that a stack that is too deep ends the
//             process rather than another thread's data.

#include "ckc_runtime.h"

#include <sys/mman.h>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace ckc_emu {

static const size_t stack_size = 64 << 10, guard_size = 16 << 10, slot_size = stack_size + guard_size;
static const unsigned fiber_count_max = 1024;
static char *stacks;

#if defined(__x86_64__)

struct Fiber {
  void *stack_pointer;
};
extern "C" __attribute__((visibility("hidden"))) void ckc_emu_switch(void **from, void *to);
asm(R"(
.text
.p2align 4
.hidden ckc_emu_switch
.globl ckc_emu_switch
.type ckc_emu_switch, @function
ckc_emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ckc_emu_switch, . - ckc_emu_switch
)");
static void exchange(Fiber &from, Fiber &to) {
  ckc_emu_switch(&from.stack_pointer, to.stack_pointer);
}
static void start(Fiber &fiber, char *, char *stack_end, void (*body)()) {
  // After the return to `body` the stack must look as after a call: 8 below a multiple of 16.
  void **top = reinterpret_cast<void **>(stack_end - 64);
  top[0] = reinterpret_cast<void *>(body);
  top[1] = nullptr;
  for (int saved = 1; saved <= 6; ++saved) top[-saved] = nullptr;
  fiber.stack_pointer = top - 6;
}

#else

struct Fiber {
  ucontext_t context;
};
static void exchange(Fiber &from, Fiber &to) { swapcontext(&from.context, &to.context); }
static void start(Fiber &fiber, char *stack, char *stack_end, void (*body)()) {
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = stack;
  fiber.context.uc_stack.ss_size = size_t(stack_end - stack);
  fiber.context.uc_link = nullptr;
  makecontext(&fiber.context, body, 0);
}

#endif

static Fiber scheduler;
static Fiber fibers[fiber_count_max];
static unsigned fibers_made;

void prepare_fiber(unsigned index, void (*body)()) {
  if (!stacks) {
    void *memory = mmap(
      nullptr, fiber_count_max * slot_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
      -1, 0);
    if (memory == MAP_FAILED) fail("no address space for the stacks of a block");
    stacks = static_cast<char *>(memory);
  }
  char *stack = stacks + index * slot_size + guard_size;
  for (; fibers_made <= index; ++fibers_made) {
    mprotect(
      stacks + fibers_made * slot_size + guard_size, stack_size, PROT_READ | PROT_WRITE);
  }
  // Stacks that all start at the same place of a page would share one set of the cache.
  start(fibers[index], stack, stack + stack_size - index % 32 * 192, body);
}

void enter_fiber(unsigned index) { exchange(scheduler, fibers[index]); }
void switch_fiber(unsigned from, unsigned to) { exchange(fibers[from], fibers[to]); }
void leave_fiber(unsigned from) { exchange(fibers[from], scheduler); }

bool is_on_stack(const void *address, unsigned *owner) {
  const char *byte = static_cast<const char *>(address);
  if (!stacks || byte < stacks || byte >= stacks + fiber_count_max * slot_size) return false;
  *owner = unsigned(size_t(byte - stacks) / slot_size);
  return true;
}

void release_fibers() {
  if (stacks) munmap(stacks, fiber_count_max * slot_size);
  stacks = nullptr;
  fibers_made = 0;
}

}  // namespace ckc_emu
