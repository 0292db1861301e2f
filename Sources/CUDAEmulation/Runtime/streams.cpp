// Streams, graphs and copies: when the work that the host asks for is done.
//
// Method      A stream that is eager does work at once; one that is lazy keeps it until somebody waits,
//             as late as CUDA allows, which finds a host that does not wait or reuses memory too
//             early. While a stream is captured, its work goes to a graph, and calls that would wait
//             fail, as they do on a device.
// Invariants  After a failed launch nothing runs any more and every call says so.

#include "ckc_runtime.h"

#include <map>
#include <memory>

struct ckc_emu_graph {
  std::vector<ckc_emu::Work> work;
};
struct ckc_emu_stream {
  std::vector<ckc_emu::Work> pending;
  ckc_emu_graph *capture = nullptr;
};

namespace ckc_emu {

static ckc_emu_stream default_stream;
static std::vector<ckc_emu_stream *> streams = {&default_stream};
static std::map<const void *, size_t> dynamic_shared_limits;
/// The places in the arena that `CKC_PLACE` has made, of all runs that have not ended.
static Windows places;
/// How many there were when each of these runs began.
static std::vector<size_t> runs;
static cudaError_t last_error = cudaSuccess;

/// An error of a call: returned, and kept for `cudaGetLastError`.
static cudaError_t report(cudaError_t error) {
  if (has_findings()) error = cudaErrorLaunchFailure;
  if (error != cudaSuccess) last_error = error;
  return error;
}
static cudaError_t misuse(cudaError_t error, const std::string &words) {
  found(words);
  return report(error);
}

cudaError_t add_work(cudaStream_t stream, Work work) {
  if (!stream) stream = &default_stream;
  if (stream->capture) {
    stream->capture->work.push_back(std::move(work));
  } else if (schedule.is_lazy) {
    stream->pending.push_back(std::move(work));
  } else if (!has_findings()) {
    work();
  }
  return report(cudaSuccess);
}

static cudaError_t finish(ckc_emu_stream *stream) {
  if (stream->capture) {
    return misuse(cudaErrorStreamCaptureUnsupported, "the host waits for a stream in capture");
  }
  std::vector<Work> pending;
  pending.swap(stream->pending);
  for (const Work &work : pending) {
    if (!has_findings()) work();
  }
  return report(cudaSuccess);
}

bool is_capturing() {
  for (const ckc_emu_stream *stream : streams) {
    if (stream->capture) return true;
  }
  return false;
}

// MARK: Launches

void *place(const void *arena, size_t offset, size_t size) {
  const char *start = static_cast<const char *>(arena) + offset;
  places.arena = arena;
  places.parts.push_back({start, size});
  return const_cast<char *>(start);
}

Run::Run() { runs.push_back(places.parts.size()); }
Run::~Run() {
  places.parts.resize(runs.back());
  runs.pop_back();
}

/// Outside of runs, places are made for one call only.
static void forget_places() {
  if (runs.empty()) places = {};
}

cudaError_t set_dynamic_shared_limit(const void *function, int bytes) {
  // The largest of the devices that code is emitted for: 227 KiB on sm_90.
  if (bytes < 0 || bytes > 227 << 10) return report(cudaErrorInvalidValue);
  dynamic_shared_limits[function] = size_t(bytes);
  return cudaSuccess;
}

/// What is wrong with the extents of a call; empty where nothing is.
static std::string fault(const Call &call) {
  const dim3 block = call.block, grid = call.grid;
  const uint64_t threads = uint64_t(block.x) * block.y * block.z;
  if (threads == 0 || threads > 1024 || block.z > 64) {
    return format("a block of %u x %u x %u threads", block.x, block.y, block.z);
  }
  if (uint64_t(grid.x) * grid.y * grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535
      || grid.z > 65535) {
    return format("a grid of %u x %u x %u blocks", grid.x, grid.y, grid.z);
  }
  const auto limit = dynamic_shared_limits.find(call.function);
  if (call.dynamic_shared_bytes
      > (limit == dynamic_shared_limits.end() ? 48 << 10 : limit->second)) {
    return format("%zu bytes of dynamic shared memory", call.dynamic_shared_bytes);
  }
  return "";
}

cudaError_t enqueue(const Call &call, cudaStream_t stream) {
  const std::shared_ptr<void> arguments(call.arguments, call.destroy);
  const Windows windows_of_call = places;
  forget_places();
  const std::string words = fault(call);
  if (!words.empty()) {
    return misuse(
      cudaErrorInvalidConfiguration,
      format("%s at %s:%d is launched with %s", call.kernel, call.file, call.line, words.c_str()));
  }
  // The work owns the arguments: a graph may be launched again and again.
  return add_work(stream, [call, arguments, windows_of_call] {
    start_checks_of_launch(call, windows_of_call);
    run_grid(call);
  });
}

}  // namespace ckc_emu

