// The orders of layers that are never right. `layered` refuses them when it is compiled, with a sentence.
//
//     outside        inside         why it is never right
//     Retry          Retry          attempts multiply: three of three are nine requests for one failure
//     Hedge          Retry, Hedge   a hedge starts beside an attempt that waits as the server asked
//     Hedge          Deduplicate    equal requests join one call, so the hedge is no second one
//     Retry          Cache          a failure that the cache keeps is repeated from the cache, and a stale
//                                   response hides the failures that Retry is there for
//     Retry          Deadline       each attempt gets a new overall deadline, so that there is none
//     credentials    Redirect       whether credentials may be sent is decided for each hop, so inside
//     Cache          credentials    a cache that does not see them serves one caller's response to another
//     Resume         Decompress     a resumed range counts the bytes that were sent, not the decoded ones
//     quota          Retry, Hedge,  what these send again is not counted, and the quota is overrun
//                    Redirect
//     credentials,   BaseUrl        these decide by the origin of a request, which BaseUrl has not set yet
//     Cache,
//     Redirect
//
// Credentials are BearerAuth, DigestAuth and Cookies; a quota is GitHubQueue. Only layers that are listed in
// one `layered` call see each other: wrapping a part in a Service says that it belongs to another program,
// such as the next tier in a test.
//
// Orders that are right for some are not in the list: Timeout outside and inside Retry mean two limits,
// Redirect outside Retry gives each hop its attempts, ConcurrencyLimit and CircuitBreaker count calls or
// attempts. Presets (presets/resilient.h, presets/github.h) are one right order each.
//
// Sources: RFC 9110 sections 14.2 and 15.4; RFC 9111 sections 2 and 3.5; the Go fault CVE-2024-45336.

#pragma once

namespace escapement::http {

// The part of a layer, for those around it. A layer has it as `static constexpr LayerRole role`.
enum class LayerRole {
  none,         // nothing that matters here
  base_url,     // completes URLs
  cache,        // keeps responses
  credentials,  // adds an origin's credentials
  deadline,     // limits the whole call, with all its attempts
  decompress,   // decodes bodies
  deduplicate,  // joins equal requests
  hedge,        // sends again while an attempt runs
  quota,        // counts requests against the server's limits
  redirect,     // follows redirects
  resume,       // asks for the rest of a broken body
  retry,        // sends again after a failure
};

namespace detail {

template <class Layer>
consteval LayerRole role_of() {
  if constexpr (requires { Layer::role; }) {
    return Layer::role;
  } else {
    return LayerRole::none;
  }
}

// True if one of the layers has this role.
template <LayerRole role, class... Inner>
inline constexpr bool has_role = ((role_of<Inner>() == role) || ...);

}  // namespace detail

// Returns whether `outer` is never right around `inner`: the table above.
constexpr bool never_right(LayerRole outer, LayerRole inner) {
  using enum LayerRole;
  switch (outer) {
    case retry: return inner == retry || inner == cache || inner == deadline;
    case hedge: return inner == retry || inner == hedge || inner == deduplicate;
    case credentials: return inner == redirect || inner == base_url;
    case cache: return inner == credentials || inner == base_url;
    case redirect: return inner == base_url;
    case resume: return inner == decompress;
    case quota: return inner == retry || inner == hedge || inner == redirect;
    default: return false;
  }
}

// Refuses what is never right inside a layer of this role. A layer calls it in its `check_order`.
template <LayerRole outer, class... Inner>
consteval void check_layers_inside() {
  using enum LayerRole;
  using detail::has_role;
  if constexpr (outer == retry) {
    static_assert(!has_role<retry, Inner...>,
                  "Retry outside of Retry multiplies their attempts: use one Retry with more attempts");
    static_assert(!has_role<cache, Inner...>,
                  "Retry outside of Cache repeats what the cache keeps: put Cache outside of Retry");
    static_assert(!has_role<deadline, Inner...>,
                  "Retry outside of Deadline gives each attempt a new deadline: put Deadline outside of "
                  "Retry, and a Timeout inside");
  }
  if constexpr (outer == hedge) {
    static_assert(!has_role<retry, Inner...> && !has_role<hedge, Inner...>,
                  "Hedge outside of Retry or Hedge sends while they wait as the server asked: put Hedge "
                  "innermost");
    static_assert(!has_role<deduplicate, Inner...>,
                  "Hedge outside of Deduplicate joins its own first attempt: put Deduplicate outside");
  }
  if constexpr (outer == credentials) {
    static_assert(!has_role<redirect, Inner...>,
                  "credentials are decided for each hop: put Redirect outside of BearerAuth");
  }
  if constexpr (outer == cache) {
    static_assert(!has_role<credentials, Inner...>,
                  "a cache must see the credentials that a response is for: put BearerAuth outside of Cache");
  }
  if constexpr (outer == resume) {
    static_assert(!has_role<decompress, Inner...>,
                  "Resume counts the bytes that were sent, not decoded ones: put Decompress outside of "
                  "Resume");
  }
  if constexpr (outer == quota) {
    static_assert(!has_role<retry, Inner...> && !has_role<hedge, Inner...> && !has_role<redirect, Inner...>,
                  "a quota counts every request: put GitHubQueue inside of Retry, Hedge and Redirect");
  }
  if constexpr (outer == credentials || outer == cache || outer == redirect) {
    static_assert(!has_role<base_url, Inner...>,
                  "this layer decides by the origin, which BaseUrl sets: put BaseUrl outside of it");
  }
  static_assert((!never_right(outer, detail::role_of<Inner>()) && ...),
                "these layers are never right in this order");
}

}  // namespace escapement::http
