#include <escapement/middleware/cache/cache.h>

#include <algorithm>
#include <unordered_map>

#include <escapement/core/event.h>
#include <escapement/core/list.h>
#include <escapement/middleware/cache/detail/storing_body.h>
#include <escapement/middleware/client/detail/hashes.h>
#include <escapement/middleware/files/conditional.h>
#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

using Head = std::shared_ptr<const StoredHead>;

// The interval at which a request looks that waits for another one's validation, whose reactor may be another
// (SingleFlight).
constexpr Duration poll = 20ms;

bool has_condition(const Headers& headers) {
  return headers.has("if-none-match") || headers.has("if-modified-since");
}

// Returns whether the request is one that a stored response may be served for.
bool may_look_up(const Request& request) {
  if (request.method != Method::get() && request.method != Method::head()) return false;
  if (!request.body.replayable() || !request.body.bytes().empty()) return false;
  if (!request.url.userinfo().empty()) return false;
  const std::string* const host = request.headers.get("host");
  if (host != nullptr && !equal_ignoring_case(*host, request.url.authority()))
    return false;  // not in the key
  for (const char* field : {"range", "if-range", "if-match", "if-unmodified-since"}) {
    if (request.headers.has(field)) return false;
  }
  return true;
}

// Returns the request once more.
Request again(const Request& request) {
  Request copy = request.copy_without_body();
  copy.target = request.target;
  copy.context = request.context;
  copy.minor_version = request.minor_version;
  return copy;
}

std::string digest(std::string_view secret) { return "sha-256:" + detail::sha256_hex(secret); }

// Returns what a stored response is to be compared by.
std::optional<std::string> value_to_compare(const Headers& headers, const std::string& name) {
  std::optional<std::string> value = headers.joined(name);
  if (!value) return value;
  const bool secret = equal_ignoring_case(name, "authorization") || equal_ignoring_case(name, "cookie") ||
                      equal_ignoring_case(name, "proxy-authorization");
  return secret ? digest(*value) : value;
}

bool matches(const StoredHead& head, const Headers& request) {
  return std::all_of(head.varying.begin(), head.varying.end(), [&request](const auto& field) {
    return value_to_compare(request, field.first) == field.second;
  });
}

bool is_server_failure(int status) { return status == 500 || (status >= 502 && status <= 504); }

std::string seconds_text(Duration length) { return std::to_string(length / Duration(1s)); }

}  // namespace

class Cache::State {
 public:
  // One request validates a response, others wait for that.
  struct Validation {
    Event over;
  };
  // A request that may get a response to be stored for `key`.
  struct Flight : ListNode {
    explicit Flight(std::string k) : key(std::move(k)) {}
    const std::string key;
    bool outdated = false;  // what the key names was changed meanwhile
  };

  State(std::shared_ptr<CacheStore> s, CacheOptions o) : store(std::move(s)), options(std::move(o)) {
    ESC_CHECK(store != nullptr);
    for (const char c : options.name) ESC_CHECK(is_letter(c) || is_digit(c) || c == '-' || c == '.');
    for (std::string& name : options.vary_always) name = lower(name);
  }

  const CacheRules& rules() const { return options.rules; }

  // Returns the fields by whose values a response is told from others for the same URL.
  std::vector<std::string> varying(const Headers& response) const {
    std::vector<std::string> names = vary_fields(response).value_or(std::vector<std::string>());
    if (rules().shared) return names;
    for (const std::string& name : options.vary_always) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
  }

  // Adds a member to Cache-Status: the last one is the cache nearest to the caller.
  void report(Headers& headers, const std::string& what) const {
    if (!options.name.empty()) headers.add("Cache-Status", options.name + "; " + what);
  }

  // Holds the place of the request that validates `key`; null if another one does.
  std::shared_ptr<void> begin_validation(std::shared_ptr<State> self, const std::string& key) {
    std::shared_ptr<Validation>& place = validations[key];
    if (place != nullptr) return nullptr;
    auto made = std::make_shared<Validation>();
    place = made;
    return std::shared_ptr<void>(made.get(), [self = std::move(self), key, made](void*) {
      const auto at = self->validations.find(key);
      if (at != self->validations.end() && at->second == made) self->validations.erase(at);
      made->over.set();
    });
  }

