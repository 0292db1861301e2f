// What the emulation has found wrong, in words, with kernel, thread and line.
//
// Method      An address in the code becomes a line by `addr2line` or `llvm-symbolizer`, whichever is
//             there; the library is compiled with tables of lines. A launch that must not go on goes
//             back to the scheduler; the threads that it leaves behind are never entered again.
// Invariants  The same words are kept once. What a kernel does wrong is found, not printed: the caller
//             decides.

#include "ckc_runtime.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>

#include <algorithm>

namespace ckc_emu {

static std::vector<std::string> findings;
static const size_t findings_max = 50;

std::string format(const char *pattern, ...) {
  char words[1024];
  va_list arguments;
  va_start(arguments, pattern);
  vsnprintf(words, sizeof words, pattern, arguments);
  va_end(arguments);
  return words;
}

/// The first line that a command prints.
static std::string first_line(const std::string &command) {
  std::string result;
  if (FILE *pipe = popen(command.c_str(), "r")) {
    char line[1024];
    if (fgets(line, sizeof line, pipe)) result = line;
    pclose(pipe);
  }
  while (!result.empty() && result.back() == '\n') result.pop_back();
  return result;
}

std::string text(const Site &site) {
  std::string place;
  if (site.file) {
    place = format("%s:%d", site.file, site.line);
  } else {
    Dl_info library;
    if (!dladdr(site.code, &library)) return "an unknown place";
    // A return address is behind the call that it stands for.
    const size_t offset =
      size_t(static_cast<const char *>(site.code) - static_cast<char *>(library.dli_fbase)) - 1;
    const std::string arguments = format(" -e '%s' 0x%zx 2>/dev/null", library.dli_fname, offset);
    place = first_line("addr2line" + arguments);
    if (place.empty()) place = first_line("llvm-symbolizer --output-style=GNU" + arguments);
    if (place.empty() || place[0] == '?') return format("code +0x%zx", offset);
    place = place.substr(0, place.find(" (discriminator"));
  }
  return place.substr(place.rfind('/') + 1);
}

void found(const std::string &words) {
  std::string finding;
  if (running_call) finding = std::string(running_call->kernel);
  if (position) {
    const uint3 block = position->block, thread = position->thread;
    finding += format(
      ", block (%u,%u,%u), thread (%u,%u,%u)", block.x, block.y, block.z, thread.x, thread.y,
      thread.z);
  }
  finding += (finding.empty() ? "" : ": ") + words;
  if (findings.size() >= findings_max) return;
  if (std::find(findings.begin(), findings.end(), finding) == findings.end()) {
    findings.push_back(finding);
  }
}

void fail(const std::string &words) {
  found(words);
  if (position) abandon();
  fprintf(stderr, "emulated CUDA: %s\n", words.c_str());
  abort();
}

bool has_findings() { return !findings.empty(); }

}  // namespace ckc_emu

using namespace ckc_emu;

extern "C" {

/// All findings, one a line; empty where there are none. Valid until the next call.
CKC_EMU_EXPORT const char *ckc_emu_findings(void) {
  static std::string all;
  all.clear();
  for (const std::string &finding : findings) all += finding + "\n";
  return all.c_str();
}

CKC_EMU_EXPORT void ckc_emu_clear_findings(void) { findings.clear(); }

}  // extern "C"
