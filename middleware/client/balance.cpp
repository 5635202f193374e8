#include <escapement/middleware/client/balance.h>

#include <algorithm>
#include <cmath>
#include <map>

#include <escapement/io/http/progress.h>
#include <escapement/middleware/limits/circuit_breaker.h>

namespace escapement::http {

namespace {

// A response time that rises at once and falls slowly.
class PeakEwma {
 public:
  PeakEwma(Duration first, Duration decay)
      : time_(static_cast<double>(first.count())), decay_(static_cast<double>(decay.count())) {}

  // Returns the time in nanoseconds, as it has faded by `now`.
  double at(Instant now) const { return time_ * weight(now); }
  void note(Duration taken, Instant now) {
    const double time = static_cast<double>(taken.count());
    const double old = weight(now);
    time_ = time > time_ ? time : time_ * old + time * (1 - old);
    since_ = now;
  }
  // The time of one that has not been used yet fades from now on.
  void begin(Instant now) {
    if (since_ == Instant::never()) since_ = now;
  }

 private:
  double weight(Instant now) const {
    if (since_ == Instant::never()) return 1;
    return std::exp(-static_cast<double>(std::max(Duration(), now - since_).count()) / decay_);
  }

  double time_;
  double decay_;
  Instant since_ = Instant::never();
};

struct Upstream {
  Upstream(Url u, const BalanceOptions& options)
      : url(std::move(u)), time(options.first_time, options.decay) {}
  Url url;
  PeakEwma time;
  std::size_t running = 0;
};

// Where the attempts of calls went that have not succeeded yet, so that the next attempt of such a call goes
// elsewhere. A call is known by its progress; without one by its method and URL, so that equal calls side by
// side may be taken for each other. Keeps 1000 attempts; the ones noted first go first.
class Tried {
 public:
  using Place = std::uint64_t;  // 0: none

  // Notes that the attempt `number` of the call goes to `upstream`.
  Place note(const Request& request, std::size_t upstream) {
    if (request.attempt == 0) return 0;
    if (attempts_.size() >= attempts_max) attempts_.erase(attempts_.begin());
    attempts_.emplace(++last_, Attempted{call_of(request), request.attempt, upstream});
    return last_;
  }
  void forget(Place place) { attempts_.erase(place); }
  // Returns where the attempt before this one went, which is forgotten.
  std::optional<std::size_t> take_previous(const Request& request) {
    if (request.attempt < 2) return std::nullopt;
    const Call call = call_of(request);
    for (auto each = attempts_.begin(); each != attempts_.end(); ++each) {
      if (each->second.number != request.attempt - 1 || each->second.call != call) continue;
      const std::size_t upstream = each->second.upstream;
      attempts_.erase(each);
      return upstream;
    }
    return std::nullopt;
  }

 private:
  using Call = std::pair<const void*, std::string>;
  struct Attempted {
    Call call;
    int number;
    std::size_t upstream;
  };
  static constexpr std::size_t attempts_max = 1000;

  static Call call_of(const Request& request) {
    const CallProgress* progress = request.progress.get();
    while (progress != nullptr && progress->whole) progress = progress->whole.get();
    if (progress != nullptr) return Call(progress, {});
    return Call(nullptr, std::string(request.method.text()) + ' ' + request.url.text());
  }

  std::map<Place, Attempted> attempts_;
  Place last_ = 0;
};

// Returns the URL of a request at an upstream.
Result<Url> url_at(const Url& upstream, const Url& asked) {
  std::string path = upstream.path();
  while (path.ends_with('/')) path.pop_back();
  return Url::parse(upstream.origin() + path + asked.target());
}

}  // namespace

class Balance::State {
 public:
  State(std::vector<Url> urls, BalanceOptions options) : options_(std::move(options)) {
    ESC_CHECK(!urls.empty());
    ESC_CHECK(options_.decay > Duration());
    for (Url& url : urls) upstreams.emplace_back(std::move(url), options_);
    if (!options_.ejection) return;
    if (options_.ejection->failed) failed = options_.ejection->failed;
    ejection.emplace(upstreams.size(), *options_.ejection);
  }

