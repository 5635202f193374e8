// Path and Ask: the requests that GitHub's calls make, before they are sent.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <escapement/io/http/message.h>

namespace escapement::github {

// Puts a URL below a base together. Names are encoded, so none can leave its place in the path; one that is
// empty, "." or ".." is refused.
//
//     Result<std::string> url = Path("https://api.github.com", "repos").name(owner).name(name).url();
class Path {
 public:
  Path(std::string_view base, std::string_view fixed) : text_(std::string(base) + '/' + std::string(fixed)) {}

  // Append "/" and words of the API, a name, a number.
  Path& then(std::string_view fixed);
  Path& name(std::string_view one);
  Path& number(std::int64_t number);
  // Appends the path of a file, whose slashes stay. Empty: the root of the repository.
  Path& file(std::string_view path);
  // Adds a pair to the query; leaves it out if the value is empty.
  Path& query(std::string_view name, std::string_view value);

  // Returns the URL. Errc::invalid_argument for a name that was refused.
  Result<std::string> url() const;

 private:
  void append(std::string_view name);

  std::string text_;
  std::string mistake_;
  bool has_query_ = false;
};

// A request that is to be sent.
class Ask {
 public:
  Ask(http::Method m, Result<std::string> u) : method(std::move(m)), url(std::move(u)) {}
  Ask(http::Method m, const Path& path) : Ask(std::move(m), path.url()) {}

  http::Method method;
  Result<std::string> url;  // whole
  std::string accept = {};  // empty: as the preset says
  http::Body body = {};
  std::string content_type = {};  // of the body
  bool may_repeat = false;        // a POST that changes nothing
  bool uploads = false;           // goes to the origin that takes files
};

}  // namespace escapement::github