  std::shared_ptr<CacheStore> store;
  CacheOptions options;
  std::unordered_map<std::string, std::shared_ptr<Validation>> validations;
  List<Flight> flights;
};

namespace {

// One request's way through the cache. Must outlive its tasks.
template <class State>
class Passage {
 public:
  Passage(std::shared_ptr<State> state, Reactor& reactor, Request request, const Service& next)
      : state_(std::move(state)),
        reactor_(reactor),
        next_(next),
        request_(std::move(request)),
        flight_(request_.url.without_credentials()),
        key_(flight_.key),
        asked_(CacheControl::of_request(request_.headers)) {
    state_->flights.push_back(flight_);
  }

  Task<Response> run() {
    bool waited = false;
    for (;;) {
      const Head head = co_await select();
      if (head == nullptr) co_return co_await fetch(missed_);
      const ReuseDecision decision = decide_reuse(*head, asked_, state_->rules(), now());
      const bool beside =
          decision.reuse == Reuse::while_revalidating && state_->options.background != nullptr;
      if (decision.reuse == Reuse::fresh || decision.reuse == Reuse::stale || beside) {
        if (beside) validate_beside(head);
        const std::string status = "hit; ttl=" + seconds_text(decision.fresh_for - decision.age);
        std::optional<Response> stored = co_await serve(head, status);
        if (stored) co_return *std::move(stored);
        co_return co_await fetch("fwd=miss");
      }
      const std::string why = decision.by_request ? "fwd=request" : "fwd=stale";
      if (has_condition(request_.headers)) co_return co_await fetch(why);
      std::shared_ptr<void> place = state_->begin_validation(state_, key_);
      if (place == nullptr && !waited) {
        co_await wait();
        waited = true;
        continue;
      }
      co_return co_await validate(head, why, std::move(place));
    }
  }

  // Validates in place of a request that has its response, and reads the new one to its end.
  Task<> refresh(Head head, std::shared_ptr<void> place) {
    Result<Response> outcome = co_await validate(head, "fwd=stale", std::move(place)).result();
    if (!outcome) co_return;  // the response stays stale, and the next request tries again
    for (;;) {
      Result<std::string> bytes = co_await outcome->body.read().result();
      if (!bytes || bytes->empty()) co_return;
    }
  }

 private:
  SystemTime now() const { return reactor_.backend().system_now(); }

  // Yields the youngest response that was stored for such a request; null if there is none, `missed_` says
  // why.
  Task<Head> select() {
    Result<CacheStore::Found> found = co_await state_->store->find(key_).result();
    missed_ = found && !found->empty() ? "fwd=vary-miss" : "fwd=uri-miss";
    Head youngest;
    if (!found) co_return youngest;
    for (const Head& head : *found) {
      if (!matches(*head, request_.headers)) continue;
      if (youngest == nullptr || head->received >= youngest->received) youngest = head;
    }
    co_return youngest;
  }

  Task<> wait() {
    const auto validation = state_->validations.at(key_);
    const Instant until = reactor_.precise_now() + state_->options.wait_max;
    while (!validation->over.is_set() && reactor_.precise_now() < until) {
      const Duration left = std::min(poll, until - reactor_.precise_now());
      Result<> woken = co_await with_timeout(left, validation->over.wait()).result();
      (void)woken;
    }
    if (!validation->over.is_set()) forget(validation);
  }
  // A validation that never ends, because a host has dropped its request without a word, stops nobody.
  void forget(const std::shared_ptr<typename State::Validation>& validation) {
    const auto at = state_->validations.find(key_);
    if (at != state_->validations.end() && at->second == validation) state_->validations.erase(at);
  }

  // Yields a response from the store; nullopt if it is gone by now.
  Task<std::optional<Response>> serve(Head head, std::string status) {
    Response response(head->status, head->headers, Body());
    response.headers.set("Age", seconds_text(age(*head, now())));
    state_->report(response.headers, status);
    if (head->status == 200 && has_condition(request_.headers)) {
      const Validators validators(std::string(head->headers.get_or("etag", "")), modified(*head));
      if (evaluate(request_, validators, now()) == Precondition::not_modified) {
        response.status = 304;
        for (const char* name : {"content-length", "content-type", "content-encoding"}) {
          response.headers.remove(name);
        }
        co_return std::move(response);
      }
    }
    if (request_.method == Method::head()) co_return std::move(response);
    Result<std::optional<Body>> body = co_await state_->store->open(key_, head->id).result();
    if (!body || !*body) co_return std::nullopt;
    response.body = *std::move(*body);
    co_return std::move(response);
  }

