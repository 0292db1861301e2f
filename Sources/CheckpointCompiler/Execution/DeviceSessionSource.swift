// The host's side of a step of emitted CUDA, in C++: what owns its memory on the device and runs it.
//
// Problem     Whoever gets an emitted step must allocate, copy and launch before it does anything; and
//             `ckc` must do so through functions that need no header of CUDA.
// Method      One object with a buffer for every pointer of the four structs, in their order, the arena
//             and a stream. The first step is launched kernel by kernel, which loads the kernels; then
//             the step is captured, and each later one is a single launch of a graph.
// Invariants  All memory of the device is allocated when the object is opened: tensors and arena, no
//             byte more. Tensors stay on the device between steps. Every error is returned.
// Switches    CKC_PROFILE leaves the graph out, so that kernels can be timed one by one.

/// The buffers of the four structs of an emitted header, in their order.
struct DeviceBuffers {
  /// The arguments in the order of their buffers, then the results that have one of their own.
  let arguments: [Int]
  let results: [Int]
  /// The number of each group's buffers.
  let groups: [(name: String, count: Int)]
  private var argumentPlaces: [Int32]
  private var resultPlaces: [Int32?]

  init(_ function: Function) {
    let interface = StepInterface(function)
    arguments = interface.inputs + interface.parameters + interface.state
    results = interface.results
    argumentPlaces = Array(repeating: 0, count: function.arguments.count)
    resultPlaces = Array(repeating: nil, count: function.results.count)
    for (place, argument) in arguments.enumerated() { argumentPlaces[argument] = Int32(place) }
    for (place, result) in results.enumerated() {
      resultPlaces[result] = Int32(arguments.count + place)
    }
    groups = [
      ("inputs", interface.inputs.count), ("parameters", interface.parameters.count),
      ("state", interface.state.count), ("results", interface.results.count),
    ]
  }

  /// The place of an argument's buffer.
  func place(ofArgument index: Int) -> Int32 { argumentPlaces[index] }

  /// The place of a result's buffer.
  ///
  /// - Precondition: The result is no update.
  func place(ofResult index: Int) -> Int32 { resultPlaces[index]! }

  /// The bytes of all buffers.
  func bytes(_ function: Function) -> Int { types(function).reduce(0) { $0 + $1.sizeBytes } }

  /// The types of all buffers.
  func types(_ function: Function) -> [TensorType] {
    let resultTypes = function.resultTypes
    return arguments.map { function.argumentType($0) } + results.map { resultTypes[$0] }
  }
}

