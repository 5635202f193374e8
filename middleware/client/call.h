// Calls: the usual calls of a service in one line each, and a builder for all the rest.
//
//     const Calls api(client, "https://api.example.org/v1/");
//     std::string motd = co_await api.get("motd").text();
//     Json user = co_await api.get("users").query("name", "me").json();                    // json.h
//     Json made = co_await api.post_json("users", Json{{"name", "me"}}).json();            // json.h
//     Response any = co_await api.delete_("users/7").bearer(token).timeout(5s).send();
//
// `send` yields any response. What reads the body (`text`, `json`, `nothing`) wants a status of 2xx, and
// fails otherwise with the kind in this table; the sentence has the status and the beginning of the body:
//
//     401, 403, 407        permission_denied
//     404, 410             not_found
//     408, 429, 5xx        unavailable: it may succeed later (a Retry in `service` has tried already)
//     other 4xx            invalid_argument
//     1xx, 3xx             bad_message: put a Redirect into `service`

#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/core/bytes.h>
#include <escapement/io/http/service.h>
#include <escapement/middleware/client/multipart.h>
#include <escapement/middleware/client/query.h>

namespace escapement::http {

// Reads and writes T as JSON: json.h has them, for a library of your choice you write one.
//
//     using Value = ...;                                  // what Call::json yields
//     static Result<Value> read(const std::string& text);
//     static std::string write(const T& value);
template <class T>
struct JsonCodec {
  static_assert(escapement::detail::never<T>,
                "JSON is a choice: include <escapement/middleware/client/json.h>, which needs nlohmann-json");
};

// A request that is being put together. Copies are not possible; each is sent once: by one of `send`, `text`,
// `nothing` and `json`, whose task owns everything that it needs. A mistake (a URL that is none, two bodies,
// a time limit of nothing) is reported as invalid_argument when it is sent; nothing leaves then.
class Call {
 public:
  // Makes the request `method` of `url`, to be sent by `service`.
  Call(Service service, Method method, Result<Url> url);
  Call(Call&&) noexcept = default;

  // Adds a header field; sets it if it is there.
  Call& header(std::string_view name, std::string_view value);
  // Adds a pair to the URL's query. Both parts are encoded: pass plain text.
  template <class Value>
    requires std::convertible_to<Value, std::string_view> ||
             (std::integral<Value> && !std::same_as<Value, bool>)
  Call& query(std::string_view name, const Value& value) {
    query_.add(name, value);
    return *this;
  }
  // Sets Authorization: by a token, or by a user and a password (basic_credentials.h).
  Call& bearer(std::string_view token);
  Call& basic(std::string_view user, std::string_view password);
  // Sets the body. An empty `content_type` sends none.
  Call& body(Body content, std::string_view content_type);
  // Sets a form of pairs, or of parts (multipart.h), as the body.
  Call& form(const Query& pairs);
  Call& form(Multipart parts);
  // Sets `value` as JSON as the body (json.h).
  template <class T>
  Call& body_json(const T& value) {
    return body(JsonCodec<T>::write(value), "application/json");
  }
  // Limits the whole call: up to the head for `send`, up to the body's end for the others. Fails with
  // timed_out (TimeLimit::overall).
  Call& timeout(Duration limit);
  // Takes a response of any status as good.
  Call& any_status();

  // Sends it. Yields the response as soon as its head is there.
  Task<Response> send();
  // Sends it, and yields the response's body. Fails with limit_exceeded for more than `max` bytes.
  Task<std::string> text(std::size_t max = 16 * MiB);
  // Sends it, and reads and drops the body.
  Task<> nothing();
  // Sends it, and yields the body as JSON, or as a T that it is read into (json.h). Fails with bad_message if
  // it is not JSON, or not that of a T.
  template <class T = void>
  Task<typename JsonCodec<T>::Value> json(std::size_t max = 16 * MiB) {
    header_by_default("Accept", "application/json");
    const std::string name = what();
    return read_json<T>(name, text(max));
  }

 private:
  template <class T>
  static Task<typename JsonCodec<T>::Value> read_json(std::string name, Task<std::string> reading) {
    const std::string text = co_await std::move(reading);
    Result<typename JsonCodec<T>::Value> value = JsonCodec<T>::read(text);
    if (!value) co_return std::move(value).error().context(name);
    co_return std::move(value);
  }

  void header_by_default(std::string_view name, std::string_view value);
  void mistake(std::string sentence);
  std::string what() const;
  // Takes everything: what is sent by its own task.
  struct Prepared;
  Prepared take();
  static Task<Response> sent(Prepared prepared);
  static Task<std::string> read(Prepared prepared, std::size_t max);
  static Task<> drop(Prepared prepared);

  Service service_;
  Method method_;
  std::optional<Url> url_;
  Query query_;
  Headers headers_;
  Body body_;
  bool has_body_ = false;
  std::optional<Multipart> parts_;
  Duration limit_ = Duration::max();
  bool any_status_ = false;
  std::optional<Error> mistake_;
};

// Makes calls by one service, with URLs relative to one base.
class Calls {
 public:
  // Every call is made by `service`, which is copied. With a `base`, the URLs of the calls are relative to it
  // (Url::resolve: "users" behind "https://h/v1/" is "https://h/v1/users"); without one they are whole.
  explicit Calls(Service service, std::string_view base = {});

  // GET, HEAD, POST, PUT, PATCH, DELETE of `url`.
  Call get(std::string_view url) const { return call(Method::get(), url); }
  Call head(std::string_view url) const { return call(Method::head(), url); }
  Call post(std::string_view url) const { return call(Method::post(), url); }
  Call put(std::string_view url) const { return call(Method::put(), url); }
  Call patch(std::string_view url) const { return call(Method::patch(), url); }
  Call delete_(std::string_view url) const { return call(Method::delete_(), url); }
  // POST, PUT and PATCH of a value as JSON (json.h).
  template <class T>
  Call post_json(std::string_view url, const T& value) const {
    return std::move(post(url).body_json(value));
  }
  template <class T>
  Call put_json(std::string_view url, const T& value) const {
    return std::move(put(url).body_json(value));
  }
  template <class T>
  Call patch_json(std::string_view url, const T& value) const {
    return std::move(patch(url).body_json(value));
  }
  // Any method.
  Call call(Method method, std::string_view url) const;

 private:
  Service service_;
  std::optional<Result<Url>> base_;
};

// Fails as the table above says, for a response whose status is no success: "GET https://h/x: 404 Not Found:
// no such user". Reads up to 1 KiB of the body for it. `what` begins the sentence.
Task<> fail_by_status(std::string what, Response response);

}  // namespace escapement::http
