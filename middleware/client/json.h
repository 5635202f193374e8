// JSON for calls, by nlohmann-json: a choice of the program that includes this. The library itself has no
// JSON; install nlohmann-json 3.11 or later (Debian: nlohmann-json3-dev) and add its headers to the program.
//
//     Json user = co_await api.get("users/7").json();
//     User typed = co_await api.get("users/7").json<User>();      // with NLOHMANN_DEFINE_TYPE_INTRUSIVE,
//     from_json Json made = co_await api.post_json("users", typed).json();
//
// Text that is not JSON fails with bad_message and the place of the mistake. A value of another shape than T
// fails with Errc::exception and nlohmann's sentence; a program without C++ exceptions should read Json and
// look at it, because nlohmann's conversions then end the program.

#pragma once

#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include <escapement/core/error.h>
#include <escapement/middleware/client/call.h>

namespace escapement::http {

// A JSON value.
using Json = nlohmann::json;

namespace detail {

// Finds the mistake in a text: looks at everything, keeps nothing.
class JsonMistake final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    sentence = "not JSON, at byte " + std::to_string(position) + ": " + error.what();
    return false;
  }

  std::string sentence;
};

}  // namespace detail

// Returns the JSON value that `text` is. Errc::bad_message, with the place of the mistake.
inline Result<Json> parse_json(const std::string& text) {
  Json value = Json::parse(text, nullptr, false);
  if (!value.is_discarded()) return value;
  detail::JsonMistake mistake;
  Json::sax_parse(text, &mistake);
  return Error(Errc::bad_message, mistake.sentence);
}

// Returns the text of a value. Bytes in strings that are no UTF-8 become U+FFFD.
inline std::string json_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Call::json() yields a Json.
template <>
struct JsonCodec<void> {
  using Value = Json;
  // Reads a text. Errc::bad_message if it is not JSON.
  static Result<Json> read(const std::string& text) { return parse_json(text); }
};

// Call::json<Json>(), and what post_json takes.
template <>
struct JsonCodec<Json> {
  using Value = Json;
  // Reads a text. Errc::bad_message if it is not JSON.
  static Result<Json> read(const std::string& text) { return parse_json(text); }
  // Returns the text of a value.
  static std::string write(const Json& value) { return json_text(value); }
};

// Call::json<T>() yields what nlohmann-json converts.
template <class T>
  requires requires(const Json& json, T& value) { json.get_to(value); }
struct JsonCodec<T> {
  using Value = T;
  // Reads a text. Errc::bad_message if it is not JSON.
  static Result<T> read(const std::string& text) {
    Result<Json> json = parse_json(text);
    if (!json) return std::move(json).error();
    return json->template get<T>();
  }
  // Returns the text of a value.
  static std::string write(const T& value) { return json_text(Json(value)); }
};

}  // namespace escapement::http
