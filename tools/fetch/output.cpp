#include "tools/fetch/output.h"

#include <cerrno>

namespace escapement {

Error Output::failure() const {
  return Error::from_errno(errno, "cannot write " + (name_.empty() ? "to standard output" : name_));
}

Result<> Output::write(std::string_view piece) {
  if (file_ == nullptr) file_ = name_.empty() ? stdout : std::fopen(name_.c_str(), appends_ ? "abe" : "wbe");
  if (file_ == nullptr) return failure();
  if (std::fwrite(piece.data(), 1, piece.size(), file_) != piece.size()) return failure();
  return {};
}

Result<> Output::flush() {
  if (file_ != nullptr && std::fflush(file_) != 0) return failure();
  return {};
}

}  // namespace escapement
