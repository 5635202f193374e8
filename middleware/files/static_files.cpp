#include <escapement/middleware/files/static_files.h>

#include <algorithm>
#include <array>
#include <optional>

#include <escapement/io/native/offload.h>
#include <escapement/middleware/files/byte_ranges.h>
#include <escapement/middleware/files/conditional.h>
#include <escapement/middleware/files/content_type.h>
#include <escapement/middleware/files/detail/file_body.h>

namespace escapement::http {

struct StaticFiles::State {
  State(FileTree t, StaticFilesOptions o) : tree(std::move(t)), options(std::move(o)) {}
  FileTree tree;
  StaticFilesOptions options;
};

namespace {

constexpr std::uint64_t small_file = 16 * KiB;

Response plain(int status) {
  return Response(status, Headers{{"Content-Type", "text/plain; charset=utf-8"}},
                  std::string(reason_phrase(status)) + '\n');
}

Response failure(const Error& error) {
  if (error == Errc::permission_denied) return plain(403);
  return plain(error == Errc::overloaded ? 503 : 404);
}

std::string in_hexadecimal(std::uint64_t number) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  do {
    text.insert(text.begin(), digits[number % 16]);
    number /= 16;
  } while (number != 0);
  return text;
}

// Makes the ETag as nginx does, but with nanoseconds: the same on every machine that has the same copy.
std::string etag_of(const OpenFile& file) {
  return '"' + in_hexadecimal(static_cast<std::uint64_t>(file.modified_seconds)) + '.' +
         in_hexadecimal(static_cast<std::uint64_t>(file.modified_nanoseconds)) + '-' +
         in_hexadecimal(file.size) + '"';
}

bool has_hidden_name(std::string_view path) { return path.starts_with('.') || path.find("/.") != path.npos; }

// A file and, if a pool has opened it and it is small, its bytes.
struct Opened {
  explicit Opened(OpenFile f) : file(std::move(f)) {}
  OpenFile file;
  std::optional<std::string> bytes;
};

// Opens a file on a thread of a pool. One that cannot be read has no bytes: the body will tell.
Result<Opened> open_on_pool(const FileTree& tree, const std::string& path) {
  Result<OpenFile> file = tree.file(path);
  if (!file) return std::move(file).error();
  Opened opened(*std::move(file));
  if (opened.file.size > 0 && opened.file.size <= small_file) {
    Result<std::string> bytes = read_whole(opened.file.fd, {0, opened.file.size});
    if (bytes) opened.bytes = *std::move(bytes);
  }
  return opened;
}

// The delivery of one file.
class Delivery {
 public:
  // Treats a file that is dated in the future as changed `now` (RFC 9110 section 8.8.2.1).
  Delivery(Opened opened, std::string_view name, SystemTime now, const StaticFilesOptions& options)
      : file_(std::make_shared<posix::Fd>(std::move(opened.file.fd))),
        size_(opened.file.size),
        bytes_(std::move(opened.bytes)),
        type_(content_type_of(name)),
        validators_(etag_of(opened.file), std::min(opened.file.modified(), now)),
        now_(now),
        options_(options) {}

  Response answer(const Request& request, Random& random) const {
    const SystemTime now = now_;
    switch (evaluate(request, validators_, now)) {
      case Precondition::failed: return plain(412);
      case Precondition::not_modified: return with_fields(Response(304));
      case Precondition::holds: break;
    }
    const std::string* range = request.headers.get("range");
    const bool ranged =
        range != nullptr && request.method == Method::get() && request.headers.count("range") == 1;
    if (!ranged || !if_range_holds(request, validators_, now)) return whole(request);
    const ByteRanges wanted = parse_byte_ranges(*range, size_, options_.ranges_max);
    if (wanted.kind == ByteRanges::Kind::whole) return whole(request);
    if (wanted.kind == ByteRanges::Kind::unsatisfiable) {
      Response response = with_fields(plain(416));
      response.headers.add("Content-Range", "bytes */" + std::to_string(size_));
      return response;
    }
    if (wanted.ranges.size() == 1) return part(wanted.ranges.front());
    return parts(wanted.ranges, random);
  }

 private:
  Response with_fields(Response response) const {
    response.headers.add("ETag", validators_.etag);
    const std::string modified = validators_.modified->http_date();
    // Sets Date explicitly, because the server makes its own once a turn, and that may be a second older.
    if (modified == now_.http_date()) response.headers.add("Date", modified);
    response.headers.add("Last-Modified", modified);
    response.headers.add("Accept-Ranges", "bytes");
    if (!options_.cache_control.empty()) response.headers.add("Cache-Control", options_.cache_control);
    return response;
  }