extension Compilation {
  /// C++ with the functions `NAME_device_open`, `_write`, `_read`, `_run`, `_memory`, `_error` and
  /// `_close`.
  ///
  /// - Precondition: The last stage was `code`, for a CUDA target.
  package var deviceSessionSource: String {
    guard let function = step?.function else { preconditionFailure("there is no step yet") }
    let buffers = DeviceBuffers(function)
    let sizes = buffers.types(function).map { "  \($0.sizeBytes),\n" }.joined()
    var first = 0
    var structs = ""
    for (group, count) in buffers.groups {
      // An empty struct has one member, which the step does not read.
      if count > 0 {
        structs += "  memcpy(&device->\(group), device->buffers + \(first), "
        structs += "\(count) * sizeof(void *));\n"
      }
      first += count
    }
    return """
      /* Runs \(name)_step on a device: owns its memory there, and copies in and out. */

      #include <cuda_runtime.h>
      #include <stdlib.h>
      #include <string.h>

      #include "\(name).h"

      /* The tensors of inputs, parameters, state and results, in the order of the structs. */
      enum { buffer_count = \(first) };
      static const size_t buffer_bytes[buffer_count + 1] = {
      \(sizes)  0,
      };

      struct \(name)_device {
        void *buffers[buffer_count + 1];
        void *arena;
        \(name)_inputs inputs;
        \(name)_parameters parameters;
        \(name)_state state;
        \(name)_results results;
        cudaStream_t stream;
        cudaEvent_t start, end;
        cudaGraphExec_t graph;
        size_t free_at_start;
        bool has_run;
      };

      #define CKC_CHECK(call)                       \\
        do {                                        \\
          const cudaError_t error = (call);         \\
          if (error != cudaSuccess) return error;   \\
        } while (0)

      static cudaError_t prepare(\(name)_device *device) {
        int count = 0;
        CKC_CHECK(cudaGetDeviceCount(&count));
        if (count < 1) return cudaErrorNoDevice;
        size_t total = 0;
        CKC_CHECK(cudaMemGetInfo(&device->free_at_start, &total));
        CKC_CHECK(cudaStreamCreate(&device->stream));
        CKC_CHECK(cudaEventCreate(&device->start));
        CKC_CHECK(cudaEventCreate(&device->end));
        for (int i = 0; i < buffer_count; i++) {
          if (buffer_bytes[i] == 0) continue;
          CKC_CHECK(cudaMalloc(&device->buffers[i], buffer_bytes[i]));
          CKC_CHECK(cudaMemsetAsync(device->buffers[i], 0, buffer_bytes[i], device->stream));
        }
        const size_t arena_bytes = \(name)_ARENA_BYTES;
        if (arena_bytes > 0) CKC_CHECK(cudaMalloc(&device->arena, arena_bytes));
      \(structs)  return cudaStreamSynchronize(device->stream);
      }

      static cudaError_t enqueue(\(name)_device *device) {
        return (cudaError_t)\(name)_step(
            &device->inputs, &device->parameters, &device->state, &device->results, device->arena,
            device->stream);
      }

      #ifndef CKC_PROFILE
      static cudaError_t capture(\(name)_device *device) {
        cudaGraph_t graph = NULL;
        CKC_CHECK(cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal));
        cudaError_t error = enqueue(device);
        const cudaError_t end = cudaStreamEndCapture(device->stream, &graph);
        if (error == cudaSuccess) error = end;
        if (error == cudaSuccess) error = cudaGraphInstantiate(&device->graph, graph, 0);
        if (graph != NULL) (void)cudaGraphDestroy(graph);
        return error;
      }
      #endif

      static cudaError_t run(\(name)_device *device) {
        if (device->graph != NULL) return cudaGraphLaunch(device->graph, device->stream);
        return enqueue(device);
      }

      extern "C" {

      /* Gives back all that a device holds; nothing for NULL. */
      void \(name)_device_close(\(name)_device *device) {
        if (device == NULL) return;
        if (device->graph != NULL) (void)cudaGraphExecDestroy(device->graph);
        for (int i = 0; i < buffer_count; i++) (void)cudaFree(device->buffers[i]);
        (void)cudaFree(device->arena);
        if (device->end != NULL) (void)cudaEventDestroy(device->end);
        if (device->start != NULL) (void)cudaEventDestroy(device->start);
        if (device->stream != NULL) (void)cudaStreamDestroy(device->stream);
        free(device);
      }

      /* Allocates on the first device, all of it zero. These functions return 0 or a cudaError_t. */
      int \(name)_device_open(\(name)_device **opened) {
        \(name)_device *device = (\(name)_device *)calloc(1, sizeof *device);
        *opened = NULL;
        if (device == NULL) return cudaErrorMemoryAllocation;
        const cudaError_t error = prepare(device);
        if (error == cudaSuccess) {
          *opened = device;
        } else {
          \(name)_device_close(device);
        }
        return error;
      }

      /* Copies a tensor to the device; it is named by its place in all four structs. */
      int \(name)_device_write(\(name)_device *device, int buffer, const void *from) {
        CKC_CHECK(cudaMemcpyAsync(
            device->buffers[buffer], from, buffer_bytes[buffer], cudaMemcpyHostToDevice,
            device->stream));
        return cudaStreamSynchronize(device->stream);
      }

      /* Copies a tensor from the device. */
      int \(name)_device_read(\(name)_device *device, int buffer, void *to) {
        CKC_CHECK(cudaMemcpyAsync(
            to, device->buffers[buffer], buffer_bytes[buffer], cudaMemcpyDeviceToHost,
            device->stream));
        return cudaStreamSynchronize(device->stream);
      }

      /* Runs one step to its end, and tells the device's time for it. */
      int \(name)_device_run(\(name)_device *device, float *milliseconds) {
      #ifndef CKC_PROFILE
        if (device->has_run && device->graph == NULL) CKC_CHECK(capture(device));
      #endif
        CKC_CHECK(cudaEventRecord(device->start, device->stream));
        CKC_CHECK(run(device));
        CKC_CHECK(cudaEventRecord(device->end, device->stream));
        CKC_CHECK(cudaStreamSynchronize(device->stream));
        device->has_run = true;
        return cudaEventElapsedTime(milliseconds, device->start, device->end);
      }

      /* By how many bytes the free memory of the device has shrunk since it was opened. */
      int \(name)_device_memory(\(name)_device *device, size_t *bytes) {
        size_t now = 0, total = 0;
        CKC_CHECK(cudaMemGetInfo(&now, &total));
        *bytes = device->free_at_start > now ? device->free_at_start - now : 0;
        return 0;
      }

      /* What an error means. */
      const char *\(name)_device_error(int error) {
        return cudaGetErrorString((cudaError_t)error);
      }

      }


      """
  }
}
