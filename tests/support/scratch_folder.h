// A folder that is gone after the test.

#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <escapement/core/detail/check.h>

namespace escapement::test {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "escapement-XXXXXX").string();
    ESC_CHECK(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ~ScratchFolder() { std::filesystem::remove_all(path_); }

  std::string path(const std::string& below = "") const { return (path_ / below).string(); }
  void write(const std::string& below, const std::string& bytes) const {
    std::filesystem::create_directories((path_ / below).parent_path());
    std::ofstream(path(below), std::ios::binary) << bytes;
  }
  void link(const std::string& target, const std::string& below) const {
    std::filesystem::create_symlink(target, path(below));
  }

 private:
  std::filesystem::path path_;
};

}  // namespace escapement::test
