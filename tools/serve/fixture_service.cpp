#include "tools/serve/fixture_service.h"

#include <map>
#include <memory>

#include <escapement/timers/sleep.h>

namespace escapement::demo {

namespace {

constexpr std::string_view recorded_origin = "https://api.github.com";
constexpr Duration stall_time = 5s;  // longer than the client's limit for one try

enum class Fault { stall, unavailable, too_many, reset_before_head, reset_after_head };

// The faults that the first requests for a path meet, in order.
const std::map<std::string, std::vector<Fault>, std::less<>>& faults() {
  static const std::map<std::string, std::vector<Fault>, std::less<>> by_path{
      {"/repos/octokit-fixture-org/paginate-issues/issues?per_page=3", {Fault::stall}},
      {"/repositories/1000/issues?per_page=3&page=2", {Fault::unavailable, Fault::unavailable}},
      {"/repositories/1000/issues?per_page=3&page=3", {Fault::too_many}},
      {"/repositories/1000/issues?per_page=3&page=4", {Fault::reset_before_head}},
      {"/repositories/1000/issues?per_page=3&page=5", {Fault::reset_after_head}},
  };
  return by_path;
}

struct State {
  std::vector<Recording> recordings;
  std::map<std::string, std::size_t> requests;  // by run and path
};

// A body that breaks off after its first bytes. It states its length: Node's fetch() takes a chunked body
// that breaks off on a closing connection for complete.
class BrokenBody final : public http::BodySource {
 public:
  BrokenBody(std::string beginning, std::uint64_t length)
      : beginning_(std::move(beginning)), length_(length) {}
  Task<std::string> read() override {
    if (!beginning_.empty()) co_return std::exchange(beginning_, std::string());
    co_await sleep(20ms);  // the head and the first bytes are on their way
    co_return Error(Errc::reset, "broken on purpose");
  }
  std::optional<std::uint64_t> length() const override { return length_; }

 private:
  std::string beginning_;
  std::uint64_t length_;
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// Closes the connection after every response, so that each attempt has its own, and no host repeats a request
// by itself on a kept connection.
http::Response plain(int status, std::string body) {
  return http::Response(status,
                        http::Headers{{"Content-Type", "text/plain"},
                                      {"Access-Control-Allow-Origin", "*"},
                                      {"Access-Control-Expose-Headers", "Link, Retry-After"},
                                      {"Connection", "close"}},
                        std::move(body));
}

http::Response in_a_second(http::Response response) {
  response.headers.add("Retry-After", "1");
  return response;
}

http::Response replay(const Recording& recording, const std::string& base) {
  http::Response response(recording.status, http::Headers{{"Connection", "close"}}, recording.body);
  for (const http::Headers::Field& field : recording.headers) {
    std::string value = field.value;
    replace_all(value, recorded_origin, base);
    response.headers.add(field.name, std::move(value));
  }
  return response;
}

Task<http::Response> answer(std::shared_ptr<State> state, http::Request request) {
  const std::string target = request.url.target();
  const std::size_t slash = target.find('/', 1);
  if (target.substr(0, 5) != "/run-" || slash == target.npos) co_return plain(404, "ask for /run-ID/PATH\n");
  const std::string path = target.substr(slash);
  const std::string base = request.url.origin() + target.substr(0, slash);
  const Recording* found = nullptr;
  for (const Recording& recording : state->recordings) {
    if (found == nullptr && recording.path == path && recording.method == request.method.text())
      found = &recording;
  }
  if (found == nullptr) co_return plain(404, "not recorded: " + path + "\n");

  const std::size_t earlier = state->requests[target]++;
  const auto planned = faults().find(path);
  if (planned != faults().end() && earlier < planned->second.size()) {
    switch (planned->second[earlier]) {
      case Fault::stall: co_await sleep(stall_time); break;
      case Fault::unavailable: co_return in_a_second(plain(503, "busy\n"));
      case Fault::too_many: co_return in_a_second(plain(429, "slow down\n"));
      case Fault::reset_before_head: co_return Error(Errc::reset, "broken on purpose");
      case Fault::reset_after_head: {
        http::Response response = replay(*found, base);
        response.body =
            http::Body(std::make_unique<BrokenBody>(found->body.substr(0, 100), found->body.size()));
        co_return std::move(response);
      }
    }
  }
  co_return replay(*found, base);
}

}  // namespace

http::Service fixture_service(std::vector<Recording> recordings) {
  auto state = std::make_shared<State>();
  state->recordings = std::move(recordings);
  return [state](http::Request request) { return answer(state, std::move(request)); };
}

}  // namespace escapement::demo
