// Where code lies, for a person: what names a task that ran too long.

#pragma once

#include <string>

namespace escapement {

// "/usr/bin/esc-serve+0x3a41c": the file that holds the code at `address`, and the offset that addr2line and
// gdb take (`addr2line -Cfpe FILE 0x3a41c`). Names are not looked up here: a program knows those of its
// exported functions only, and the nearest of them would often be the wrong one.
std::string code_location(const void* address);

}  // namespace escapement
