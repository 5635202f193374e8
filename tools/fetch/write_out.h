// The text of -w: what is known about a transfer, in a format of the caller's.

#pragma once

#include <string>

#include "tools/fetch/story.h"

namespace escapement {

// The text of -w, for one stream each.
struct WrittenOut {
  std::string out;
  std::string err;
};

// Fills in "%{name}", "%header{name}", "%%", "\n", "\r" and "\t". An unknown name yields nothing. `message`
// is that of the failure, if there was one. "%{stderr}" and "%{stdout}" say where what follows goes.
WrittenOut write_out(const std::string& format, const Story& story, int exit_code,
                     const std::string& message);

}  // namespace escapement
