// A small program around a step: it allocates, runs, and tells the time and the arena.
//
// Problem     Whoever gets emitted C wants to see it run before writing a caller.
// Method      One table of buffers per struct; values are made up: small numbers from a fixed
//             xorshift sequence, constants where the graph starts with constants, else zeros.
// Invariants  It is a caller, so it may use malloc and the clock; the step does not.

extension Compilation {
  /// The text of a C program that runs the step as often as its argument says, 10 times by default.
  ///
  /// - Precondition: The last stage was `code`.
  package var driverSource: String {
    let tables = driverTables
    var text = """
      /* Runs \(name)_step on made-up values and tells its time: \(name) [STEPS] */

      #include <stdint.h>
      #include <stdio.h>
      #include <stdlib.h>
      #include <string.h>
      #include <time.h>

      #include "\(name).h"

      \(DriverBuffer.declaration)
      """
    for (table, rows) in tables {
      // C has no empty arrays.
      let lines = rows.isEmpty ? ["{0, CONSTANT, 1, {0}}"] : rows
      text += "static const buffer \(table)_table[] = {\n"
      text += lines.map { "  \($0),\n" }.joined() + "};\n"
      text += "enum { \(table)_count = \(rows.count) };\n\n"
    }
    text += DriverBuffer.functions + DriverBuffer.clock
    text += """
      int main(int argc, char **argv) {
        const long steps = argc > 1 ? step_count(argv[1]) : 10;
        if (argc > 2 || steps < 1) {
          fprintf(stderr, "usage: %s [STEPS], at most %ld\\n", argv[0], steps_max);
          return 2;
        }

      """
    for (table, rows) in tables {
      text += "  void *\(table)_pointers[\(max(1, rows.count))] = {NULL};\n"
      text += "  for (size_t i = 0; i < \(table)_count; i++)\n"
      text += "    \(table)_pointers[i] = filled(&\(table)_table[i]);\n"
      text += "  \(name)_\(table) \(table);\n"
      text += "  memcpy(&\(table), \(table)_pointers, sizeof \(table));\n"
    }
    text += """
        void *arena = allocate(\(name)_ARENA_BYTES);
        double *times = (double *)allocate(sizeof(double) * (size_t)steps);

        /* The first run touches the memory; it is not counted. */
        for (long step = -1; step < steps; step++) {
          const double start = milliseconds();
          if (\(name)_step(&inputs, &parameters, &state, &results, arena) != 0) {
            fprintf(stderr, "the step failed\\n");
            return 1;
          }
          if (step >= 0) times[step] = milliseconds() - start;
        }
        qsort(times, (size_t)steps, sizeof times[0], ascending);
        printf("%ld steps, %.3f ms per step (fastest %.3f), arena %zu bytes\\n", steps,
               times[steps / 2], times[0], (size_t)\(name)_ARENA_BYTES);

      """
    for (table, _) in tables {
      text += "  for (size_t i = 0; i < \(table)_count; i++) free(\(table)_pointers[i]);\n"
    }
    text += """
        free(times);
        free(arena);
        return 0;
      }

      """
    return text
  }

  /// The rows of the tables of buffers, by the struct that points to them.
  var driverTables: [(name: String, rows: [String])] {
    guard let function = step?.function else { preconditionFailure("there is no step yet") }
    let interface = StepInterface(function)
    let values = InitialValues(seed: 0)
    func argument(_ index: Int) -> String {
      let type = function.argumentType(index)
      if function.isLearningRate(index) {
        return DriverBuffer(constant: Tensor(type, floats: [0.001]), type).row
      }
      let initializer =
        function.arguments[index].initializer
        ?? InitialValues.usual(type, role: function.arguments[index].role)
      if function.arguments[index].role != .input, case .fill = initializer {
        let element = values.value(TensorType(type.dtype), name: "", initializer)
        return DriverBuffer(constant: element, type).row
      }
      return DriverBuffer(random: type).row
    }
    let resultTypes = function.resultTypes
    return [
      ("inputs", interface.inputs.map(argument)),
      ("parameters", interface.parameters.map(argument)),
      ("state", interface.state.map(argument)),
      ("results", interface.results.map { DriverBuffer(zeros: resultTypes[$0]).row }),
    ]
  }
}

