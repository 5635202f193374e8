#include <escapement/middleware/observe/access_log.h>

#include <cstdio>

#include <escapement/middleware/observe/detail/counted_body.h>
#include <escapement/middleware/observe/detail/json_text.h>
#include <escapement/middleware/observe/detail/logged_status.h>
#include <escapement/middleware/server/peer_address.h>

namespace escapement::http {

namespace {

constexpr std::string_view digits = "0123456789abcdef";

std::string quoted(std::string_view text) {
  std::string escaped = "\"";
  if (text.empty()) escaped += '-';
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte < 0x7f && c != '"' && c != '\\') {
      escaped += c;
    } else {
      escaped += "\\x";
      escaped += digits[byte >> 4];
      escaped += digits[byte & 15];
    }
  }
  escaped += '"';
  return escaped;
}

// Returns "24/Nov/2026:09:00:00 +0000" for "Tue, 24 Nov 2026 09:00:00 GMT".
std::string log_date(SystemTime time) {
  const std::string date = time.http_date();
  return date.substr(5, 2) + '/' + date.substr(8, 3) + '/' + date.substr(12, 4) + ':' + date.substr(17, 8) +
         " +0000";
}

std::string redacted(std::string_view target, LoggedQuery query) {
  const std::size_t question = target.find('?');
  if (query == LoggedQuery::all || question == target.npos) return std::string(target);
  std::string shown(target.substr(0, question));
  if (query == LoggedQuery::none) return shown;
  std::string_view rest = target.substr(question + 1);
  char separator = '?';
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(pair.size() == rest.size() ? rest.size() : pair.size() + 1);
    shown += separator;
    shown += pair.substr(0, pair.find('='));
    if (pair.find('=') != pair.npos) shown += "=*";
    separator = '&';
  }
  return shown;
}

// The entry of a request in flight. Written when this is destroyed, however that happens.
class Pending final : public BodyAttachment {
 public:
  Pending(const AccessLog& log, Reactor& reactor, const Request& request)
      : log_(log), reactor_(reactor), began_(reactor.precise_now()) {
    entry_.began = reactor.backend().system_now();
    entry_.peer = peer_address(request);
    entry_.method = request.method.text();
    entry_.target =
        redacted(request.target.empty() ? request.url.target() : std::string(request.target), log.query);
    entry_.minor_version = request.minor_version;
    entry_.referer = redacted(request.headers.get_or("referer", ""), log.query);
    entry_.user_agent = request.headers.get_or("user-agent", "");
    entry_.request_id = request.headers.get_or("x-request-id", "");
  }
  ~Pending() override {
    if (count_) {
      entry_.bytes = count_->bytes;
      entry_.whole = count_->whole;
    }
    entry_.duration = reactor_.precise_now() - began_;
    auto write = [this] { log_.sink(log_.format(entry_)); };
    (void)escapement::detail::catching(write);
  }

  void failed(const Error& error) {
    entry_.status = logged_status(error);
    entry_.error = to_string(error);
  }
  void answered(Response& response) {
    entry_.status = response.status;
    const std::string* id = response.headers.get("x-request-id");
    if (id != nullptr) entry_.request_id = *id;
    const bool bodyless = entry_.method == "HEAD" || !may_have_content(response.status);
    if (bodyless) entry_.whole = true;
    if (!bodyless) count_ = count(response.body);
  }

 private:
  const AccessLog log_;  // a copy: a body may outlive the layer
  Reactor& reactor_;
  Instant began_;
  AccessLogEntry entry_;
  std::shared_ptr<const BodyCount> count_;
};

}  // namespace

std::string combined_line(const AccessLogEntry& entry) {
  std::string line = entry.peer.empty() ? "-" : entry.peer;
  line += " - - [" + log_date(entry.began) + "] ";
  const std::string version = " HTTP/1." + std::to_string(entry.minor_version);
  line += quoted(entry.method.empty() ? std::string() : entry.method + ' ' + entry.target + version);
  line += ' ' + std::to_string(entry.status) + ' ' + std::to_string(entry.bytes) + ' ';
  line += quoted(entry.referer) + ' ' + quoted(entry.user_agent);
  return line;
}

std::string json_line(const AccessLogEntry& entry) {
  std::string line = "{\"time\":" + detail::json_text(entry.began.rfc3339());
  const auto add = [&line](std::string_view name, const std::string& value) {
    if (!value.empty()) ((line += ",\"") += name) += "\":" + detail::json_text(value);
  };
  add("peer", entry.peer);
  add("method", entry.method);
  add("target", entry.target);
  if (!entry.method.empty()) add("version", "1." + std::to_string(entry.minor_version));
  char numbers[160];
  std::snprintf(numbers, sizeof numbers, ",\"status\":%d,\"bytes\":%llu,\"whole\":%s,\"duration_ms\":%.3f",
                entry.status, static_cast<unsigned long long>(entry.bytes), entry.whole ? "true" : "false",
                entry.duration.milliseconds());
  line += numbers;
  add("referer", entry.referer);
  add("user_agent", entry.user_agent);
  add("request_id", entry.request_id);
  add("error", entry.error);
  return line + '}';
}

Task<Response> AccessLog::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  auto pending = std::make_unique<Pending>(*this, reactor, request);
  Result<Response> outcome = co_await next(std::move(request)).result();
  if (!outcome) {
    pending->failed(outcome.error());
    // Awaits the error, so that the task that takes the failure destroys this frame and the sink is called
    // from there: the sink may end the owner of this task.
    co_await std::move(outcome).error();
  }
  pending->answered(*outcome);
  outcome->body.attach(std::move(pending));
  co_return std::move(outcome);
}

void AccessLog::refused(Reactor& reactor, const Refusal& refusal) const {
  AccessLogEntry entry;
  entry.began = reactor.backend().system_now();
  entry.peer = without_port(refusal.peer);
  entry.status = refusal.status;
  sink(format(entry));
}

}  // namespace escapement::http
