// The rules of HTTP caching as pure functions, without clock, store or I/O: what may be stored, how long it
// is fresh, and whether it may be used for a request. Cache (cache.h) asks them.
//
// Sources: RFC 9111; RFC 5861 (stale-while-revalidate, stale-if-error); the http-wg's cache-tests.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/system_time.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// The directives of Cache-Control that a cache acts on. A number of seconds that is malformed counts as zero
// where that is the careful reading (max-age, s-maxage), else as absent. Where a directive occurs twice, the
// first counts. Numbers may be quoted; those beyond 2^31 mean 2^31.
class CacheControl {
 public:
  // Reads the field lines of a response, or of a request with Pragma: no-cache, which counts if there is no
  // Cache-Control.
  static CacheControl of_response(const Headers& headers);
  static CacheControl of_request(const Headers& headers);

  bool no_store = false;                           // must not be stored
  bool no_cache = false;                           // also with a list of fields
  bool is_private = false;                         // also with a list of fields
  bool is_public = false;                          // may be stored by all
  bool must_revalidate = false;                    // must not be used when stale
  bool proxy_revalidate = false;                   // the same for shared caches
  bool must_understand = false;                    // stored only if its status is known, no_store or not
  bool only_if_cached = false;                     // nothing is to be asked for it
  std::optional<Duration> max_age;                 // of a request: the age that it accepts; 0: none
  std::optional<Duration> s_maxage;                // for shared caches
  std::optional<Duration> max_stale;               // Duration::max() if it came without a number
  std::optional<Duration> min_fresh;               // the time for which it is to stay fresh
  std::optional<Duration> stale_while_revalidate;  // beyond its lifetime
  std::optional<Duration> stale_if_error;          // beyond its lifetime
};

// A stored response without its body.
class StoredHead {
 public:
  StoredHead(int status_code, Headers fields) : status(status_code), headers(std::move(fields)) {}

  int status;       // as it came
  Headers headers;  // of fields_to_store
  // The values that the request had in the fields that the response depends on (Vary, and
  // CacheOptions::vary_always), in order; nullopt where it had none. Values of Authorization, Cookie and
  // Proxy-Authorization are digests.
  std::vector<std::pair<std::string, std::optional<std::string>>> varying;
  SystemTime requested;  // when the request was sent
  SystemTime received;   // when the response came
  std::uint64_t id = 0;  // the store's name for it
};

// The settings that the rules depend on.
class CacheRules {
 public:
  bool shared = false;           // false: for a single user
  double heuristic_share = 0.1;  // of the time since the last change: fresh for so long, if nothing says
  Duration heuristic_max = 24h;  // and no longer than this
  // Asks the server each time whether a stored response is still good, fresh or not: for an API whose
  // responses must be right, and which takes a 304 for little (GitHub: no quota).
  bool validate_always = false;
  Duration stale_if_error = {};  // for responses that name no such time; zero: it is not named either
};

// Returns whether the response to a request with these fields may be stored (section 3): to GET, with a final
// status other than 206 and 304, without no-store on either side, without "Vary: *", and either with a
// lifetime or with a status that allows a heuristic one. A shared cache stores neither what is private, nor a
// response to a request with Authorization unless public, must-revalidate or s-maxage allows it, nor one that
// sets a cookie unless it is public. With must-understand a status that RFC 9110 does not define is not
// stored.
bool may_store(const Method& method, const Headers& request, int status, const Headers& response,
               const CacheRules& rules);

// Returns how long a response is fresh, from its Date on (section 4.2.1): s-maxage (shared caches), max-age,
// Expires less Date, or else a share of the time since Last-Modified. Not below zero. Expires that is no
// date, or that contradicts itself, is in the past.
Duration fresh_for(const StoredHead& head, const CacheRules& rules);

// Returns how old a response is at `now` (section 4.2.3), with the time that it has spent in caches on the
// way.
Duration age(const StoredHead& head, SystemTime now);

// The way in which a stored response may be used.
enum class Reuse {
  fresh,               // as it is
  stale,               // as it is: the request allows that (max-stale)
  while_revalidating,  // as it is, while it is validated beside (stale-while-revalidate)
  validate,            // after validation
};

// The decision, with the numbers that it was made by.
class ReuseDecision {
 public:
  ReuseDecision(Reuse r, Duration a, Duration f, bool by) : reuse(r), age(a), fresh_for(f), by_request(by) {}
  Reuse reuse;         // the way to use it
  Duration age;        // at that time
  Duration fresh_for;  // its lifetime
  bool by_request;     // `validate`, because the request asks for it
};

// Decides on the use of a stored response that matches the request (section 4.2).
ReuseDecision decide_reuse(const StoredHead& head, const CacheControl& asked, const CacheRules& rules,
                           SystemTime now);

// Returns whether a response may be used although its validation has failed, with an Error or a 500, 502, 503
// or 504 (RFC 5861 section 4): it or the request names a time for that, or CacheRules does, and neither
// must-revalidate nor no-cache in the response forbids it. So a request with no-cache gets a fresh response
// after a failure only if somebody has named a time.
bool may_use_after_error(const StoredHead& head, const CacheControl& asked, const CacheRules& rules,
                         SystemTime now);

// Returns the names in Vary, in lower case; nullopt for "*".
std::optional<std::vector<std::string>> vary_fields(const Headers& response);

// Returns whether a 304 is about this response (section 4.3.4): by its ETag, else by its Last-Modified; one
// that names neither is.
bool validates(const StoredHead& head, const Headers& not_modified);

// Takes over the fields of a 304, other than those that describe the content or the connection (section 3.2).
void freshen(StoredHead& head, const Headers& not_modified, SystemTime requested, SystemTime received);

// Returns the fields to store: without those of the connection (section 3.1), and with a Date.
Headers fields_to_store(const Headers& response, SystemTime received);

}  // namespace escapement::http