/// One row of a table of buffers.
struct DriverBuffer {
  /// The row as C.
  var row: String

  init(constant element: Tensor, _ type: TensorType) {
    let bytes = element.bytes.map { "0x\(String($0, radix: 16))" }.joined(separator: ", ")
    row = "{\(type.sizeBytes), CONSTANT, \(type.dtype.byteCount), {\(bytes)}}"
  }

  init(zeros type: TensorType) {
    row = "{\(type.sizeBytes), CONSTANT, \(type.dtype.byteCount), {0}}"
  }

  init(random type: TensorType) {
    let kind: String
    switch type.dtype {
    case .f32: kind = "RANDOM_F32"
    case .f64: kind = "RANDOM_F64"
    case .bf16: kind = "RANDOM_BF16"
    case .f16: kind = "RANDOM_F16"
    case .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: kind = "CONSTANT"
    }
    row = "{\(type.sizeBytes), \(kind), \(type.dtype.byteCount), {0}}"
  }

  /// What a row is.
  static let declaration = """
    enum contents { CONSTANT, RANDOM_F32, RANDOM_F64, RANDOM_BF16, RANDOM_F16 };

    typedef struct {
      size_t bytes;
      enum contents kind;
      size_t element_bytes;
      unsigned char element[8];
    } buffer;


    """

  /// What makes memory of a row, and orders times.
  static let functions = """
    static void *allocate(size_t bytes) {
      void *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);
      if (memory == NULL) {
        fprintf(stderr, "no memory for %zu bytes\\n", bytes);
        exit(1);
      }
      memset(memory, 0, bytes);
      return memory;
    }

    /* A number within 0.1 of 0. */
    static float small_number(void) {
      static uint32_t state = 1;
      state ^= state << 13;
      state ^= state >> 17;
      state ^= state << 5;
      return ((float)(state >> 8) / 16777216.0f - 0.5f) * 0.2f;
    }

    static void *filled(const buffer *b) {
      unsigned char *memory = (unsigned char *)allocate(b->bytes);
      for (size_t at = 0; at + b->element_bytes <= b->bytes; at += b->element_bytes) {
        const float f32 = b->kind == CONSTANT ? 0.0f : small_number();
        const double f64 = (double)f32;
        uint32_t bits;
        uint16_t bf16, f16;
        memcpy(&bits, &f32, sizeof bits);
        bf16 = (uint16_t)(bits >> 16);
        /* Sign, exponent and ten bits of the fraction; 0 below 2^-14, where f16 has fewer. */
        f16 = (uint16_t)(bits >> 16 & 0x8000u);
        if ((bits >> 23 & 0xFFu) >= 113u)
          f16 = (uint16_t)(f16 | ((bits & 0x7FFFFFFFu) - (112u << 23)) >> 13);
        switch (b->kind) {
          case CONSTANT: memcpy(memory + at, b->element, b->element_bytes); break;
          case RANDOM_F32: memcpy(memory + at, &f32, sizeof f32); break;
          case RANDOM_F64: memcpy(memory + at, &f64, sizeof f64); break;
          case RANDOM_BF16: memcpy(memory + at, &bf16, sizeof bf16); break;
          case RANDOM_F16: memcpy(memory + at, &f16, sizeof f16); break;
        }
      }
      return memory;
    }

    static const long steps_max = 10000000;

    /* The number that a text spells; 0 where it spells none, or too large a one. */
    static long step_count(const char *text) {
      char *end = NULL;
      const long count = strtol(text, &end, 10);
      const int is_number = text[0] >= '0' && text[0] <= '9' && *end == '\\0';
      return is_number && count <= steps_max ? count : 0;
    }

    static int ascending(const void *a, const void *b) {
      const double x = *(const double *)a;
      const double y = *(const double *)b;
      return (x > y) - (x < y);
    }


    """

  /// The time, where the host measures it.
  static let clock = """
    static double milliseconds(void) {
      struct timespec now;
      timespec_get(&now, TIME_UTC);
      return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
    }


    """
}
