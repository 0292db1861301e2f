// The part of CUDA's runtime library that emitted host code and its callers use.
//
// Names and numbers are CUDA's. Errors are returned and stay: after a failed kernel every call returns
// `cudaErrorLaunchFailure`, and `ckc_emu_findings` has the words.

#pragma once

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorInvalidDevicePointer = 17,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidResourceHandle = 400,
  cudaErrorLaunchFailure = 719,
  cudaErrorStreamCaptureUnsupported = 900,
};
enum cudaMemcpyKind {
  cudaMemcpyHostToHost,
  cudaMemcpyHostToDevice,
  cudaMemcpyDeviceToHost,
  cudaMemcpyDeviceToDevice,
  cudaMemcpyDefault,
};
enum cudaStreamCaptureMode {
  cudaStreamCaptureModeGlobal,
  cudaStreamCaptureModeThreadLocal,
  cudaStreamCaptureModeRelaxed,
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };

typedef struct ckc_emu_stream *cudaStream_t;
typedef struct ckc_emu_graph *cudaGraph_t;
typedef struct ckc_emu_graph *cudaGraphExec_t;
typedef struct ckc_emu_event *cudaEvent_t;

/// What is asked of a device before it is used.
struct cudaDeviceProp {
  char name[256];
  size_t totalGlobalMem;
  int major, minor, multiProcessorCount, l2CacheSize;
};

#define CKC_EMU_EXPORT __attribute__((visibility("default")))

extern "C" {
CKC_EMU_EXPORT cudaError_t cudaMalloc(void **address, size_t size);
CKC_EMU_EXPORT cudaError_t cudaFree(void *address);
CKC_EMU_EXPORT cudaError_t cudaMemcpy(void *to, const void *from, size_t size, cudaMemcpyKind kind);
CKC_EMU_EXPORT cudaError_t cudaMemcpyAsync(
  void *to, const void *from, size_t size, cudaMemcpyKind kind, cudaStream_t stream = nullptr);
CKC_EMU_EXPORT cudaError_t cudaMemset(void *to, int byte, size_t size);
CKC_EMU_EXPORT cudaError_t cudaMemsetAsync(
  void *to, int byte, size_t size, cudaStream_t stream = nullptr);
CKC_EMU_EXPORT cudaError_t cudaStreamCreate(cudaStream_t *stream);
CKC_EMU_EXPORT cudaError_t cudaStreamDestroy(cudaStream_t stream);
CKC_EMU_EXPORT cudaError_t cudaStreamSynchronize(cudaStream_t stream);
CKC_EMU_EXPORT cudaError_t cudaDeviceSynchronize(void);
CKC_EMU_EXPORT cudaError_t cudaGetLastError(void);
CKC_EMU_EXPORT cudaError_t cudaPeekAtLastError(void);
CKC_EMU_EXPORT const char *cudaGetErrorString(cudaError_t error);
CKC_EMU_EXPORT cudaError_t cudaGetDeviceCount(int *count);
CKC_EMU_EXPORT cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device);
CKC_EMU_EXPORT cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
CKC_EMU_EXPORT cudaError_t cudaEventCreate(cudaEvent_t *event);
CKC_EMU_EXPORT cudaError_t cudaEventDestroy(cudaEvent_t event);
CKC_EMU_EXPORT cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream = nullptr);
CKC_EMU_EXPORT cudaError_t cudaEventSynchronize(cudaEvent_t event);
CKC_EMU_EXPORT cudaError_t cudaEventElapsedTime(
  float *milliseconds, cudaEvent_t start, cudaEvent_t end);
CKC_EMU_EXPORT cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode);
CKC_EMU_EXPORT cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph);
CKC_EMU_EXPORT cudaError_t cudaGraphInstantiate(
  cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long flags = 0);
CKC_EMU_EXPORT cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream);
CKC_EMU_EXPORT cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable);
CKC_EMU_EXPORT cudaError_t cudaGraphDestroy(cudaGraph_t graph);
}
