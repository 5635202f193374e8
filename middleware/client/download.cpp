#include <escapement/middleware/client/download.h>

#include <utility>

#include <escapement/core/detail/number.h>
#include <escapement/core/system_time.h>
#include <escapement/io/native/file.h>
#include <escapement/middleware/client/call.h>
#include <escapement/timers/sleep.h>

namespace escapement::http {

namespace {

// Returns what If-Range can compare byte for byte; empty: nothing.
std::string strong_validator(const Headers& headers) {
  const std::string_view tag = headers.get_or("ETag", "");
  if (!tag.empty()) return tag.starts_with("W/") ? "" : std::string(tag);
  const std::string_view modified = headers.get_or("Last-Modified", "");
  const Result<SystemTime> changed = SystemTime::parse_http_date(modified, SystemTime());
  const Result<SystemTime> sent = SystemTime::parse_http_date(headers.get_or("Date", ""), SystemTime());
  return changed && sent && *sent - *changed >= 1s ? std::string(modified) : "";
}

// "bytes 5-9/10", "bytes 5-9/*", "bytes */10".
struct ContentRange {
  std::optional<std::uint64_t> first;
  std::optional<std::uint64_t> last;
  std::optional<std::uint64_t> all;
};

ContentRange content_range(std::string_view text) {
  ContentRange range;
  if (!text.starts_with("bytes ")) return range;
  text.remove_prefix(6);
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return range;
  if (dash < slash) {
    range.first = parse_number<std::uint64_t>(text.substr(0, dash));
    range.last = parse_number<std::uint64_t>(text.substr(dash + 1, slash - dash - 1));
  }
  range.all = parse_number<std::uint64_t>(text.substr(slash + 1));
  return range;
}

bool breaks_off(const Error& error) {
  return error == Errc::reset || error == Errc::unavailable || error == Errc::timed_out;
}

class Download {
 public:
  Download(Service service, Request request, ThreadPool& pool, std::string path, DownloadOptions options)
      : service_(std::move(service)),
        request_(std::move(request)),
        pool_(pool),
        path_(std::move(path)),
        options_(std::move(options)) {}

  Task<Downloaded> run();

 private:
  std::string part() const { return path_ + ".part"; }
  std::string from() const { return path_ + ".part.from"; }
  std::string what() const {
    return std::string(request_.method.text()) + ' ' + request_.url.without_credentials();
  }

  Task<> find_part();
  Task<> note_part();
  Task<bool> fetch();
  Task<bool> begin(Response& response);
  Task<> copy(Body& body);
  // Returns whether a part of something else came: the server has looked at Range, but not at If-Range.
  bool has_changed(const Headers& headers, const ContentRange& range) const {
    const std::string_view tag = headers.get_or("ETag", "");
    const std::string_view date = headers.get_or("Last-Modified", "");
    const bool by_tag = validator_.starts_with('"');
    const bool other_tag = by_tag && !tag.empty() && tag != validator_;
    const bool other_date = !by_tag && !date.empty() && date != validator_;
    return other_tag || other_date || (all_ && range.all && *range.all != *all_);
  }
  void forget_part() {
    validator_.clear();
    offset_ = done_.resumed = 0;
    all_.reset();
    end_.reset();
  }

