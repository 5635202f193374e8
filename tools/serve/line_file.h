// LineFile: a file to which esc-serve appends lines, each at once.

#pragma once

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement {

// Lines of several threads do not mix. A program that has one ignores SIGPIPE.
class LineFile {
 public:
  // "-" is standard output.
  static Result<std::unique_ptr<LineFile>> open(const std::string& name);
  LineFile(const LineFile&) = delete;
  ~LineFile();

  // A line that cannot be written is lost; the first time it is said on standard error. After the reader of
  // a pipe has gone nothing is tried any more.
  void write(std::string_view line);

 private:
  LineFile(std::FILE* file, std::string name);

  std::FILE* file_;
  std::string name_;
  std::atomic<bool> told_{false};
  std::atomic<bool> ended_{false};
};

}  // namespace escapement