  Response whole(const Request& request) const {
    Response response = with_fields(Response(200));
    response.headers.add("Content-Type", std::string(type_));
    if (size_ > 0) response.body = body({0, size_}, request.method == Method::head());
    return response;
  }

  Response part(ByteRange range) const {
    Response response = with_fields(Response(206));
    response.headers.add("Content-Type", std::string(type_));
    response.headers.add("Content-Range", content_range(range, size_));
    response.body = body(range, false);
    return response;
  }

  Response parts(const std::vector<ByteRange>& ranges, Random& random) const {
    const RangeBorders borders(in_hexadecimal(random.next()) + in_hexadecimal(random.next()),
                               std::string(type_));
    Response response = with_fields(Response(206));
    response.headers.add("Content-Type", "multipart/byteranges; boundary=" + borders.boundary);
    response.body = multipart_body(file_, size_, ranges, borders, options_.piece_bytes, options_.pool);
    return response;
  }

  Body body(ByteRange range, bool only_length) const {
    if (only_length || range.length > small_file) return later(range);
    return small_body(range);
  }

  // Returns the bytes in memory, so that they leave together with the head. If the file has become shorter,
  // returns the body that detects it.
  Body small_body(ByteRange range) const {
    if (bytes_) {
      return Body(
          bytes_->substr(static_cast<std::size_t>(range.first), static_cast<std::size_t>(range.length)));
    }
    if (options_.pool != nullptr) return later(range);
    Result<std::string> bytes = read_whole(*file_, range);
    if (!bytes) return later(range);
    return Body(*std::move(bytes));
  }

  // Returns the body that reads the file while it is sent.
  Body later(ByteRange range) const { return file_body(file_, range, options_.piece_bytes, options_.pool); }

  std::shared_ptr<const posix::Fd> file_;
  std::uint64_t size_;
  std::optional<std::string> bytes_;  // all of them, if they have been read
  std::string_view type_;
  Validators validators_;
  SystemTime now_;
  const StaticFilesOptions& options_;
};

}  // namespace

Result<StaticFiles> StaticFiles::make(const std::string& root, StaticFilesOptions options) {
  Result<FileTree> tree = FileTree::open(root, options.containment);
  if (!tree) return std::move(tree).error();
  options.piece_bytes = std::max<std::size_t>(1, options.piece_bytes);
  return StaticFiles(std::make_shared<const State>(*std::move(tree), std::move(options)));
}

Task<Response> StaticFiles::operator()(Request request) const {
  std::string path = percent_decoded(std::string_view(request.url.path()).substr(1));
  return serve(std::move(request), std::move(path));
}

Task<Response> StaticFiles::serve(Request request, std::string path) const {
  const std::shared_ptr<const State> state = state_;
  const StaticFilesOptions& options = state->options;
  if (request.method != Method::get() && request.method != Method::head()) {
    Response response = request.method == Method::options() ? Response(204) : plain(405);
    response.headers.add("Allow", "GET, HEAD, OPTIONS");
    co_return std::move(response);
  }
  // An encoded '/' is part of a name, and no file can have such a name.
  if (normal_spelling(request.url.path()).find("%2F") != std::string::npos) co_return plain(404);
  if (!options.hidden && has_hidden_name(path)) co_return plain(404);
  const bool folder = path.empty() || path.ends_with('/');
  if (folder && options.index.empty()) co_return plain(404);
  if (folder) path += options.index;
  Result<Opened> file = Error(Errc::internal);
  if (options.pool == nullptr) {
    Result<OpenFile> opened = state->tree.file(path);
    if (opened) {
      file = Opened(*std::move(opened));
    } else {
      file = std::move(opened).error();
    }
  } else {
    auto open = [](const std::shared_ptr<const State>& s, const std::string& p) {
      return open_on_pool(s->tree, p);
    };
    file = co_await offload(*options.pool, open, state, path).result();
  }
  if (!file && file.error() == Errc::invalid_argument && !folder) {
    Response response = plain(301);
    std::string location = request.url.path() + '/';
    if (request.url.has_query()) (location += '?') += request.url.query();
    response.headers.add("Location", std::move(location));
    co_return std::move(response);
  }
  if (!file) co_return failure(file.error());
  Reactor& reactor = co_await this_reactor;
  const Delivery delivery(*std::move(file), path, reactor.backend().system_now(), options);
  co_return delivery.answer(request, reactor.random());
}

}  // namespace escapement::http
