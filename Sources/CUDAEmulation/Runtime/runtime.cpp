// The whole runtime in one file for the compiler: with `CKC_EMU_CHECKED`, with checks.

#include "blocks.cpp"
#include "copies.cpp"
#include "device.cpp"
#include "fibers.cpp"
#include "findings.cpp"
#include "memory.cpp"
#include "streams.cpp"
#ifdef CKC_EMU_CHECKED
#include "checks.cpp"
#include "hooks.cpp"
#else
#include "unchecked.cpp"
#endif