  const Service service_;
  const Request request_;
  ThreadPool& pool_;
  const std::string path_;
  const DownloadOptions options_;
  std::optional<File> file_;
  std::string validator_;  // empty: the part cannot be continued
  std::uint64_t offset_ = 0;
  bool refused_ = false;              // by a status: only what breaks off is continued
  std::optional<std::uint64_t> all_;  // bytes of the file, if that is known
  std::optional<std::uint64_t> end_;  // those that it has when the body that comes now has ended
  Downloaded done_;
};

// Looks for the part of an earlier call.
Task<> Download::find_part() {
  OpenOptions options = OpenOptions::read_write();
  options.creates = true;
  file_ = co_await File::open(pool_, part(), options);
  if (!options_.resume) co_return;
  const Result<std::string> noted = co_await File::read_all(pool_, from(), 128 * KiB).result();
  if (!noted) co_return;
  const std::size_t line = noted->find('\n');
  if (line == noted->npos || noted->substr(0, line) != request_.url.without_credentials()) co_return;
  const std::size_t end = std::min(noted->find('\n', line + 1), noted->size());
  validator_ = noted->substr(line + 1, end - line - 1);
  if (validator_.empty()) co_return;
  if (end < noted->size()) all_ = parse_number<std::uint64_t>(std::string_view(*noted).substr(end + 1));
  offset_ = co_await file_->size();
  done_.resumed = offset_;
}

Task<> Download::note_part() {
  std::string text = request_.url.without_credentials() + '\n' + validator_;
  if (all_) text += '\n' + std::to_string(*all_);
  co_await File::write_all(pool_, from(), std::move(text), 0600);
}

// Yields whether the body of `response` goes behind what is there; begins the part anew if it is all of it.
Task<bool> Download::begin(Response& response) {
  const ContentRange range = content_range(response.headers.get_or("Content-Range", ""));
  if (response.status == 416 && offset_ > 0) {
    all_ = range.all;
    if (range.all == offset_) co_return false;  // nothing is missing
    forget_part();
    co_return true;  // and asked for anew
  }
  if (response.status == 206 && offset_ > 0) {
    if (has_changed(response.headers, range)) {
      forget_part();
      co_return true;
    }
    if (range.first != offset_) {
      co_await Error(Errc::bad_message, what() + ": asked for bytes from " + std::to_string(offset_) +
                                            " on, the response has others");
    }
    if (range.all) all_ = range.all;
    end_.reset();
    if (range.last) end_ = *range.last + 1;
    co_return false;
  }
  refused_ = response.status != 200;
  if (refused_) co_await fail_by_status(what(), std::move(response));
  offset_ = done_.resumed = 0;
  all_ = end_ = response.body.length();
  validator_ = strong_validator(response.headers);
  co_await file_->truncate(0);
  co_await note_part();
  co_return false;
}

Task<> Download::copy(Body& body) {
  for (;;) {
    std::string piece = co_await body.read();
    if (piece.empty()) co_return;
    const std::uint64_t size = piece.size();
    if (size > options_.bytes_max - std::min(offset_, options_.bytes_max)) {
      co_await Error(Errc::limit_exceeded,
                     what() + ": more than " + std::to_string(options_.bytes_max) + " bytes");
    }
    co_await file_->write_at(offset_, std::move(piece));
    offset_ += size;
    if (options_.progress) {
      DownloadProgress progress;
      progress.bytes = offset_;
      progress.all = all_;
      options_.progress(progress);
    }
  }
}

// Yields whether all has arrived.
Task<bool> Download::fetch() {
  Request request = request_.copy_without_body();
  if (!request.headers.has("Accept-Encoding")) request.headers.set("Accept-Encoding", "identity");
  if (offset_ > 0) {
    request.headers.set("Range", "bytes=" + std::to_string(offset_) + '-');
    request.headers.set("If-Range", validator_);
  }
  Response response = co_await service_(std::move(request));
  done_.headers = response.headers;
  const bool complete = response.status == 416;
  const bool anew = co_await begin(response);
  if (anew) co_return false;
  if (!complete) co_await copy(response.body);
  const std::optional<std::uint64_t> missing = all_ ? all_ : end_;
  if (missing && offset_ != *missing) {
    co_await Error(Errc::reset,
                   what() + ": " + std::to_string(offset_) + " of " + std::to_string(*missing) + " bytes");
  }
  co_return true;
}

Task<Downloaded> Download::run() {
  if (!request_.body.replayable() || !request_.body.bytes().empty()) {
    co_return Error(Errc::invalid_argument, what() + ": a download's request has no body");
  }
  co_await find_part();
  for (;;) {
    const Result<bool> complete = co_await fetch().result();
    if (complete && *complete) break;
    if (complete) continue;
    const bool can_go_on =
        !validator_.empty() && offset_ > 0 && done_.continuations < options_.continuations_max;
    if (refused_ || !breaks_off(complete.error()) || !can_go_on) co_await complete.error();
    ++done_.continuations;
    co_await sleep(options_.pause);
  }
  co_await file_->truncate(offset_);
  co_await file_->sync();
  co_await rename_file(pool_, part(), path_);
  Result<> removed = co_await remove_file(pool_, from()).result();
  static_cast<void>(removed);  // it names a part that is not there
  done_.bytes = offset_;
  co_return std::move(done_);
}

Task<Downloaded> run_download(std::unique_ptr<Download> download) {
  Downloaded done = co_await download->run();
  co_return std::move(done);
}

}  // namespace

Task<Downloaded> download(Service service, Request request, ThreadPool& pool, std::string path,
                          DownloadOptions options) {
  return run_download(std::make_unique<Download>(std::move(service), std::move(request), pool,
                                                 std::move(path), std::move(options)));
}

}  // namespace escapement::http
