#include <escapement/middleware/client/deduplicate.h>

#include <optional>

#include <escapement/timers/single_flight.h>

namespace escapement::http {

namespace {

bool may_share(const Request& request) {
  if (request.method != Method::get() && request.method != Method::head()) return false;
  if (!request.body.replayable() || !request.body.bytes().empty()) return false;
  for (const char* field :
       {"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"}) {
    if (request.headers.has(field)) return false;
  }
  return true;
}

std::string usual_key(const Request& request) {
  std::string key = std::string(request.method.text()) + ' ' + request.url.text();
  for (const char* field :
       {"Host", "Authorization", "Cookie", "Accept", "Accept-Encoding", "Accept-Language"}) {
    key += '\n';
    key += request.headers.joined(field).value_or(std::string());
  }
  return key;
}

// A body of which the beginning has been read.
class BegunSource final : public BodySource {
 public:
  BegunSource(std::string beginning, Body rest) : beginning_(std::move(beginning)), rest_(std::move(rest)) {}
  Task<std::string> read() override {
    if (!beginning_.empty()) co_return std::exchange(beginning_, std::string());
    std::string bytes = co_await rest_.read();
    co_return std::move(bytes);
  }
  Headers trailers() override { return rest_.trailers(); }

 private:
  std::string beginning_;
  Body rest_;
};

}  // namespace

class Deduplicate::State {
 public:
  // A response of which everybody gets a copy.
  struct Shared {
    Shared(int s, Headers h, std::string b) : status(s), headers(std::move(h)), body(std::move(b)) {}
    int status;
    Headers headers;
    std::string body;
  };
  using Value = std::shared_ptr<const Shared>;  // null: its body is too long for that

  explicit State(DeduplicateOptions options) : options_(std::move(options)), calls_(settings(options_)) {
    if (!options_.key) options_.key = usual_key;
  }

  std::string key(const Request& request) const { return options_.key(request); }
  SingleFlight<Value>& calls() { return calls_; }

  // Makes the call. Puts a response whose body is too long for others into `own`.
  Task<Value> call(Request request, const Service& next, std::optional<Response>& own) const {
    Response response = co_await next(std::move(request));
    std::string body;
    while (body.size() <= options_.bytes_max) {
      std::string bytes = co_await response.body.read();
      if (bytes.empty()) {
        co_return std::make_shared<const Shared>(response.status, std::move(response.headers),
                                                 std::move(body));
      }
      body += bytes;
    }
    Body rest = std::move(response.body);
    response.body = Body(std::make_unique<BegunSource>(std::move(body), std::move(rest)));
    own.emplace(std::move(response));
    co_return nullptr;
  }

 private:
  static SingleFlightOptions settings(const DeduplicateOptions& options) {
    SingleFlightOptions settings;
    settings.ttl = Duration();  // nothing is kept
    settings.lease = options.call_max;
    return settings;
  }

  DeduplicateOptions options_;
  SingleFlight<Value> calls_;
};

Deduplicate::Deduplicate(DeduplicateOptions options) : state_(std::make_shared<State>(std::move(options))) {}

std::size_t Deduplicate::running() const { return state_->calls().size(); }

Task<Response> Deduplicate::operator()(Request request, const Service& next) const {
  if (!may_share(request)) co_return co_await next(std::move(request));
  const std::shared_ptr<State> state = state_;
  std::optional<Response> own;
  const auto call = [&] { return state->call(std::move(request), next, own); };
  State::Value shared = co_await state->calls().get(state->key(request), call);
  if (own) co_return *std::move(own);
  if (shared == nullptr) co_return co_await next(std::move(request));
  co_return Response(shared->status, shared->headers, shared->body);
}

}  // namespace escapement::http
