#include <escapement/middleware/client/event_source.h>

#include <algorithm>
#include <utility>

#include <escapement/core/detail/number.h>
#include <escapement/timers/sleep.h>

namespace escapement::http {

Task<std::optional<ServerEvent>> EventReader::next() {
  for (;;) {
    while (event_bytes_ <= options_.event_bytes_max) {
      const std::optional<std::string_view> line = take_line();
      if (!line) break;
      if (std::optional<ServerEvent> event = take_field(*line)) co_return std::move(event);
    }
    if (event_bytes_ + bytes_.size() - at_ > options_.event_bytes_max) {
      co_return Error(Errc::limit_exceeded, "a server-sent event of more than " +
                                                std::to_string(options_.event_bytes_max) + " bytes");
    }
    std::string piece = co_await body_.read();
    if (piece.empty()) co_return std::nullopt;
    bytes_.erase(0, std::exchange(at_, 0));
    looked_ = 0;
    bytes_ += piece;
  }
}

// Returns the next line, without its end: CR, LF or both. Views the buffer.
std::optional<std::string_view> EventReader::take_line() {
  constexpr std::string_view mark = "\xef\xbb\xbf";
  if (!begun_) {
    if (bytes_.size() < mark.size() && mark.starts_with(bytes_)) return std::nullopt;
    if (bytes_.starts_with(mark)) at_ = mark.size();
    begun_ = true;
  }
  if (after_cr_ && at_ < bytes_.size()) {
    if (bytes_[at_] == '\n') ++at_;
    after_cr_ = false;
  }
  looked_ = std::max(looked_, at_);
  const std::size_t end = bytes_.find_first_of("\r\n", looked_);
  if (end == bytes_.npos) {
    looked_ = bytes_.size();
    return std::nullopt;
  }
  const std::string_view line = std::string_view(bytes_).substr(at_, end - at_);
  after_cr_ = bytes_[end] == '\r';
  at_ = looked_ = end + 1;
  return line;
}

// Takes in one line. Returns an event if that completes one.
std::optional<ServerEvent> EventReader::take_field(std::string_view line) {
  if (line.empty()) {
    event_bytes_ = 0;
    std::string data = std::exchange(data_, std::string());
    std::string type = std::exchange(event_, std::string());
    if (!std::exchange(has_data_, false)) return std::nullopt;
    data.pop_back();  // each line has added an end
    ServerEvent event(std::move(data), std::move(type), id_);
    event.retry = retry_;
    return event;
  }
  event_bytes_ += line.size() + 1;
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    (data_ += value) += '\n';
    has_data_ = true;
  } else if (name == "event") {
    event_ = value;
  } else if (name == "id" && value.find('\0') == value.npos) {
    id_ = value;
  } else if (name == "retry" && value.find_first_not_of("0123456789") == value.npos) {
    if (const std::optional<std::int64_t> ms = parse_saturated<std::int64_t>(value)) {
      retry_ = Duration(1ms) * *ms;
    }
  }
  return std::nullopt;
}

namespace {

Result<bool> is_event_stream(const Response& response) {
  if (response.status == 204) return false;
  if (response.status != 200) {
    return Error(Errc::bad_message, "an event source answered " + std::to_string(response.status));
  }
  const std::string_view type = response.headers.get_or("content-type", {});
  if (equal_ignoring_case(without_white_space(type.substr(0, type.find(';'))), "text/event-stream"))
    return true;
  return Error(Errc::bad_message, "an event source answered with content of type " + std::string(type));
}

}  // namespace

Generator<ServerEvent> event_source(Service service, Request request, EventSourceOptions options) {
  std::string last_id(request.headers.get_or("last-event-id", {}));
  Duration wait = options.retry;
  request.headers.set("Accept", "text/event-stream");
  request.headers.set("Cache-Control", "no-store");
  for (int retries = 0;; ++retries) {
    Request ask = request.copy_without_body();
    if (!last_id.empty()) ask.headers.set("Last-Event-ID", last_id);
    Result<Response> response = co_await service(std::move(ask)).result();
    if (response) {
      const bool streams = co_await is_event_stream(*response);
      if (!streams) co_return;
      EventReader reader(response->body, options.reader, last_id);
      for (;;) {
        Result<std::optional<ServerEvent>> event = co_await reader.next().result();
        if (!event && event.error() == Errc::limit_exceeded) co_await std::move(event).error();
        if (!event || !*event) break;
        retries = -1;
        last_id = reader.last_event_id();
        co_yield **std::move(event);
      }
      last_id = reader.last_event_id();
      if (reader.retry()) wait = std::min(*reader.retry(), options.retry_max);
    }
    if (retries >= options.retries_max) {
      if (!response) co_await std::move(response).error();
      co_await Error(Errc::unavailable,
                     "an event source sent no event at " + std::to_string(retries) + " attempts");
    }
    co_await sleep(wait);
  }
}

}  // namespace escapement::http
