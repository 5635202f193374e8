// Where esc-fetch writes.

#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement {

// A file, or standard output; made or opened when it is first written to, so that a failed fetch leaves a
// file as it was. A program that has one ignores SIGPIPE.
class Output {
 public:
  // Empty: standard output.
  explicit Output(std::string name) : name_(std::move(name)) {}
  Output(const Output&) = delete;
  ~Output() {
    if (file_ != nullptr && file_ != stdout) std::fclose(file_);
  }

  // Nothing is a piece as well: it makes the file. Fails when it cannot be opened, or is full.
  Result<> write(std::string_view piece);
  // What was written so far has arrived, or the reason why not.
  Result<> flush();

 private:
  Error failure() const;

  std::string name_;
  std::FILE* file_ = nullptr;
};

}  // namespace escapement
