// Names a place in the program's code, for people to read: used to report a task that ran too long.

#pragma once

#include <string>

namespace escapement {

// Returns "/usr/bin/esc-serve+0x3a41c": the file that holds the code at `address`, and the offset within it
// that addr2line and gdb accept (`addr2line -Cfpe FILE 0x3a41c`). Does not look up symbol names: a program
// knows only those of its exported functions, and the nearest of them would often be the wrong one.
std::string code_location(const void* address);

}  // namespace escapement
