// The output of esc-fetch.

#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement {

// A file or standard output, opened or created at the first write, so that a failed fetch leaves a file
// unchanged. A program that uses it must ignore SIGPIPE.
class Output {
 public:
  // An empty name is standard output.
  explicit Output(std::string name, bool appends = false) : name_(std::move(name)), appends_(appends) {}
  Output(const Output&) = delete;
  ~Output() {
    if (file_ != nullptr && file_ != stdout) std::fclose(file_);
  }

  // Writes `piece`; an empty piece also creates the file. Errors: the file cannot be opened, or the disk is
  // full.
  Result<> write(std::string_view piece);
  // Returns once everything written so far has arrived, or with the error.
  Result<> flush();

 private:
  Error failure() const;

  std::string name_;
  bool appends_;
  std::FILE* file_ = nullptr;
};

}  // namespace escapement
