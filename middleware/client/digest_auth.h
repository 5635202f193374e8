// DigestAuth: answers the digest challenges of one origin with a user and a password.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <escapement/core/random.h>
#include <escapement/io/http/service.h>
#include <escapement/middleware/client/layer_order.h>

namespace escapement::http {

// The settings of a DigestAuth.
class DigestAuthOptions {
 public:
  // The origin that the password is for, as Url::origin says it: "https://example.org". Requests to any other
  // go on without.
  std::string origin;
  std::string user;      // in UTF-8
  std::string password;  // in UTF-8
  // The source of client nonces; null: the reactor's generator. Must outlive the calls.
  Random* random = nullptr;
};

// Answers a 401 with a Digest challenge by sending the request once more, with credentials, if its body can
// be sent again; a body that cannot gets the 401. From then on requests carry credentials at once, each with
// the next nonce count, and a nonce that the server calls stale, or replaces in Authentication-Info, is
// exchanged. A 401 that is no stale nonce means that the password is wrong: it is returned, and nothing is
// sent again.
//
// Of several challenges it takes the first that it knows, as the server lists them by preference: algorithms
// MD5, SHA-256 and their -sess forms (SHA-512-256 is not there), qop auth, auth-int for bodies in memory, and
// none. A 401 without such a challenge is returned. The password is never sent. Even so, use https: digest
// hides nothing of the content, and MD5 is weak.
//
// Inside a Redirect it looks at each hop. Copies share nonce and count; they belong to one reactor's thread.
//
//     DigestAuthOptions options;
//     options.origin = "https://camera.example";
//     options.user = "me";
//     options.password = secret;
//     const Service camera = layered(Redirect{}, DigestAuth(options), client);
//
// Sources: RFC 7616; RFC 2617 section 3.2.2 (no qop); RFC 8187 (names outside ASCII).
class DigestAuth {
 public:
  static constexpr LayerRole role = LayerRole::credentials;  // layer_order.h
  // Refuses layers that are never right inside of this one (layer_order.h).
  template <class... Inner>
  static consteval void check_order() {
    check_layers_inside<role, Inner...>();
  }

  // Makes a layer whose copies share what the server said. `origin` must be set (checked).
  explicit DigestAuth(DigestAuthOptions options);

  Task<Response> operator()(Request request, const Service& next) const;

 private:
  class State;

  std::shared_ptr<State> state_;
};

namespace detail {

struct Challenge;

// The facts that a digest response covers.
struct DigestInput {
  std::string_view user;
  std::string_view password;
  std::string_view method;
  std::string_view target;
  std::string_view body;  // for qop auth-int
  bool body_known = true;
  std::string_view cnonce;
  std::uint32_t count = 1;
};

// Returns the value of Authorization for a challenge; empty: it asks for what is not there.
std::string digest_authorization(const Challenge& challenge, const DigestInput& input);

}  // namespace detail

}  // namespace escapement::http
