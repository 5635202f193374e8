// One call of a service in simulated time, with its body read to the end.

#pragma once

#include <string>

#include <escapement/io/http/service.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/sleep.h>

namespace escapement::test {

struct Answer {
  int status = 0;  // 0: the call or the body failed
  http::Headers headers;
  std::string body;
  std::string error;

  std::string field(std::string_view name) const { return std::string(headers.get_or(name, "")); }
};

inline Task<Answer> ask(const http::Service& service, http::Request request) {
  Answer answer;
  Result<http::Response> response = co_await service(std::move(request)).result();
  if (!response) {
    answer.error = to_string(response.error());
    co_return std::move(answer);
  }
  answer.headers = response->headers;
  Result<std::string> body = co_await response->body.text(16 * MiB).result();
  if (!body) {
    answer.error = to_string(body.error());
    co_return std::move(answer);
  }
  answer.status = response->status;
  answer.body = *std::move(body);
  co_return std::move(answer);
}

inline http::Request request(const char* method, const std::string& path, http::Headers headers = {},
                             http::Body body = {}) {
  return http::Request(method, *http::Url::parse("http://h" + path), std::move(headers), std::move(body));
}

// Yields its pieces one by one, `pause` apart, and then ends or fails.
class PiecesSource final : public http::BodySource {
 public:
  PiecesSource(std::vector<std::string> pieces, Duration pause, bool fails)
      : pieces_(std::move(pieces)), pause_(pause), fails_(fails) {}
  Task<std::string> read() override {
    if (pause_ > Duration()) co_await sleep(pause_);
    if (next_ < pieces_.size()) co_return pieces_[next_++];
    if (fails_) co_return Error(Errc::reset, "broken on purpose");
    co_return std::string();
  }

 private:
  std::vector<std::string> pieces_;
  Duration pause_;
  bool fails_;
  std::size_t next_ = 0;
};

inline http::Body pieces(std::vector<std::string> pieces, Duration pause = {}, bool fails = false) {
  return http::Body(std::make_unique<PiecesSource>(std::move(pieces), pause, fails));
}

}  // namespace escapement::test
