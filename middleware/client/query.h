// Query: the name=value pairs of a URL's query or of a form, percent-encoded.
//
//     Query query;
//     query.add("q", "a & b").add("page", 2);
//     Url url = co_await with_query(base, query);          // https://example.org/search?q=a%20%26%20b&page=2
//     Request login = post_form(url, Query{{"user", "me"}, {"password", "s3cret"}});

#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include <escapement/core/error.h>
#include <escapement/io/http/message.h>
#include <escapement/io/http/url.h>

namespace escapement::http {

// Returns `text` with every byte encoded that is not a letter, a digit or one of "-._~": safe as a path
// segment, as a name or value of a query, and in a form. The inverse is percent_decoded (url.h).
std::string percent_encoded(std::string_view text);

// Pairs in the order in which they were added; a name may occur several times. Any bytes are allowed in
// either part. A space becomes "%20", which means a space in URLs and in forms ("+" does so only in forms).
class Query {
 public:
  Query() = default;
  // Holds the pairs in this order, as plain text: `Query{{"a", "1"}, {"b", "2"}}`.
  Query(std::initializer_list<std::pair<std::string_view, std::string_view>> pairs) {
    for (const auto& [name, value] : pairs) add(name, value);
  }

  // Adds a pair. Both are encoded: pass the plain text.
  Query& add(std::string_view name, std::string_view value);
  // Adds a whole number, in decimal; a bool would be ambiguous: spell it as the server wants it.
  template <std::integral Number>
    requires(!std::same_as<Number, bool> && !std::same_as<Number, char>)
  Query& add(std::string_view name, Number value) {
    return add(name, std::to_string(value));
  }

  // Returns "name=value&name=value"; empty if nothing was added.
  const std::string& text() const { return text_; }
  // Returns whether nothing was added.
  bool empty() const { return text_.empty(); }

 private:
  std::string text_;
};

// Returns `url` with the pairs after those of its query. Errc::invalid_argument: the URL would be longer than
// Url::length_max.
Result<Url> with_query(const Url& url, const Query& query);

// Returns a POST of the pairs as application/x-www-form-urlencoded (URL Standard section 5). An empty Query
// is a form without fields: Content-Length 0.
Request post_form(Url url, const Query& form);

}  // namespace escapement::http
