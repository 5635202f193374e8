#include "tools/fetch/cookie_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "tools/fetch/files.h"

namespace escapement {

namespace {

// Adds the lines one by one, so that a bad one does not take the others with it.
void add_lines(http::CookieJar& jar, std::string_view text, const std::string& name, bool silent) {
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const Result<> added = jar.restore(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!added && !silent) {
      std::fprintf(stderr, "esc-fetch: -b: %s: line %d is not a cookie of Netscape's format\n", name.c_str(),
                   number);
    }
  }
}

}  // namespace

Result<std::shared_ptr<http::CookieJar>> cookie_jar_of(const FetchOptions& options) {
  if (options.cookie_files.empty() && options.cookie_jar.empty()) return std::shared_ptr<http::CookieJar>();
  auto jar = std::make_shared<http::CookieJar>();
  for (const std::string& name : options.cookie_files) {
    struct stat facts{};
    const bool absent = name.empty() || (name != "-" && ::stat(name.c_str(), &facts) != 0 && errno == ENOENT);
    if (absent) continue;
    Result<std::string> text = read_file(name);
    if (!text) return std::move(text).error().context("-b");
    add_lines(*jar, *text, name, options.silent);
  }
  if (options.junk_session_cookies) jar->clear_session();
  return jar;
}

Result<> save_cookies(const FetchOptions& options, const http::CookieJar& jar) {
  const std::string& name = options.cookie_jar;
  if (name.empty()) return {};
  const std::string text = jar.text(http::SessionCookies::kept);
  std::FILE* file = stdout;
  if (name != "-") {
    const int opened = ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    file = opened < 0 ? nullptr : ::fdopen(opened, "wb");
    if (file == nullptr) return Error::from_errno(errno, "-c: cannot write " + name);
  }
  bool good = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  good = (file == stdout ? std::fflush(file) : std::fclose(file)) == 0 && good;
  if (!good) return Error::from_errno(errno, "-c: cannot write " + name);
  return {};
}

}  // namespace escapement
