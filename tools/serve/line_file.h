// LineFile: a file to which esc-serve appends lines, each written at once.

#pragma once

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement {

// Keeps the lines of several threads apart. A program that uses it must ignore SIGPIPE.
class LineFile {
 public:
  // Opens `name` for appending; "-" is standard output.
  static Result<std::unique_ptr<LineFile>> open(const std::string& name);
  LineFile(const LineFile&) = delete;
  ~LineFile();

  // Writes one line. A line that cannot be written is lost; the first loss is reported on standard error.
  // Stops writing once the reader of a pipe has gone.
  void write(std::string_view line);

 private:
  LineFile(std::FILE* file, std::string name);

  std::FILE* file_;
  std::string name_;
  std::atomic<bool> told_{false};
  std::atomic<bool> ended_{false};
};

}  // namespace escapement
