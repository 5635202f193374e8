#include <escapement/middleware/server/compress.h>

#include <escapement/middleware/files/content_type.h>
#include <escapement/middleware/server/accept_encoding.h>
#include <escapement/middleware/server/detail/gzip.h>

namespace escapement::http {

namespace {

constexpr std::size_t at_once_max = 32 * KiB;  // in memory: less than a millisecond's work
constexpr std::size_t slice_max = 8 * KiB;     // of a stream, between two looks at the clock

// Counts one stream as long as it lives.
class StreamCount {
 public:
  explicit StreamCount(std::shared_ptr<std::size_t> count) : count_(std::move(count)) { ++*count_; }
  StreamCount(const StreamCount&) = delete;
  ~StreamCount() { --*count_; }

 private:
  std::shared_ptr<std::size_t> count_;
};

class CompressedBody final : public BodySource {
 public:
  CompressedBody(Body plain, std::unique_ptr<GzipEncoder> encoder, std::shared_ptr<std::size_t> streams)
      : stream_(std::move(streams)),
        plain_(std::move(plain)),
        encoder_(std::move(encoder)),
        flushes_(!plain_.length()) {}

  // Gives way as soon as the turn has lasted for a share: with the slice that it was noticed after, that is
  // less than a millisecond.
  Task<std::string> read() override {
    Reactor& reactor = co_await this_reactor;
    std::string bytes;
    while (!ended_ && bytes.empty()) {
      if (taken_ == piece_.size()) {
        piece_ = co_await plain_.read();
        taken_ = 0;
        ended_ = piece_.empty();
      }
      encode_slice(bytes);
      if (reactor.precise_now() - reactor.now() >= Reactor::share) co_await yield();
    }
    co_return std::move(bytes);
  }
  Headers trailers() override { return plain_.trailers(); }

 private:
  void encode_slice(std::string& to) {
    const std::string_view slice = std::string_view(piece_).substr(taken_, slice_max);
    taken_ += slice.size();
    const bool flush = flushes_ && taken_ == piece_.size();
    encoder_->encode(to, slice,
                     ended_  ? GzipEncoder::Flush::finish
                     : flush ? GzipEncoder::Flush::sync
                             : GzipEncoder::Flush::none);
  }

  StreamCount stream_;
  Body plain_;
  std::unique_ptr<GzipEncoder> encoder_;
  bool flushes_;
  std::string piece_;
  std::size_t taken_ = 0;  // of the piece
  bool ended_ = false;
};

// Returns whether the response could be sent in either form.
bool is_candidate(const Response& response) {
  const Headers& headers = response.headers;
  if (!may_have_content(response.status) || response.status == 206) return false;
  if (headers.has("content-encoding") || headers.has("content-range")) return false;
  const std::optional<std::string> cache_control = headers.joined("cache-control");
  if (cache_control && list_contains(*cache_control, "no-transform")) return false;
  return is_compressible(headers.get_or("content-type", ""));
}

void add_vary(Headers& headers) {
  const std::optional<std::string> vary = headers.joined("vary");
  if (vary && (list_contains(*vary, "accept-encoding") || list_contains(*vary, "*"))) return;
  headers.add("Vary", "Accept-Encoding");
}

void weaken_etag(Headers& headers) {
  const std::string etag(headers.get_or("etag", ""));
  if (etag.starts_with('"')) headers.set("ETag", "W/" + etag);
}

void mark_compressed(Headers& headers) {
  headers.set("Content-Encoding", "gzip");
  headers.remove("content-length");
  headers.remove("accept-ranges");
  weaken_etag(headers);
}

// Returns whether a client that gets a 304 holds the compressed form, whose ETag is the weak one.
bool is_of_compressed(const std::string& if_none_match, const Headers& headers) {
  const std::string_view etag = headers.get_or("etag", "");
  return etag.starts_with('"') && if_none_match.find("W/" + std::string(etag)) != if_none_match.npos;
}

// Returns whether the request asks by a date alone, which does not show which form the client holds.
bool asks_by_date(const Headers& headers) {
  return headers.has("if-modified-since") && !headers.has("if-none-match");
}

// Returns the same request, for the head of the 200.
Request unconditional(const Request& request) {
  Request head = request.copy_without_body();
  head.method = Method::head();
  head.target = request.target;
  head.context = request.context;
  head.minor_version = request.minor_version;
  for (const char* name : {"if-modified-since", "range", "if-range"}) head.headers.remove(name);
  return head;
}

}  // namespace

Task<Response> Compress::operator()(Request request, const Service& next) const {
  const GzipPreference wish = gzip_preference(request.headers);
  const std::string if_none_match = request.headers.joined("if-none-match").value_or("");
  std::optional<Request> for_head;
  if (wish != GzipPreference::refused && asks_by_date(request.headers))
    for_head.emplace(unconditional(request));
  Response response = co_await next(std::move(request));
  // Header fields that caches keep for the whole must also be right on these (RFC 9110 sections 15.3.7 and
  // 15.4.5).
  const bool is_part = response.status == 206 && is_compressible(response.headers.get_or("content-type", ""));
  const bool unchanged = response.status == 304;
  const bool is_file = response.headers.has("etag") || response.headers.has("last-modified");
  if (is_part || (unchanged && is_file)) add_vary(response.headers);
  if (unchanged && wish != GzipPreference::refused && is_of_compressed(if_none_match, response.headers)) {
    weaken_etag(response.headers);
  }
  if (unchanged && for_head && response.headers.get_or("etag", "").starts_with('"')) {
    Task<Response> asking = (*this)(*std::move(for_head), next);
    Result<Response> whole = co_await std::move(asking).result();
    if (whole && whole->headers.has("content-encoding")) weaken_etag(response.headers);
  }
  if (!is_candidate(response)) co_return std::move(response);
  add_vary(response.headers);
  const std::optional<std::uint64_t> length = response.body.length();
  const bool too_short =
      length && (*length == 0 || (*length < length_min && wish != GzipPreference::required));
  if (wish == GzipPreference::refused || too_short) co_return std::move(response);
  const bool at_once = response.body.replayable() && *length <= at_once_max;
  if (!at_once && *streams >= streams_max) co_return std::move(response);
  std::unique_ptr<GzipEncoder> encoder = GzipEncoder::make(level);
  if (!encoder) co_return std::move(response);
  mark_compressed(response.headers);
  if (at_once) {
    std::string bytes;
    encoder->encode(bytes, response.body.bytes(), GzipEncoder::Flush::finish);
    Body compressed(std::move(bytes));
    compressed.take_attachments(response.body);
    response.body = std::move(compressed);
  } else {
    response.body =
        Body(std::make_unique<CompressedBody>(std::move(response.body), std::move(encoder), streams));
  }
  co_return std::move(response);
}

}  // namespace escapement::http