  std::optional<SystemTime> modified(const StoredHead& head) const {
    const std::string* const text = head.headers.get("last-modified");
    if (text == nullptr) return std::nullopt;
    const Result<SystemTime> time = SystemTime::parse_http_date(*text, now());
    if (!time) return std::nullopt;
    return *time;
  }

  // Asks the next service, and stores what it responds.
  Task<Response> fetch(std::string why) {
    if (asked_.only_if_cached) co_return not_cached();
    const SystemTime requested = now();
    Response response = co_await next_(again(request_));
    co_return co_await admit(std::move(response), requested, std::move(why), nullptr, nullptr);
  }

  Response not_cached() const {
    Response response(504, Headers{{"Content-Type", "text/plain"}}, "not in the cache\n");
    state_->report(response.headers, "detail=only-if-cached");
    return response;
  }

  // Stores a response that has come, if that is allowed. `replaced` is the one that was to be validated.
  Task<Response> admit(Response response, SystemTime requested, std::string why, Head replaced,
                       std::shared_ptr<void> place) {
    const SystemTime received = now();
    const bool storable =
        request_.method == Method::get() && !flight_.outdated &&
        may_store(request_.method, request_.headers, response.status, response.headers, state_->rules());
    if (!storable && replaced != nullptr && response.status < 500 && request_.method == Method::get()) {
      Result<> removed = co_await state_->store->remove(key_, replaced->id).result();
      (void)removed;
    }
    std::unique_ptr<CacheStore::Writer> writer;
    if (storable) {
      StoredHead head(response.status, fields_to_store(response.headers, received));
      note_varying(head);
      head.requested = requested;
      head.received = received;
      const std::optional<std::uint64_t> length = response.body.length();
      Task<std::unique_ptr<CacheStore::Writer>> storing = state_->store->store(key_, std::move(head), length);
      Result<std::unique_ptr<CacheStore::Writer>> begun = co_await std::move(storing).result();
      if (begun && !flight_.outdated) writer = *std::move(begun);
    }
    const char* const stored = writer != nullptr ? "; stored" : "";
    state_->report(response.headers, why + "; fwd-status=" + std::to_string(response.status) + stored);
    if (writer == nullptr) co_return std::move(response);
    if (response.body.replayable()) {
      co_await store_at_once(response.body.bytes(), *writer);
    } else {
      Body plain = std::move(response.body);
      response.body = detail::storing_body(std::move(plain), std::move(writer), std::move(place));
    }
    co_return std::move(response);
  }

  void note_varying(StoredHead& head) const {
    for (std::string& name : state_->varying(head.headers)) {
      std::optional<std::string> value = value_to_compare(request_.headers, name);
      head.varying.emplace_back(std::move(name), std::move(value));
    }
  }

  static Task<> store_at_once(std::string_view bytes, CacheStore::Writer& writer) {
    bool room = true;
    if (!bytes.empty()) {
      Result<bool> written = co_await writer.write(bytes).result();
      room = written && *written;
    }
    if (!room) co_return;
    Result<bool> committed = co_await writer.commit().result();
    (void)committed;
  }

  // Asks the next service whether a stored response still counts.
  Task<Response> validate(Head head, std::string why, std::shared_ptr<void> place) {
    if (asked_.only_if_cached) co_return not_cached();
    Request conditional = again(request_);
    const std::string* const etag = head->headers.get("etag");
    const std::string* const last_change = head->headers.get("last-modified");
    if (etag != nullptr) conditional.headers.set("If-None-Match", *etag);
    if (last_change != nullptr) conditional.headers.set("If-Modified-Since", *last_change);
    const SystemTime requested = now();
    Result<Response> outcome = co_await next_(std::move(conditional)).result();
    const bool failed = outcome ? is_server_failure(outcome->status) : outcome.error() != Errc::cancelled;
    if (failed && may_use_after_error(*head, asked_, state_->rules(), now())) {
      const std::string status =
          "hit; ttl=" + seconds_text(fresh_for(*head, state_->rules()) - age(*head, now())) +
          "; detail=stale-if-error";
      std::optional<Response> stale = co_await serve(head, status);
      if (stale) co_return *std::move(stale);
    }
    if (!outcome) co_return std::move(outcome).error();
    const bool conditions = etag != nullptr || last_change != nullptr;
    if (outcome->status != 304 || !conditions) {
      co_return co_await admit(*std::move(outcome), requested, std::move(why), head, std::move(place));
    }
    std::optional<Response> response;
    if (validates(*head, outcome->headers))
      response = co_await take_over(head, outcome->headers, requested, why);
    if (response) co_return *std::move(response);
    outcome = Error::cancelled();  // gives back what the 304 holds, such as a place, before the next request
    Result<> removed = co_await state_->store->remove(key_, head->id).result();
    (void)removed;
    co_return co_await fetch(std::move(why));
  }

