#include <escapement/middleware/presets/stack_text.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <limits>
#include <vector>

#include <escapement/core/detail/number.h>
#include <escapement/middleware/cache/cache.h>
#include <escapement/middleware/cache/memory_cache_store.h>
#include <escapement/middleware/client/balance.h>
#include <escapement/middleware/client/base_url.h>
#include <escapement/middleware/client/bearer_auth.h>
#include <escapement/middleware/client/call_budget.h>
#include <escapement/middleware/client/deduplicate.h>
#include <escapement/middleware/client/github_limits.h>
#include <escapement/middleware/client/github_queue.h>
#include <escapement/middleware/client/hedge.h>
#include <escapement/middleware/client/redirect.h>
#include <escapement/middleware/client/resume.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/client/tiered_retry.h>
#include <escapement/middleware/limits/body_deadline.h>
#include <escapement/middleware/limits/body_idle.h>
#include <escapement/middleware/limits/deadline.h>
#include <escapement/middleware/limits/deadline_field.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/presets/github.h>
#include <escapement/middleware/presets/resilient.h>

namespace escapement::http {

namespace {

// Returns the next word of `text`, which loses it.
std::string_view next_word(std::string_view& text, char end) {
  text = without_white_space(text);
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view word = without_white_space(text.substr(0, at));
  text.remove_prefix(std::min(at + 1, text.size()));
  return word;
}

std::optional<Duration> duration(std::string_view text) {
  for (const auto& [unit, length] : {std::pair<std::string_view, Duration>("ms", 1ms),
                                     {"min", 60s},
                                     {"us", Duration(1ms) / 1000},
                                     {"s", 1s},
                                     {"h", 1h}}) {
    if (!text.ends_with(unit)) continue;
    const auto number = parse_number<std::int64_t>(text.substr(0, text.size() - unit.size()));
    if (number && *number >= 0) return length * *number;
  }
  return std::nullopt;
}

// Reads "0.2". Emscripten's library has no from_chars for it.
std::optional<double> ratio_in(std::string_view text) {
  const std::string number(text);
  char* end = nullptr;
  const double value = std::strtod(number.c_str(), &end);
  if (number.empty() || *end != '\0') return std::nullopt;
  return value;
}

// One layer of the text: "retry attempts=3" as it was read, and what was not understood.
class Words {
 public:
  explicit Words(std::string_view text) : whole_(text) {
    name_ = next_word(text, ' ');
    while (!without_white_space(text).empty()) words_.push_back(next_word(text, ' '));
    known_.resize(words_.size());
  }
  std::string_view name() const { return name_; }
  // Returns the value of "key=value", or of a lone word where `key` is empty.
  std::optional<std::string_view> value(std::string_view key) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const std::size_t equals = words_[i].find('=');
      const bool lone = equals == std::string_view::npos || words_[i].find("://") < equals;
      if (known_[i] || (key.empty() ? !lone : lone || words_[i].substr(0, equals) != key)) continue;
      known_[i] = true;
      return key.empty() ? words_[i] : words_[i].substr(equals + 1);
    }
    return std::nullopt;
  }
  bool flag(std::string_view name) {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if (words_[i] != name) continue;
      known_[i] = true;
      return true;
    }
    return false;
  }
  void read(std::string_view key, Duration& into) {
    const std::optional<std::string_view> text = value(key);
    const std::optional<Duration> read = text ? duration(*text) : std::nullopt;
    if (read) into = *read;
    if (text && !read) complain("'" + std::string(*text) + "' is no length of time, such as 250ms");
  }
  void read(std::string_view key, int& into) {
    const std::optional<std::string_view> text = value(key);
    const std::optional<int> read = text ? parse_number<int>(*text) : std::nullopt;
    const bool fits = read && *read >= 0;
    if (fits) into = *read;
    if (text && !fits) complain("'" + std::string(*text) + "' is no whole number");
  }
  void complain(const std::string& what) {
    if (!fault_) fault_.emplace(Errc::invalid_argument, "'" + std::string(whole_) + "': " + what);
  }
  // Returns what is wrong, if anything is; also a word that nobody has asked for.
  std::optional<Error> fault() {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      if (!known_[i]) complain("there is no setting '" + std::string(words_[i]) + "'");
    }
    return fault_;
  }

 private:
  std::string_view whole_;
  std::string_view name_;
  std::vector<std::string_view> words_;
  std::vector<bool> known_;
  std::optional<Error> fault_;
};

