// What the host asks of the device itself, and events.
//
// Method      The device says that it is one of those that code is emitted for, with as much memory as
//             is allowed. An event takes the time of the host when the stream comes to it: what is
//             between two of them is the time that the emulation took.

#include "ckc_runtime.h"

#include <chrono>

struct ckc_emu_event {
  bool is_recorded = false;
  std::chrono::steady_clock::time_point time;
};

using namespace ckc_emu;

extern "C" {

cudaError_t cudaGetDeviceCount(int *count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device) {
  if (device != 0) return cudaErrorInvalidValue;
  *properties = {"emulated device", 0, 8, 0, 1, 40 << 20};
  size_t free = 0;
  return cudaMemGetInfo(&free, &properties->totalGlobalMem);
}

cudaError_t cudaEventCreate(cudaEvent_t *event) {
  *event = new ckc_emu_event;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  return add_work(stream, [event] {
    event->is_recorded = true;
    event->time = std::chrono::steady_clock::now();
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const cudaError_t error = cudaDeviceSynchronize();
  return error == cudaSuccess && !event->is_recorded ? cudaErrorInvalidResourceHandle : error;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (!start->is_recorded || !end->is_recorded) return cudaErrorInvalidResourceHandle;
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return cudaSuccess;
}

}  // extern "C"