  // Freshens a response by a 304, and serves it.
  Task<std::optional<Response>> take_over(Head head, const Headers& not_modified, SystemTime requested,
                                          std::string why) {
    StoredHead fresh = *head;
    freshen(fresh, not_modified, requested, now());
    fresh.varying.clear();
    note_varying(fresh);  // its Vary may be another one
    const bool storable =
        may_store(Method::get(), request_.headers, fresh.status, fresh.headers, state_->rules());
    std::optional<Response> response =
        co_await serve(std::make_shared<const StoredHead>(fresh), why + "; fwd-status=304; stored");
    Task<> change =
        storable ? state_->store->freshen(key_, std::move(fresh)) : state_->store->remove(key_, head->id);
    Result<> changed = co_await std::move(change).result();
    (void)changed;
    co_return std::move(response);
  }

  // Validates while the response is in use. If another request does so already, that is enough.
  void validate_beside(const Head& head) {
    std::shared_ptr<void> place = state_->begin_validation(state_, key_);
    if (place == nullptr) return;
    state_->options.background(
        refresh_apart(state_, again(request_), Service(next_), head, std::move(place)));
  }
  static Task<> refresh_apart(std::shared_ptr<State> state, Request request, Service next, Head head,
                              std::shared_ptr<void> place) {
    Reactor& reactor = co_await this_reactor;
    request.context = RequestContext();
    request.target = {};
    request.deadline = Instant::never();
    request.progress = nullptr;
    request.headers.remove("if-none-match");  // the caller's: validate() sets those of what is stored
    request.headers.remove("if-modified-since");
    Passage passage(std::move(state), reactor, std::move(request), next);
    co_await passage.refresh(std::move(head), std::move(place));
  }

  std::shared_ptr<State> state_;
  Reactor& reactor_;
  const Service& next_;
  Request request_;
  typename State::Flight flight_;
  const std::string& key_;
  CacheControl asked_;
  std::string missed_;
};

// Drops what is stored for the target of a change, and for what its response names.
template <class State>
Task<> drop_changed(State& state, const Url& url, const Headers& response) {
  std::vector<std::string> keys{url.without_credentials()};
  for (const char* name : {"location", "content-location"}) {
    const std::string* const reference = response.get(name);
    if (reference == nullptr) continue;
    Result<Url> other = url.resolve(*reference);
    if (other && other->origin() == url.origin()) keys.push_back(other->without_credentials());
  }
  for (const std::string& key : keys) {
    for (auto& flight : state.flights) flight.outdated |= flight.key == key;
    Result<> removed = co_await state.store->remove(key, 0).result();
    (void)removed;
  }
}

}  // namespace

Cache::Cache(std::shared_ptr<CacheStore> store, CacheOptions options)
    : state_(std::make_shared<State>(std::move(store), std::move(options))) {}

Task<Response> Cache::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const std::shared_ptr<State> state = state_;
  if (may_look_up(request)) {
    Passage<State> passage(state, reactor, std::move(request), next);
    co_return co_await passage.run();
  }
  const std::string why =
      request.method.safe() && request.method != Method("QUERY") ? "fwd=bypass" : "fwd=method";
  std::optional<Url> changed;
  if (!request.method.safe()) changed.emplace(request.url);
  Response response = co_await next(std::move(request));
  if (changed && response.status >= 200 && response.status < 400) {
    co_await drop_changed(*state, *changed, response.headers);
  }
  state->report(response.headers, why);
  co_return std::move(response);
}

}  // namespace escapement::http
