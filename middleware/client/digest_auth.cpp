#include <escapement/middleware/client/digest_auth.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <utility>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/reactor.h>
#include <escapement/middleware/client/detail/challenges.h>
#include <escapement/middleware/client/detail/hashes.h>
#include <escapement/middleware/client/detail/whole_copy.h>
#include <escapement/middleware/client/query.h>

namespace escapement::http {

namespace detail {

namespace {

using Hash = std::string (*)(std::string_view);

struct Algorithm {
  Hash hash = nullptr;  // null: not known
  bool session = false;
};

Algorithm algorithm_of(const Challenge& challenge) {
  const std::string name = lower(challenge.get("algorithm"));
  if (name.empty() || name == "md5") return {md5_hex, false};
  if (name == "md5-sess") return {md5_hex, true};
  if (name == "sha-256") return {sha256_hex, false};
  if (name == "sha-256-sess") return {sha256_hex, true};
  return {};
}

std::string quoted(std::string_view text) {
  std::string value = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') value += '\\';
    value += c;
  }
  return value + '"';
}

bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

// The user's name as the field has it: hashed, encoded or plain.
std::string name_field(const Challenge& challenge, const DigestInput& input, Hash hash) {
  if (equal_ignoring_case(challenge.get("userhash"), "true")) {
    const std::string name = hash(std::string(input.user) + ':' + std::string(challenge.get("realm")));
    return "username=\"" + name + "\", userhash=true";
  }
  if (is_plain(input.user)) return "username=" + quoted(input.user);
  return "username*=UTF-8''" + percent_encoded(input.user);
}

}  // namespace

std::string digest_authorization(const Challenge& challenge, const DigestInput& input) {
  const Algorithm algorithm = algorithm_of(challenge);
  if (algorithm.hash == nullptr || challenge.get("nonce").empty()) return {};
  const std::string_view offered = challenge.get("qop");
  std::string qop;
  if (list_contains(offered, "auth")) {
    qop = "auth";
  } else if (list_contains(offered, "auth-int") && input.body_known) {
    qop = "auth-int";
  } else if (!offered.empty()) {
    return {};
  }
  const Hash hash = algorithm.hash;
  const auto joined = [](auto... parts) {
    std::string text;
    ((text += text.empty() ? "" : ":", text += parts), ...);
    return text;
  };
  const std::string_view nonce = challenge.get("nonce");
  const std::string_view realm = challenge.get("realm");
  std::string secret =
      hash(std::string(input.user) + ':' + std::string(realm) + ':' + std::string(input.password));
  if (algorithm.session) secret = hash(joined(secret, nonce, input.cnonce));
  std::string about = joined(input.method, input.target);
  if (qop == "auth-int") about += ':' + hash(input.body);
  char count[16];
  std::snprintf(count, sizeof count, "%08x", static_cast<unsigned>(input.count));
  const std::string response = qop.empty()
                                   ? hash(joined(secret, nonce, hash(about)))
                                   : hash(joined(secret, nonce, count, input.cnonce, qop, hash(about)));
  std::string value = "Digest " + name_field(challenge, input, hash) + ", realm=" + quoted(realm) +
                      ", nonce=" + quoted(nonce) + ", uri=" + quoted(input.target) + ", response=\"" +
                      response + '"';
  if (!challenge.get("algorithm").empty()) value += ", algorithm=" + std::string(challenge.get("algorithm"));
  if (!challenge.get("opaque").empty()) value += ", opaque=" + quoted(challenge.get("opaque"));
  if (!qop.empty()) value += ", qop=" + qop + ", nc=" + count;
  if (!qop.empty() || algorithm.session) value += ", cnonce=" + quoted(input.cnonce);
  return value;
}

}  // namespace detail

class DigestAuth::State {
 public:
  explicit State(DigestAuthOptions options) : options_(std::move(options)) {
    ESC_CHECK(!options_.origin.empty(), "DigestAuthOptions::origin is not set");
  }

  bool applies_to(const Request& request) const { return request.url.origin() == options_.origin; }

  // Returns the credentials for a request; empty: none can be given.
  std::string credentials(const Request& request, Random& random) {
    if (!challenge_) return {};
    std::string cnonce;
    for (int i = 0; i < 32; ++i) cnonce += "0123456789abcdef"[random.next() >> 60];
    detail::DigestInput input;
    input.user = options_.user;
    input.password = options_.password;
    input.method = request.method.text();
    const std::string target = request.url.target();
    input.target = target;
    input.body = request.body.bytes();
    input.body_known = request.body.replayable();
    input.cnonce = cnonce;
    input.count = ++count_;
    return detail::digest_authorization(*challenge_, input);
  }

  Random& random(Reactor& reactor) const {
    return options_.random != nullptr ? *options_.random : reactor.random();
  }

  // Takes the first challenge that can be answered. Returns whether it is worth an answer: to a request
  // without credentials, or with those of a nonce that was stale.
  bool take_challenge(const Headers& headers, bool had_credentials) {
    for (detail::Challenge& challenge : detail::challenges_of(headers, "WWW-Authenticate")) {
      if (!equal_ignoring_case(challenge.scheme, "Digest")) continue;
      if (detail::digest_authorization(challenge, detail::DigestInput()).empty()) continue;
      const bool stale = equal_ignoring_case(challenge.get("stale"), "true");
      challenge_ = std::move(challenge);
      start_counting();
      if (had_credentials && !stale) challenge_.reset();  // the next request asks anew
      return !had_credentials || stale;
    }
    challenge_.reset();
    return false;
  }

  void take_next_nonce(const Headers& headers) {
    // Its parameters are those of a challenge without a scheme.
    const Headers info{{"Info", "Digest " + headers.joined("Authentication-Info").value_or("")}};
    const std::vector<detail::Challenge> parsed = detail::challenges_of(info, "Info");
    const std::string_view next = parsed.empty() ? std::string_view() : parsed.front().get("nextnonce");
    if (next.empty() || !challenge_) return;
    for (auto& [name, value] : challenge_->parameters) {
      if (name == "nonce") value = next;
    }
    start_counting();
  }

 private:
  // A count is never used twice with one nonce, even if the server offers that again.
  void start_counting() {
    const std::string_view nonce = challenge_->get("nonce");
    if (counted_ == nonce) return;
    counted_ = nonce;
    count_ = 0;
  }

  const DigestAuthOptions options_;
  std::optional<detail::Challenge> challenge_;
  std::string counted_;  // the nonce that `count_` is of
  std::uint32_t count_ = 0;
};

DigestAuth::DigestAuth(DigestAuthOptions options) : state_(std::make_shared<State>(std::move(options))) {}

Task<Response> DigestAuth::operator()(Request request, const Service& next) const {
  const std::shared_ptr<State> state = state_;
  if (!state->applies_to(request)) co_return co_await next(std::move(request));
  Reactor& reactor = co_await this_reactor;
  for (int attempt = 1;; ++attempt) {
    const std::string credentials = state->credentials(request, state->random(reactor));
    std::optional<Request> again;
    if (request.body.replayable() && attempt < 3) {
      again.emplace(detail::whole_copy(request));
      again->context = request.context;
    }
    if (!credentials.empty()) request.headers.set("Authorization", credentials);
    Response response = co_await next(std::move(request));
    if (response.status != 401) {
      state->take_next_nonce(response.headers);
      co_return std::move(response);
    }
    const bool answerable = state->take_challenge(response.headers, !credentials.empty());
    if (!answerable || !again) co_return std::move(response);
    request = *std::move(again);
  }
}

}  // namespace escapement::http
