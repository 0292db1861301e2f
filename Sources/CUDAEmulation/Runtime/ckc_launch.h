// How a kernel and its arguments get to the runtime: what `CKC_LAUNCH` of emitted code stands for.

#pragma once

namespace ckc_emu {

/// A kernel with its arguments, as a launch leaves them behind.
struct Call {
  const char *kernel;
  const char *file;
  int line;
  dim3 grid, block;
  size_t dynamic_shared_bytes;
  /// The kernel's address, which its attributes belong to.
  const void *function;
  /// The values of the parameters, and what calls the kernel with them or destroys them.
  void *arguments;
  size_t arguments_size;
  void (*run)(void *arguments);
  void (*destroy)(void *arguments);
};

/// Puts a call into a stream. The runtime owns the arguments from then on.
cudaError_t enqueue(const Call &call, cudaStream_t stream);

/// Lets a kernel have more dynamic shared memory than 48 KiB.
cudaError_t set_dynamic_shared_limit(const void *function, int bytes);

/// The address of a tensor in the arena. Kernels may touch it that are launched by the same `CKC_RUN`,
/// or outside of any, the next one.
void *place(const void *arena, size_t offset, size_t size);

/// One `CKC_RUN`: what it has made places of is forgotten with it.
struct Run {
  Run();
  ~Run();
};

template <class... Parameter>
struct Arguments {
  void (*kernel)(Parameter...);
  std::tuple<Parameter...> values;

  static void run(void *self) {
    Arguments &arguments = *static_cast<Arguments *>(self);
    std::apply(arguments.kernel, arguments.values);
  }
  static void destroy(void *self) { delete static_cast<Arguments *>(self); }
};

template <class... Parameter, class... Value>
cudaError_t launch(
  const char *name, const char *file, int line, void (*kernel)(Parameter...), dim3 grid,
  dim3 block, size_t dynamic_shared_bytes, cudaStream_t stream, const Value &...values) {
  using All = Arguments<Parameter...>;
  All *arguments = new All{kernel, std::tuple<Parameter...>(values...)};
  return enqueue(
    Call{name, file, line, grid, block, dynamic_shared_bytes,
         reinterpret_cast<const void *>(kernel), arguments, sizeof(All), All::run, All::destroy},
    stream);
}

}  // namespace ckc_emu

template <class... Parameter>
cudaError_t cudaFuncSetAttribute(
  void (*kernel)(Parameter...), cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaErrorInvalidValue;
  return ckc_emu::set_dynamic_shared_limit(reinterpret_cast<const void *>(kernel), value);
}

#define CKC_LAUNCH(kernel, grid, block, dynamic_shared_bytes, stream, ...)                    \
  ckc_emu::launch(                                                                            \
    #kernel, __FILE__, __LINE__, kernel, grid, block, dynamic_shared_bytes, stream, ##__VA_ARGS__)
#define CKC_PLACE(arena, offset, size) ckc_emu::place(arena, offset, size)
#define CKC_RUN(call)                 \
  do {                                \
    const ckc_emu::Run run;           \
    const int error = (call);         \
    if (error != 0) return error;     \
  } while (0)

/// The address of a table of constants: in the emulation, where the compiler has put it.
template <class T>
cudaError_t cudaGetSymbolAddress(void **address, const T &symbol) {
  *address = const_cast<void *>(static_cast<const void *>(&symbol));
  return cudaSuccess;
}
