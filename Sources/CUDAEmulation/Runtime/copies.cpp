// What `cp.async`, `ldmatrix` and `mma.sync` do, with what they forgive on one device and punish on another.
//
// Method      A copy lands when its thread waits for it, the latest moment that PTX allows. From its
//             start to then its target holds no value: it reads as NaN, and the checks report it. The
//             product of a warp's matrices is a sum in the order of the depth, in `f32`, as good as any
//             order that a tensor core may take.

#include "ckc_runtime.h"

namespace ckc_emu {

struct Copy {
  void *to;
  const void *from;
  unsigned size, group;
  Site site;
};
struct Copies {
  std::vector<Copy> pending;
  unsigned group = 0;
};
static Copies copies_of_thread[1024];

void start_copies_of_block() {
  for (Copies &copies : copies_of_thread) {
    copies.pending.clear();
    copies.group = 0;
  }
}

bool has_waited_for_copies() { return copies_of_thread[running_thread].pending.empty(); }

void copy_async(void *to, const void *from, unsigned size, const char *file, int line) {
  const Site site = {file, line, nullptr};
  check_access(from, size, Access::read, site);
  check_access(to, size, Access::write, site);
  if ((uintptr_t(to) | uintptr_t(from)) % size != 0) {
    fail(format("a copy of %u bytes is not aligned to its size at %s", size, text(site).c_str()));
  }
  memset(to, 0xff, size);
  set_initialized(to, size, false);
  Copies &copies = copies_of_thread[running_thread];
  copies.pending.push_back({to, from, size, copies.group, site});
}

void commit_copies() { ++copies_of_thread[running_thread].group; }

void wait_copies(int count) {
  Copies &copies = copies_of_thread[running_thread];
  size_t kept = 0;
  for (const Copy &copy : copies.pending) {
    if (copy.group + unsigned(count) >= copies.group) {
      copies.pending[kept++] = copy;
      continue;
    }
    check_access(copy.from, copy.size, Access::read, copy.site);
    check_access(copy.to, copy.size, Access::write, copy.site);
    memcpy(copy.to, copy.from, copy.size);
  }
  copies.pending.resize(kept);
}

// MARK: Tensor cores

float half_value(Half format, unsigned bits) {
  if (format == Half::bf16) return ckc_emu::bits<float>(bits << 16);
  const unsigned sign = bits >> 15 & 1, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) {
    return ckc_emu::bits<float>(sign << 31 | 0x7f800000u | fraction << 13);
  }
  const float magnitude = exponent == 0
                            ? ldexpf(float(fraction), -24)
                            : ldexpf(float(fraction + 1024), int(exponent) - 25);
  return sign ? -magnitude : magnitude;
}

void read_matrices(
  uint32_t *to, unsigned count, bool is_transposed, const uint16_t *row, const char *file,
  int line) {
  const Site site = {file, line, nullptr};
  const unsigned lane = position->lane;
  if (lane < 8 * count && uintptr_t(row) % 16 != 0) {
    fail("a row of a matrix is not aligned to 16 bytes at " + text(site));
  }
  Words words = {};
  memcpy(words.word, &row, sizeof row);
  const Words *lanes = meet(Meeting::matrix, 0xffffffffu, words, file, line);
  for (unsigned matrix = 0; matrix < count; ++matrix) {
    uint16_t pair[2];
    for (unsigned number = 0; number < 2; ++number) {
      const unsigned along = 2 * (lane % 4) + number, across = lane / 4;
      const uint16_t *start;
      memcpy(&start, lanes[8 * matrix + (is_transposed ? along : across)].word, sizeof start);
      const uint16_t *element = start + (is_transposed ? across : along);
      check_access(element, sizeof *element, Access::read, site);
      pair[number] = *element;
    }
    to[matrix] = pair[0] | uint32_t(pair[1]) << 16;
  }
}

void multiply_16x8x16(
  Half format, float d[4], const uint32_t a[4], const uint32_t b[2], const char *file, int line) {
  Words words = {};
  memcpy(words.word, a, 16);
  memcpy(words.word + 4, b, 8);
  const Words *lanes = meet(Meeting::matrix, 0xffffffffu, words, file, line);
  const unsigned group = position->lane / 4, within = position->lane % 4;
  for (unsigned number = 0; number < 4; ++number) {
    const unsigned row = group + 8 * (number / 2), column = 2 * within + number % 2;
    float sum = d[number];
    for (unsigned depth = 0; depth < 16; ++depth) {
      const unsigned owner = depth % 8 / 2, upper = depth / 8, shift = 16 * (depth % 2);
      const unsigned left = lanes[row % 8 * 4 + owner].word[row / 8 + 2 * upper] >> shift & 0xffff;
      const unsigned right = lanes[column * 4 + owner].word[4 + upper] >> shift & 0xffff;
      sum += half_value(format, left) * half_value(format, right);
    }
    d[number] = sum;
  }
}

}  // namespace ckc_emu