// The most that the presets send with their defaults: Resume, times the hops of Redirect, times Retry.
constexpr std::uint64_t hops_and_first = 11;
constexpr std::uint64_t rests_and_first = 11;
constexpr std::uint64_t resilient_sends = rests_and_first * hops_and_first * 3;
constexpr std::uint64_t github_sends = hops_and_first * 4;

// A layer that was read: what puts it around a service, and how often it may send a request at most.
struct Read {
  std::function<Service(Service)> around;
  std::uint64_t sends = 1;
  LayerRole role = LayerRole::none;
  bool resumes = false;
};

template <class Layer>
Read as_read(Layer layer, std::uint64_t sends = 1) {
  return Read{[layer](Service next) { return layered(layer, std::move(next)); }, sends,
              detail::role_of<Layer>()};
}

std::uint64_t at_least_one(int number) { return static_cast<std::uint64_t>(std::max(number, 1)); }

// Reads "budget=0.2" into a budget without a minimum, or one of `budget_min` retries a second.
std::optional<RetryBudget> read_budget(Words& words) {
  int least = 0;
  words.read("budget_min", least);
  const auto text = words.value("budget");
  if (!text) return std::nullopt;
  const std::optional<double> ratio = ratio_in(*text);
  if (!ratio || !(*ratio >= 0 && *ratio <= 10)) {
    words.complain("budget is a number from 0 to 10");
    return std::nullopt;
  }
  RetryBudgetOptions options;
  options.ratio = *ratio;
  options.per_second_min = static_cast<unsigned>(std::min(least, 1'000'000));
  return RetryBudget(options);
}

// Returns the rule of backoff.h; empty for a name that is none.
BackoffRule rule_named(std::string_view name, const Retry& retry) {
  if (name == "equal") return equal_jitter(retry.backoff, retry.backoff_max);
  if (name == "decorrelated") return decorrelated_jitter(retry.backoff, retry.backoff_max);
  if (name == "tower") return proportional_jitter(retry.backoff, retry.backoff_max);
  if (name == "grpc") return multiplied_backoff(retry.backoff, 2, retry.backoff_max);
  if (name == "got") return seconds_doubling();
  if (name == "octokit") return seconds_squared();
  if (name == "polly") return smoothed_jitter(retry.backoff, retry.backoff_max);
  if (name == "lognormal") return lognormal_jitter(retry.backoff, retry.backoff_max);
  return {};
}

Read read_retry(Words& words) {
  Retry retry;
  std::shared_ptr<const BackoffRule> rule;
  words.read("attempts", retry.attempts);
  words.read("backoff", retry.backoff);
  words.read("backoff_max", retry.backoff_max);
  words.read("server_delay_max", retry.server_delay_max);
  retry.repeat_any_method = words.flag("any_method");
  if (const auto jitter = words.value("jitter")) {
    retry.jitter = *jitter == "none" ? Jitter::none : Jitter::full;
    rule = std::make_shared<const BackoffRule>(rule_named(*jitter, retry));
    if (*rule) retry.delays = rule.get();
    if (*jitter != "none" && *jitter != "full" && !*rule) words.complain("there is no such jitter");
  }
  retry.budget = read_budget(words);
  Read read = as_read(retry, at_least_one(retry.attempts));
  if (retry.delays == nullptr) return read;
  read.around = [retry, rule](Service next) {
    const Service around = layered(retry, std::move(next));
    return Service([around, rule](Request request) { return around(std::move(request)); });
  };
  return read;
}

Read read_bearer(Words& words) {
  BearerAuthOptions options;
  options.origin = words.value("origin").value_or("");
  if (options.origin.empty()) words.complain("it needs origin=http://HOST");
  std::string token(words.value("token").value_or("token"));
  options.get_token = [token]() -> Task<std::string> { co_return token; };
  if (options.origin.empty()) return Read{};
  return as_read(BearerAuth(std::move(options)), 2);
}

Read read_cache(Words& words) {
  CacheOptions options;
  options.rules.validate_always = words.flag("validate");
  return as_read(Cache(std::make_shared<MemoryCacheStore>(), std::move(options)));
}

Read read_base(Words& words) {
  const Result<Url> base = Url::parse(words.value("").value_or(""));
  if (base) return as_read(BaseUrl{*base});
  words.complain(base.error().message());
  return Read{};
}