  // Chooses among those that are not ejected, without `avoided` if there is another one.
  std::size_t choose(std::optional<std::size_t> avoided, Random& random, Instant now) {
    if (ejection) ejection->advance(now);
    std::vector<std::size_t> fit;
    for (std::size_t i = 0; i < upstreams.size(); ++i) {
      upstreams[i].time.begin(now);
      if (!ejection || !ejection->ejected(i, now)) fit.push_back(i);
    }
    if (avoided && fit.size() > 1) std::erase(fit, *avoided);
    if (options_.rule == BalanceRule::round_robin) return next_fit(fit);
    if (fit.size() == 1) return fit.front();
    const std::size_t first = static_cast<std::size_t>(random.up_to(fit.size() - 1));
    std::size_t second = static_cast<std::size_t>(random.up_to(fit.size() - 2));
    if (second >= first) ++second;
    return load(fit[second], now) < load(fit[first], now) ? fit[second] : fit[first];
  }

  void note(std::size_t which, const Attempt& attempt, Duration taken, Instant now) {
    if (attempt.error() != nullptr && attempt.error()->code() == Errc::cancelled) {
      return note_given_up(which, taken, now);
    }
    if (failed(attempt)) taken = std::max(taken, options_.first_time);
    upstreams[which].time.note(taken, now);
    if (ejection) ejection->note(which, attempt, now);
  }
  // A response would have taken longer still: so the time can only rise. Whose fault it was is not known.
  void note_given_up(std::size_t which, Duration taken, Instant now) {
    PeakEwma& time = upstreams[which].time;
    if (static_cast<double>(taken.count()) > time.at(now)) time.note(taken, now);
  }

  std::vector<Upstream> upstreams;
  Tried tried;
  std::optional<OutlierEjection> ejection;
  std::function<bool(const Attempt&)> failed = speaks_against_service;

 private:
  // Returns the first fit one from the last on. There is one at least: never all are ejected.
  std::size_t next_fit(const std::vector<std::size_t>& fit) {
    auto at = std::lower_bound(fit.begin(), fit.end(), next_);
    if (at == fit.end()) at = fit.begin();
    next_ = *at + 1;
    return *at;
  }
  double load(std::size_t which, Instant now) const {
    const Upstream& upstream = upstreams[which];
    return upstream.time.at(now) * static_cast<double>(upstream.running + 1);
  }

  BalanceOptions options_;
  std::size_t next_ = 0;
};

// Counts a request at its upstream, also one that is given up before its outcome.
class Balance::InFlight final : public BodyAttachment {
 public:
  InFlight(std::shared_ptr<State> state, std::size_t which, Tried::Place place, Reactor& reactor,
           Instant began)
      : state_(std::move(state)), which_(which), place_(place), reactor_(reactor), began_(began) {
    ++state_->upstreams[which_].running;
  }
  ~InFlight() override {
    --state_->upstreams[which_].running;
    if (noted_) return;
    const Instant now = reactor_.precise_now();
    state_->note_given_up(which_, now - began_, now);
  }
  void note(const Attempt& attempt) {
    noted_ = true;
    const Instant now = reactor_.precise_now();
    state_->note(which_, attempt, now - began_, now);
    if (place_ != 0 && !decide(true, attempt, SystemTime()).again) state_->tried.forget(place_);
  }

 private:
  std::shared_ptr<State> state_;
  std::size_t which_;
  Tried::Place place_;
  Reactor& reactor_;  // may be gone once the outcome is noted
  Instant began_;
  bool noted_ = false;
};

Balance::Balance(std::vector<Url> upstreams, BalanceOptions options)
    : state_(std::make_shared<State>(std::move(upstreams), std::move(options))) {}

std::size_t Balance::running(std::size_t upstream) const { return state_->upstreams.at(upstream).running; }
Duration Balance::time(std::size_t upstream, Instant now) const {
  return Duration::nanoseconds(static_cast<std::int64_t>(state_->upstreams.at(upstream).time.at(now)));
}
bool Balance::ejected(std::size_t upstream, Instant now) const {
  return state_->ejection && state_->ejection->ejected(upstream, now);
}

Task<Response> Balance::operator()(Request request, const Service& next) const {
  Reactor& reactor = co_await this_reactor;
  const std::shared_ptr<State> state = state_;
  const Instant began = reactor.precise_now();
  const std::optional<std::size_t> avoided = state->tried.take_previous(request);
  const std::size_t which = state->choose(avoided, reactor.random(), began);
  const Tried::Place place = state->tried.note(request, which);
  request.url = co_await url_at(state->upstreams[which].url, request.url);
  request.headers.remove("Host");
  auto held = std::make_unique<InFlight>(state, which, place, reactor, began);
  Result<Response> outcome = co_await next(std::move(request)).result();
  held->note(outcome ? Attempt(*outcome) : Attempt(outcome.error()));
  if (outcome) outcome->body.attach(std::move(held));
  co_return std::move(outcome);
}

}  // namespace escapement::http
