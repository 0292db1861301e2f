// A small C++ program around a step of emitted CUDA: what `DriverSource.swift` is for C.
//
// Method      The host's side of the step (`DeviceSessionSource.swift`), the same table of made-up
//             values, and a loop; the times are the device's, between two events.

extension Compilation {
  /// The text of a C++ program that runs the step on a device as often as its argument says, 10 times
  /// by default.
  ///
  /// - Precondition: The last stage was `code`, for a CUDA target.
  package var deviceDriverSource: String {
    let rows = driverTables.flatMap(\.rows).map { "  \($0),\n" }.joined()
    return deviceSessionSource + """
      /* Runs it on made-up values and tells its time: \(name) [STEPS] */

      #include <stdint.h>
      #include <stdio.h>

      \(DriverBuffer.declaration)/* What the tensors hold at the start. */
      static const buffer contents_table[buffer_count + 1] = {
      \(rows)  {0, CONSTANT, 1, {0}},
      };

      \(DriverBuffer.functions)static int failed(const char *action, int error) {
        fprintf(stderr, "%s: %s (error %d)\\n", action, \(name)_device_error(error), error);
        return 1;
      }

      static int run_steps(\(name)_device *device, double *times, long steps) {
        for (int i = 0; i < buffer_count; i++) {
          void *values = filled(&contents_table[i]);
          const int error = \(name)_device_write(device, i, values);
          free(values);
          if (error != 0) return failed("copying to the device", error);
        }
        /* The first run loads the kernels, the second makes a graph of them; they are not counted. */
        for (long step = -2; step < steps; step++) {
          float milliseconds = 0;
          const int error = \(name)_device_run(device, &milliseconds);
          if (error != 0) return failed("the step", error);
          if (step >= 0) times[step] = milliseconds;
        }
        return 0;
      }

      int main(int argc, char **argv) {
        const long steps = argc > 1 ? step_count(argv[1]) : 10;
        if (argc > 2 || steps < 1) {
          fprintf(stderr, "usage: %s [STEPS], at most %ld\\n", argv[0], steps_max);
          return 2;
        }
        \(name)_device *device = NULL;
        const int error = \(name)_device_open(&device);
        if (error != 0) return failed("the device cannot be used", error);
        double *times = (double *)allocate(sizeof(double) * (size_t)steps);
        const int status = run_steps(device, times, steps);
        \(name)_device_close(device);
        if (status == 0) {
          size_t bytes = \(name)_ARENA_BYTES;
          for (int i = 0; i < buffer_count; i++) bytes += buffer_bytes[i];
          qsort(times, (size_t)steps, sizeof times[0], ascending);
          printf("%ld steps, %.3f ms per step (fastest %.3f), arena %zu bytes, on the device %zu bytes\\n",
                 steps, times[steps / 2], times[0], (size_t)\(name)_ARENA_BYTES, bytes);
        }
        free(times);
        return status;
      }

      """
  }
}
