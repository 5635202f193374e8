#include "github/ask.h"

#include <escapement/middleware/client/query.h>

namespace escapement::github {

void Path::append(std::string_view name) {
  if (name.empty() || name == "." || name == "..") {
    mistake_ = "'" + std::string(name) + "' is no name on GitHub";
  }
  text_ += http::percent_encoded(name);
}

Path& Path::then(std::string_view fixed) {
  text_ += '/';
  text_ += fixed;
  return *this;
}

Path& Path::name(std::string_view one) {
  text_ += '/';
  append(one);
  return *this;
}

Path& Path::number(std::int64_t number) { return then(std::to_string(number)); }

Path& Path::file(std::string_view path) {
  text_ += '/';
  while (!path.empty()) {
    const std::size_t end = path.find('/');
    append(path.substr(0, end));
    if (end == path.npos) break;
    text_ += '/';
    path.remove_prefix(end + 1);
  }
  return *this;
}

Path& Path::query(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  text_ += std::exchange(has_query_, true) ? '&' : '?';
  text_ += std::string(name) + '=' + http::percent_encoded(value);
  return *this;
}

Result<std::string> Path::url() const {
  if (!mistake_.empty()) return Error(Errc::invalid_argument, mistake_);
  return text_;
}

}  // namespace escapement::github
