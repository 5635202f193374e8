#include "tools/fetch/files.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <memory>

namespace escapement {

namespace {

struct CloseFile {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};
using OpenFile = std::unique_ptr<std::FILE, CloseFile>;

OpenFile open(const std::string& name) {
  return OpenFile(name == "-" ? stdin : std::fopen(name.c_str(), "rbe"));
}

Error unreadable(const std::string& name) { return Error(Errc::permission_denied, "cannot read " + name); }

class FileSource final : public http::BodySource {
 public:
  FileSource(OpenFile file, std::string name, std::optional<std::uint64_t> length)
      : file_(std::move(file)), name_(std::move(name)), length_(length) {}

  Task<std::string> read() override {
    std::string piece(64 * KiB, '\0');
    piece.resize(std::fread(piece.data(), 1, piece.size(), file_.get()));
    if (piece.empty() && std::ferror(file_.get()) != 0) co_return unreadable(name_);
    co_return std::move(piece);
  }
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  OpenFile file_;
  std::string name_;
  std::optional<std::uint64_t> length_;
};

}  // namespace

Result<std::string> read_file(const std::string& name) {
  const OpenFile file = open(name);
  if (file == nullptr) return unreadable(name);
  std::string data;
  char piece[16 * KiB];
  while (const std::size_t count = std::fread(piece, 1, sizeof piece, file.get())) data.append(piece, count);
  if (std::ferror(file.get()) != 0) return unreadable(name);  // for example, a folder
  return data;
}

Result<http::Body> file_to_send(const std::string& name) {
  OpenFile file = open(name);
  struct stat facts{};
  if (file == nullptr || ::fstat(::fileno(file.get()), &facts) != 0 || S_ISDIR(facts.st_mode)) {
    return unreadable(name);
  }
  const bool regular = S_ISREG(facts.st_mode) && name != "-";
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  if (regular && size <= 1 * MiB) {
    Result<std::string> data = read_file(name);
    if (!data) return std::move(data).error();
    return http::Body(*std::move(data));
  }
  const std::optional<std::uint64_t> length = regular ? std::optional(size) : std::nullopt;
  return http::Body(std::make_unique<FileSource>(std::move(file), name, length));
}

bool is_there(const std::string& name) {
  struct stat facts{};
  return ::lstat(name.c_str(), &facts) == 0;
}

Result<> make_folders_of(const std::string& name) {
  for (std::size_t slash = name.find('/', 1); slash != name.npos; slash = name.find('/', slash + 1)) {
    const std::string folder = name.substr(0, slash);
    if (::mkdir(folder.c_str(), 0750) != 0 && errno != EEXIST)
      return Error::from_errno(errno, "cannot make the folder " + folder);
  }
  return {};
}

std::uint64_t size_of_file(const std::string& name) {
  struct stat facts{};
  return ::stat(name.c_str(), &facts) == 0 ? static_cast<std::uint64_t>(facts.st_size) : 0;
}

}  // namespace escapement
