// The promises of the layer Cache over any CacheStore, as a task that runs natively, in simulations and in
// workerd. Yields the first expectation that does not hold; empty: all do. Takes two seconds.

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <escapement/middleware/cache/cache.h>
#include <escapement/timers/sleep.h>

#include "support/binding_contracts.h"

namespace escapement::test {

// An origin whose responses follow from the path, and that notes its requests.
class CacheOrigin {
 public:
  Task<http::Response> operator()(http::Request request) const { return answer(state_, std::move(request)); }
  std::size_t calls() const { return state_->asked.size(); }
  // A field of the last request; empty: it had none.
  std::string last(std::string_view name) const { return std::string(state_->asked.back().get_or(name, "")); }

 private:
  struct State {
    std::vector<http::Headers> asked;
  };
  static Task<http::Response> answer(std::shared_ptr<State> state, http::Request request) {
    state->asked.push_back(request.headers);
    const std::string path = request.url.path();
    http::Response response(200, "body " + std::to_string(state->asked.size()));
    response.headers.set("X-Call", std::to_string(state->asked.size()));
    response.headers.set("Cache-Control", path == "/second" ? "max-age=1" : "max-age=60");
    if (path == "/language") {
      response.headers.set("Vary", "Accept-Language");
      response.body = http::Body("in " + std::string(request.headers.get_or("accept-language", "none")));
    }
    if (path == "/checked") response.headers.set("Cache-Control", "no-cache");
    if (path == "/own") {
      response.headers.set("Cache-Control", "private, max-age=60");
      response.headers.set("Set-Cookie", "a=b");
    }
    if (path == "/large") response.body = http::Body(std::string(300'000, 'l'));
    if (path != "/language") response.headers.set("ETag", "\"" + path + "\"");
    if (request.headers.has("if-none-match")) {
      response.status = 304;
      response.body = http::Body();
    }
    co_return std::move(response);
  }

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Yields "STATUS BODY (CACHE-STATUS)".
inline Task<std::string> cached_answer(http::Service service, std::string method, std::string path,
                                       http::Headers headers) {
  http::Url url = co_await http::Url::parse("http://origin.example" + path);
  http::Request request(http::Method(method), std::move(url), std::move(headers), http::Body());
  http::Response response = co_await service(std::move(request));
  std::string body = co_await response.body.text(1 * MiB);
  if (body.size() > 100) body = std::to_string(body.size()) + " bytes";
  const std::string status(response.headers.get_or("cache-status", ""));
  co_return std::to_string(response.status) + ' ' + body + " (" + status + ')';
}

// `store` must be empty, and keep three variants of a key or more.
inline Task<std::string> cache_store_contract(std::shared_ptr<http::CacheStore> store) {
  http::CacheOptions options;
  options.name = "c";
  const CacheOrigin origin;
  const http::Service service = http::layered(http::Cache(store, options), origin);
  const auto get = [&service](std::string path, http::Headers headers = http::Headers()) {
    return cached_answer(service, "GET", std::move(path), std::move(headers));
  };
  std::string text = co_await get("/page");
  ESC_EXPECT(text == "200 body 1 (c; fwd=uri-miss; fwd-status=200; stored)");
  text = co_await get("/page");
  ESC_EXPECT(text.starts_with("200 body 1 (c; hit; ttl=") && origin.calls() == 1);
  text = co_await get("/page?other");
  ESC_EXPECT(text.starts_with("200 body 2 (c; fwd=uri-miss"));
  text = co_await get("/large");
  text = co_await get("/large");
  ESC_EXPECT(text.starts_with("200 300000 bytes (c; hit"));

  // HEAD and conditions are answered by what is stored, also by what is private and sets a cookie.
  text = co_await cached_answer(service, "HEAD", "/page", http::Headers());
  ESC_EXPECT(text.starts_with("200  (c; hit"));
  const http::Headers same{{"If-None-Match", "\"/page\""}};
  text = co_await get("/page", same);
  ESC_EXPECT(text.starts_with("304  (c; hit") && origin.calls() == 3);
  text = co_await get("/own");
  text = co_await get("/own");
  ESC_EXPECT(text.starts_with("200 body 4 (c; hit"));

  // Vary, and users.
  const http::Headers german{{"Accept-Language", "de"}};
  const http::Headers english{{"Accept-Language", "en"}};
  text = co_await get("/language", german);
  text = co_await get("/language", english);
  ESC_EXPECT(text == "200 in en (c; fwd=vary-miss; fwd-status=200; stored)");
  text = co_await get("/language", german);
  ESC_EXPECT(text.starts_with("200 in de (c; hit"));
  text = co_await get("/language", english);
  ESC_EXPECT(text.starts_with("200 in en (c; hit") && origin.calls() == 6);
  text = co_await get("/language");
  ESC_EXPECT(text == "200 in none (c; fwd=vary-miss; fwd-status=200; stored)");
  const http::Headers user{{"Authorization", "one"}};
  text = co_await get("/page", user);
  ESC_EXPECT(text.starts_with("200 body 8 (c; fwd=vary-miss"));
  text = co_await get("/page");
  ESC_EXPECT(text.starts_with("200 body 1 (c; hit"));

  // Validation, with a 304 that freshens.
  text = co_await get("/checked");
  ESC_EXPECT(text.starts_with("200 body 9 "));
  text = co_await get("/checked");
  ESC_EXPECT(text == "200 body 9 (c; fwd=stale; fwd-status=304; stored)");
  ESC_EXPECT(origin.last("if-none-match") == "\"/checked\"" && origin.calls() == 10);
  http::CacheStore::Found found = co_await store->find("http://origin.example/checked");
  ESC_EXPECT(found.size() == 1 && found[0]->headers.get_or("x-call", "") == "10");

  // Ages.
  text = co_await get("/second");
  ESC_EXPECT(text.starts_with("200 body 11 (c; fwd=uri-miss"));
  co_await sleep(2100ms);  // its Date has no fraction of a second
  text = co_await get("/second");
  ESC_EXPECT(text == "200 body 11 (c; fwd=stale; fwd-status=304; stored)" && origin.calls() == 12);

  // An unsafe method drops what there is, of all users; what was begun before that is not stored.
  std::unique_ptr<http::CacheStore::Writer> before = co_await store->store(
      "http://origin.example/page", http::StoredHead(200, http::Headers()), std::nullopt);
  ESC_EXPECT(before != nullptr);
  text = co_await cached_answer(service, "POST", "/page", http::Headers());
  ESC_EXPECT(text.starts_with("200 body 13"));
  bool stored = co_await before->commit();
  ESC_EXPECT(!stored);
  before.reset();
  text = co_await get("/page", user);
  ESC_EXPECT(text.starts_with("200 body 14 (c; fwd="));
  text = co_await get("/page", user);
  ESC_EXPECT(text.starts_with("200 body 14 (c; hit"));

  // A response that was begun later counts; one that is not read to its end is not stored.
  const std::string key = "http://origin.example/key";
  before = co_await store->store(key, http::StoredHead(201, http::Headers()), std::nullopt);
  std::unique_ptr<http::CacheStore::Writer> after =
      co_await store->store(key, http::StoredHead(202, http::Headers()), std::nullopt);
  ESC_EXPECT(before != nullptr && after != nullptr);
  stored = co_await after->commit();
  ESC_EXPECT(stored);
  stored = co_await before->commit();
  ESC_EXPECT(!stored);
  found = co_await store->find(key);
  ESC_EXPECT(found.size() == 1 && found[0]->status == 202);
  co_await store->remove(key, found[0]->id);
  found = co_await store->find(key);
  ESC_EXPECT(found.empty());
  before = co_await store->store(key, http::StoredHead(203, http::Headers()), std::nullopt);
  bool room = co_await before->write("half of it");
  ESC_EXPECT(room);
  before.reset();
  found = co_await store->find(key);
  ESC_EXPECT(found.empty());
  co_return std::string();
}

}  // namespace escapement::test