using namespace ckc_emu;

extern "C" {

// MARK: Copies

cudaError_t cudaMemcpyAsync(
  void *to, const void *from, size_t size, cudaMemcpyKind kind, cudaStream_t stream) {
  forget_places();
  if (size == 0) return report(cudaSuccess);
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  if (kind == cudaMemcpyDefault) return misuse(cudaErrorInvalidValue, "a copy of no direction");
  if (from_device != is_device_memory(from, size, false) && !is_constant(from)) {
    return misuse(cudaErrorInvalidValue, "a copy reads what is not memory of its side");
  }
  if (to_device != is_device_memory(to, size, true)) {
    return misuse(cudaErrorInvalidValue, "a copy writes what is not memory of its side");
  }
  return add_work(stream, [=] {
    const DeviceAccess access;
    memmove(to, from, size);
    if (to_device) set_initialized(to, size, true);
  });
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t size, cudaMemcpyKind kind) {
  const cudaError_t error = cudaMemcpyAsync(to, from, size, kind, nullptr);
  return error == cudaSuccess ? cudaDeviceSynchronize() : error;
}

cudaError_t cudaMemsetAsync(void *to, int byte, size_t size, cudaStream_t stream) {
  forget_places();
  if (size == 0) return report(cudaSuccess);
  if (!is_device_memory(to, size, true)) {
    return misuse(cudaErrorInvalidValue, "a fill writes what is not device memory");
  }
  return add_work(stream, [=] {
    const DeviceAccess access;
    memset(to, byte, size);
    // 0xFF is the poison of buffers that hold nothing yet.
    set_initialized(to, size, (byte & 0xff) != 0xff);
  });
}

cudaError_t cudaMemset(void *to, int byte, size_t size) {
  const cudaError_t error = cudaMemsetAsync(to, byte, size, nullptr);
  return error == cudaSuccess ? cudaDeviceSynchronize() : error;
}

// MARK: Streams

cudaError_t cudaStreamCreate(cudaStream_t *stream) {
  *stream = new ckc_emu_stream;
  streams.push_back(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  for (size_t index = 1; index < streams.size(); ++index) {
    if (streams[index] != stream) continue;
    const cudaError_t error = finish(stream);
    streams.erase(streams.begin() + long(index));
    delete stream;
    return error;
  }
  return report(cudaErrorInvalidResourceHandle);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  return finish(stream ? stream : &default_stream);
}

cudaError_t cudaDeviceSynchronize(void) {
  for (ckc_emu_stream *stream : streams) {
    const cudaError_t error = finish(stream);
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}

// MARK: Graphs

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (!stream || stream->capture) return report(cudaErrorStreamCaptureUnsupported);
  stream->capture = new ckc_emu_graph;
  return report(cudaSuccess);
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  if (!stream || !stream->capture) return report(cudaErrorInvalidValue);
  *graph = stream->capture;
  stream->capture = nullptr;
  return report(cudaSuccess);
}

cudaError_t cudaGraphInstantiate(
  cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long) {
  *executable = new ckc_emu_graph(*graph);
  return report(cudaSuccess);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  for (const Work &work : executable->work) {
    const cudaError_t error = add_work(stream, work);
    if (error != cudaSuccess) return error;
  }
  return report(cudaSuccess);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

// MARK: Errors and schedules

cudaError_t cudaPeekAtLastError(void) { return has_findings() ? cudaErrorLaunchFailure : last_error; }

cudaError_t cudaGetLastError(void) {
  const cudaError_t error = cudaPeekAtLastError();
  last_error = cudaSuccess;
  return error;
}

const char *cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorInvalidDevicePointer: return "invalid device pointer";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorInvalidResourceHandle: return "invalid resource handle";
    case cudaErrorLaunchFailure: return "unspecified launch failure";
    case cudaErrorStreamCaptureUnsupported: return "operation not permitted when stream is capturing";
  }
  return "unrecognized error code";
}

/// Which order the next launches take, 0 forward, 1 reverse, 2 random by `seed`, and whether streams
/// wait with their work.
CKC_EMU_EXPORT void ckc_emu_set_schedule(int order, uint64_t seed, int is_lazy) {
  schedule.order = order == 0 ? Order::forward : order == 1 ? Order::reverse : Order::random;
  schedule.seed = seed;
  schedule.is_lazy = is_lazy != 0;
}

}  // extern "C"
