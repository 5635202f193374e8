// Url: the http and https URLs of RFC 3986 and RFC 9110 section 4.2.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <escapement/core/bytes.h>
#include <escapement/core/error.h>
#include <escapement/core/recycle.h>

namespace escapement::http {

// An absolute http or https URL, taken apart and normalised: scheme and host in lower case, default port
// left out, dot segments removed, empty path "/". Parsing is strict: what RFC 3986 does not allow is an
// error and not guessed at, so that no two programs can read one URL as two hosts.
class Url {
 public:
  // Errc::invalid_argument, with a sentence that says what is wrong and where. Non-ASCII must come
  // percent-encoded or, in the host, as Punycode. At most `length_max` bytes.
  static constexpr std::size_t length_max = 64 * KiB;
  static Result<Url> parse(std::string_view text);

  // `reference` as found in a Location header, relative to this URL (RFC 3986 section 5). A fragment is
  // inherited when the reference has none (RFC 9110 section 10.2.2). Errors as parse.
  Result<Url> resolve(std::string_view reference) const;

  const std::string& scheme() const { return parts().scheme; }  // "http" or "https"
  // "user:password", still encoded; often empty
  const std::string& userinfo() const { return parts().userinfo; }
  const std::string& host() const { return parts().host; }  // "example.com", "10.0.0.1", "::1" (no brackets)
  std::uint16_t port() const { return parts().port; }       // 80 or 443 where the URL names none
  const std::string& path() const { return parts().path; }  // begins with '/', still encoded
  const std::string& query() const { return parts().query; }        // without '?', still encoded
  const std::string& fragment() const { return parts().fragment; }  // without '#'
  bool has_query() const { return parts().has_query; }

  // What goes into a request line: path and query.
  std::string target() const;
  // What goes into Host: host in brackets where IPv6, port unless it is the scheme's default.
  std::string authority() const;
  // scheme://authority: two URLs with the same origin may share credentials.
  std::string origin() const;
  // The whole URL again, without userinfo and fragment: safe to log.
  std::string without_credentials() const;
  // The whole URL again.
  std::string text() const;
  // The same URL without userinfo.
  Url without_userinfo() const {
    Url url = *this;
    url.parts().userinfo.clear();
    return url;
  }

  // The decoded value of query parameter `name`; empty when absent. '+' is a space.
  std::string query_parameter(std::string_view name) const;

  bool operator==(const Url& other) const { return parts() == other.parts(); }

  Url(const Url& other) : Url(std::make_unique<Parts>(other.parts())) {}
  Url(Url&&) noexcept = default;
  Url& operator=(const Url& other) { return *this = Url(other); }
  Url& operator=(Url&&) noexcept = default;
  ~Url() = default;

  // For a server: where its requests go to, which is the same for most of them.
  class Origin {
   public:
    Origin() = default;
    Origin(bool encrypted, std::string_view host);
    // Of a host that is not empty.
    bool is(bool encrypted, std::string_view host) const;

   private:
    friend class Url;
    std::string text_;  // "https://host"
    std::size_t host_at_ = 0;
    bool encrypted_ = false;
    bool plain_ = false;  // nothing in it to normalise
  };
  // The URL of a request for `target`: not taken apart before somebody asks, where both are so plain that
  // there is nothing to normalise. Errors as parse.
  static Result<Url> of_request(const Origin& origin, std::string_view target);

 private:
  struct Parts {
    std::string scheme;
    std::string userinfo;
    std::string host;
    std::uint16_t port = 0;
    std::string path;
    std::string query;
    std::string fragment;
    bool has_query = false;
    bool operator==(const Parts&) const = default;
  };
  // A block: this, then the text of a URL that is known to parse, for as long as `parts` are not there.
  struct Store {
    std::unique_ptr<Parts> parts;
    std::size_t size;
    char* text() { return reinterpret_cast<char*>(this + 1); }
  };
  struct FreeStore {
    void operator()(Store* store) const;  // not inline: most that go were moved from
    static void drop_parts(Store& store);
  };

  Url() = default;
  explicit Url(Store* store) : store_(store) {}
  explicit Url(std::unique_ptr<Parts> parts);
  Parts& parts() const {
    if (!store_ || !store_->parts) take_apart();
    return *store_->parts;
  }
  static Store* new_store(std::size_t text_size);
  void take_apart() const;

  mutable std::unique_ptr<Store, FreeStore> store_;  // none: moved from
};

// `text` with its percent-encodings undone; what is no encoding stays as it is. For a part of a Url's path
// or query, whose encodings are all well-formed. May yield any byte, also '/' and NUL.
std::string percent_decoded(std::string_view text);

}  // namespace escapement::http
