#include <escapement/middleware/client/deduplicate.h>

#include <optional>
#include <unordered_map>

#include <escapement/core/event.h>

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
  for (const char* field : {"Authorization", "Cookie", "Accept", "Accept-Encoding"}) {
    key += '\n';
    key += request.headers.joined(field).value_or(std::string());
  }
  return key;
}

}  // namespace

class Deduplicate::Flights {
 public:
  explicit Flights(DeduplicateOptions options) : options_(std::move(options)) {
    if (!options_.key) options_.key = usual_key;
  }

  // A call and those that wait for it.
  struct Flight {
    Event landed;  // set when there is an outcome, or nobody makes the call any more
    // The outcome; none: the call was given up, or its body is too long to be shared.
    std::optional<Error> failure;
    int status = 0;  // 0: no response to share
    Headers headers;
    std::string body;
  };
  using Reference = std::shared_ptr<Flight>;

  std::string key(const Request& request) const { return options_.key(request); }
  std::size_t bytes_max() const { return options_.bytes_max; }
  std::size_t size() const { return by_key_.size(); }

  Reference find(const std::string& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? nullptr : found->second;
  }
  Reference begin(const std::string& key) {
    Reference flight = std::make_shared<Flight>();
    by_key_[key] = flight;
    return flight;
  }
  void end(const std::string& key, Flight& flight) {
    const auto found = by_key_.find(key);
    if (found != by_key_.end() && found->second.get() == &flight) by_key_.erase(found);
    flight.landed.set();
  }

 private:
  DeduplicateOptions options_;
  std::unordered_map<std::string, Reference> by_key_;
};

namespace {

// Ends the flight, whether it has an outcome or was given up.
template <class Flights>
class Pilot {
 public:
  Pilot(std::shared_ptr<Flights> flights, std::string key)
      : flights_(std::move(flights)), key_(std::move(key)), flight_(flights_->begin(key_)) {}
  Pilot(const Pilot&) = delete;
  ~Pilot() { flights_->end(key_, *flight_); }
  auto& flight() { return *flight_; }

 private:
  std::shared_ptr<Flights> flights_;
  std::string key_;
  typename Flights::Reference flight_;
};

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

Deduplicate::Deduplicate(DeduplicateOptions options)
    : flights_(std::make_shared<Flights>(std::move(options))) {}

std::size_t Deduplicate::running() const { return flights_->size(); }

Task<Response> Deduplicate::operator()(Request request, const Service& next) const {
  if (!may_share(request)) co_return co_await next(std::move(request));
  const std::shared_ptr<Flights> flights = flights_;
  const std::string key = flights->key(request);
  while (const Flights::Reference flight = flights->find(key)) {
    co_await flight->landed.wait();
    if (flight->failure) co_return *flight->failure;
    if (flight->status != 0) co_return Response(flight->status, flight->headers, flight->body);
    if (flight->body.size() > flights->bytes_max()) co_return co_await next(std::move(request));
  }
  Pilot<Flights> pilot(flights, key);
  Result<Response> outcome = co_await next(std::move(request)).result();
  if (!outcome) {
    if (outcome.error() != Errc::cancelled) pilot.flight().failure = outcome.error();
    co_return std::move(outcome);
  }
  std::string body;
  while (body.size() <= flights->bytes_max()) {
    Result<std::string> bytes = co_await outcome->body.read().result();
    if (!bytes) {
      pilot.flight().failure = bytes.error();
      co_return std::move(bytes).error();
    }
    if (bytes->empty()) {
      pilot.flight().status = outcome->status;
      pilot.flight().headers = outcome->headers;
      pilot.flight().body = body;
      co_return Response(outcome->status, std::move(outcome->headers), std::move(body));
    }
    body += *bytes;
  }
  pilot.flight().body.resize(flights->bytes_max() + 1);
  Body rest = std::move(outcome->body);
  outcome->body = Body(std::make_unique<BegunSource>(std::move(body), std::move(rest)));
  co_return std::move(outcome);
}

}  // namespace escapement::http
