#include "tools/serve/line_file.h"

#include <cerrno>
#include <cstring>

#include <escapement/core/bytes.h>

namespace escapement {

Result<std::unique_ptr<LineFile>> LineFile::open(const std::string& name) {
  std::FILE* file = name == "-" ? stdout : std::fopen(name.c_str(), "ae");
  if (file == nullptr) return Error::from_errno(errno, "open " + name);
  return std::unique_ptr<LineFile>(new LineFile(file, name));
}

LineFile::LineFile(std::FILE* file, std::string name) : file_(file), name_(std::move(name)) {
  std::setvbuf(file_, nullptr, _IOLBF, 64 * KiB);
}

LineFile::~LineFile() {
  if (file_ != stdout) std::fclose(file_);
}

void LineFile::write(std::string_view line) {
  if (ended_) return;
  std::string text(line);
  text += '\n';
  // glibc's fwrite does not report a line that it could not flush; the stream's error flag does.
  ::flockfile(file_);
  std::fwrite(text.data(), 1, text.size(), file_);
  const int number = std::ferror(file_) != 0 ? errno : 0;
  std::clearerr(file_);
  ::funlockfile(file_);
  if (number == 0) return;
  if (number == EPIPE) ended_ = true;
  if (told_.exchange(true)) return;
  std::fprintf(stderr, "esc-serve: the access log %s loses lines: %s\n", name_.c_str(),
               std::strerror(number));
}

}  // namespace escapement