Read read_time(Words& words) {
  Duration limit = Duration::max();
  words.read("", limit);
  if (limit == Duration::max()) words.complain("it needs a length of time, such as 250ms");
  if (words.name() == "body_idle") return as_read(BodyIdle{limit});
  if (words.name() == "body_deadline") return as_read(BodyDeadline{limit});
  if (words.name() == "deadline") return as_read(Deadline{limit});
  return as_read(Timeout{limit});
}

Read read_send_deadline(Words& words) {
  SendDeadline send;
  words.read("margin", send.margin);
  return as_read(send);
}

Read read_call_budget(Words& words) {
  const std::optional<RetryBudget> budget = read_budget(words);
  if (!budget) words.complain("it needs a ratio, such as budget=0.2");
  return budget ? as_read(CallBudget(*budget)) : Read{};
}

Read read_balance(Words& words) {
  BalanceOptions options;
  if (words.flag("round_robin")) options.rule = BalanceRule::round_robin;
  std::vector<Url> upstreams;
  while (const auto text = words.value("")) {
    const Result<Url> url = Url::parse(*text);
    if (url) upstreams.push_back(*url);
    if (!url) words.complain(url.error().message());
  }
  if (upstreams.empty()) words.complain("it needs URLs, such as http://a http://b");
  return upstreams.empty() ? Read{} : as_read(Balance(std::move(upstreams), std::move(options)));
}

// The layers that keep, share out or limit, rather than send again.
std::optional<Read> read_other(Words& words) {
  const std::string_view name = words.name();
  if (name == "bearer") return read_bearer(words);
  if (name == "base") return read_base(words);
  if (name == "balance") return read_balance(words);
  if (name == "cache") return read_cache(words);
  if (name == "call_budget") return read_call_budget(words);
  if (name == "deduplicate") return as_read(Deduplicate());
  if (name == "github_limits") return as_read(GitHubLimits());
  if (name == "github_queue") return as_read(GitHubQueue());
  if (name == "send_deadline") return read_send_deadline(words);
  if (name == "take_deadline") return as_read(TakeDeadline());
  if (name == "tiered_retry") return as_read(TieredRetry(), 3);
  return std::nullopt;
}

Read read_layer(Words& words) {
  const std::string_view name = words.name();
  if (name == "timeout" || name == "body_idle" || name == "deadline" || name == "body_deadline")
    return read_time(words);
  if (std::optional<Read> other = read_other(words)) return *std::move(other);
  if (name == "retry") return read_retry(words);
  if (name == "resilient")
    return Read{[](Service next) { return resilient(std::move(next)); }, resilient_sends, LayerRole::retry,
                true};
  if (name == "github")
    return Read{[](Service next) { return github(std::move(next)); }, github_sends, LayerRole::retry};
  if (name == "redirect") {
    Redirect redirect;
    words.read("hops", redirect.hops_max);
    return as_read(redirect, static_cast<std::uint64_t>(redirect.hops_max) + 1);
  }
  if (name == "hedge") {
    Hedge hedge;
    words.read("delay", hedge.delay);
    words.read("attempts", hedge.attempts);
    return as_read(hedge, at_least_one(hedge.attempts));
  }
  if (name == "resume") {
    Resume resume;
    words.read("requests", resume.requests_max);
    Read read = as_read(resume, static_cast<std::uint64_t>(resume.requests_max) + 1);
    read.resumes = true;
    return read;
  }
  words.complain("there is no such layer");
  return Read{};
}

}  // namespace

Result<StackText> stack_of(std::string_view text, Service service) {
  std::vector<Read> layers;
  while (!without_white_space(text).empty()) {
    Words words(next_word(text, ','));
    Read layer = read_layer(words);
    if (std::optional<Error> fault = words.fault()) return *std::move(fault);
    for (const Read& outer : layers) {
      if (!never_right(outer.role, layer.role)) continue;
      return Error(Errc::invalid_argument,
                   "'" + std::string(words.name()) +
                       "' is never right inside of a layer before it: layer_order.h says why");
    }
    layers.push_back(std::move(layer));
  }
  std::uint64_t most = 1;
  bool resumes = false;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    service = layer->around(std::move(service));
    resumes |= layer->resumes;
    const bool fits =
        most <= std::numeric_limits<std::uint64_t>::max() / std::max<std::uint64_t>(layer->sends, 1);
    most = fits ? most * layer->sends : std::numeric_limits<std::uint64_t>::max();
  }
  StackText stack(std::move(service), most);
  stack.resumes = resumes;
  return stack;
}

}  // namespace escapement::http
