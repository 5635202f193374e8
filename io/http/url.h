// Url: the http and https URLs of RFC 3986 and RFC 9110 section 4.2.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/frame_pool.h>
#include <escapement/core/error.h>

namespace escapement::http {

// An absolute http or https URL, taken apart: scheme and host in lower case, default port left out, empty
// path "/". Path and query stay as they were given, byte for byte, where RFC 3986 allows them: a signature
// may cover their text. This is the whole rule, for URLs of the program, of a request line and of a Location:
//
//                                            parse: path    query, fragment   resolve: path   query, fragment
//     what RFC 3986 allows, also "%2d"       as given       as given          as given        as given
//     segments "." and "..", also as "%2e"   resolved       as given          resolved        as given
//     " < > ^ ` { | } [ ]                    encoded        encoded           encoded         encoded
//     % without two hexadecimal digits       refused        as given          as given        as given
//     backslash                              refused        encoded           becomes /       encoded
//     space, byte above 0x7f                 refused        refused           encoded         encoded
//     control character                      refused        refused           refused         refused
//
// `parse` refuses what two programs could read as two paths; `resolve` does what the URL standard says, as
// browsers, curl and reqwest do. Both refuse everything doubtful up to the path, so that no two programs can
// read one URL as two hosts: user information and port are strict, and a host is an address or a name of
// labels with RFC 3986's characters. In a name, encodings of letters, digits and "-._~" are undone; those of
// delimiters, spaces and control characters are refused.
class Url {
 public:
  // Errc::invalid_argument, with a sentence that says what is wrong and where. A host outside ASCII must come
  // as Punycode. At most `length_max` bytes.
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
  // Begins with '/', encoded as it was given: "/%7Ea" and "/~a" differ here. To compare paths:
  // normal_spelling.
  const std::string& path() const { return parts().path; }
  const std::string& query() const { return parts().query; }        // without '?', still encoded
  const std::string& fragment() const { return parts().fragment; }  // without '#'
  bool has_query() const { return parts().has_query; }

  // Returns the request target: path and query.
  std::string target() const;
  // Returns the text for Host: the host, in brackets if IPv6, port unless it is the scheme's default.
  std::string authority() const;
  // Returns scheme://authority: two URLs with the same origin may share credentials.
  std::string origin() const;
  // Returns the whole URL again, without userinfo and fragment: safe to log.
  std::string without_credentials() const;
  // Returns the whole URL again.
  std::string text() const;
  // Returns the same URL without userinfo.
  Url without_userinfo() const {
    Url url(std::make_unique<Parts>(parts()));
    url.parts().userinfo.clear();
    return url;
  }

  // Returns the decoded value of the first query parameter whose decoded name is `name`; empty when absent.
  // '+' is a space, and a '%' that encodes nothing is itself.
  std::string query_parameter(std::string_view name) const;

  // Compares: equal if both are sent as the same text, fragment and user information included.
  bool operator==(const Url& other) const { return parts() == other.parts(); }

  // Copies share their text and parts: a copy costs next to nothing.
  Url(const Url& other) : Url(share(other)) {}
  Url(Url&&) noexcept = default;
  Url& operator=(const Url& other) { return *this = Url(other); }
  Url& operator=(Url&&) noexcept = default;
  ~Url() = default;

  // The scheme and host that a server's requests go to, which are the same for most of them.
  class Origin {
   public:
    Origin() = default;
    // Makes the origin of https (`encrypted`) or http URLs at `host`, with its port if it is unusual.
    Origin(bool encrypted, std::string_view host);
    // `host` must not be empty.
    bool is(bool encrypted, std::string_view host) const;

   private:
    friend class Url;
    std::string text_;  // "https://host"
    std::size_t host_at_ = 0;
    bool encrypted_ = false;
    bool plain_ = false;  // nothing in it to normalise
  };
  // Returns the URL of a request for `target`. It is not taken apart before a part is asked for, if both are
  // so plain that there is nothing to normalise. Errors as parse.
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
  // Shared by copies, perhaps on several threads, with its parts, and never changed then.
  struct Store {
    std::unique_ptr<Parts> parts;
    std::size_t size;
    std::atomic<std::uint32_t> users = 1;
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
  enum class Reading { strict, as_browsers_do };
  static Result<Url> read(std::string_view text, Reading reading);
  // Reads what follows the user information into `parts`. Returns why it is malformed, or nothing.
  static std::string_view read_host_and_port(std::string_view authority, Parts& parts);
  static Store* new_store(std::size_t text_size);
  static Store* share(const Url& other) {
    other.parts();
    other.store_->users.fetch_add(1, std::memory_order_relaxed);
    return other.store_.get();
  }
  void take_apart() const;

  mutable std::unique_ptr<Store, FreeStore> store_;  // none: moved from
};

// Returns `text` with its percent-encodings undone; a '%' that encodes nothing stays as it is. May yield any
// byte, also '/' and NUL.
std::string percent_decoded(std::string_view text);

// Returns a path or query spelt in the normal way (RFC 3986 section 6.2.2): encodings of letters, digits and
// "-._~" undone, the others in upper case. Two texts that any server must take for the same become equal.
std::string normal_spelling(std::string_view text);

}  // namespace escapement::http
