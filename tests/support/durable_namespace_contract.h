// The promises of DurableNamespace, as a task that runs natively, in simulations and in workerd. Yields the
// first expectation that does not hold; empty: all do.

#pragma once

#include <string>

#include <escapement/core/detail/number.h>
#include <escapement/io/bindings/durable_namespace.h>
#include <escapement/io/bindings/durable_object.h>
#include <escapement/io/http/client.h>
#include <escapement/timers/sleep.h>

#include "support/binding_contracts.h"

namespace escapement::test {

// An object of the kind that the contract calls.
class Counted final : public DurableObject {
 public:
  explicit Counted(DurableStorage& storage) : storage_(storage) {}
  Task<http::Response> fetch(http::Request request) override {
    const std::string path = request.url.path();
    if (path == "/fail") co_return Error(Errc::internal, "on purpose");
    if (path == "/slow") co_await sleep(1h);
    if (path == "/echo") {
      http::Response response(201, std::move(request.body));
      response.headers.add("x-back", std::string(request.headers.get_or("x-there", "")));
      co_return std::move(response);
    }
    std::optional<std::string> count = co_await storage_.get("count");
    const std::string next = std::to_string(parse_number<int>(count.value_or("0")).value_or(0) + 1);
    StorageChanges changes;
    changes.put("count", next);
    co_await storage_.write(std::move(changes));
    co_return http::Response(200, next);
  }

 private:
  DurableStorage& storage_;
};

inline Task<std::string> object_answer(http::Service object, std::string method, std::string path,
                                       std::string sent) {
  http::Url url = co_await http::Url::parse("http://object" + path);
  http::Request request(http::Method(method), std::move(url), http::Headers{{"x-there", "and back"}},
                        http::Body(sent));
  Result<http::Response> response = co_await object(std::move(request)).result();
  if (!response) co_return "failed";
  std::string text = co_await response->body.text(16 * MiB);
  co_return std::to_string(response->status) + ' ' + text + ' ' +
      std::string(response->headers.get_or("x-back", ""));
}

// The objects respond to /count with the number of such requests, to /echo with 201, the body, and x-there as
// x-back, and fail at /fail. None exists yet.
inline Task<std::string> durable_namespace_contract(DurableNamespace& objects) {
  DurableId hall = co_await objects.id_from_name("hall");
  DurableId again = co_await objects.id_from_name("hall");
  DurableId other = co_await objects.id_from_name("h\xc3\xa4ll");
  ESC_EXPECT(hall == again && !(hall == other) && hall.text().size() == 64);
  DurableId read = co_await objects.id_from_string(hall.text());
  ESC_EXPECT(read == hall);
  DurableId one = co_await objects.new_unique_id();
  DurableId two = co_await objects.new_unique_id();
  ESC_EXPECT(!(one == two) && !(one == hall));
  read = co_await objects.id_from_string(one.text());
  ESC_EXPECT(read == one);
  for (const std::string& text :
       {std::string(), std::string("hall"), std::string(64, '0'), std::string(64, 'x'), hall.text() + '0'}) {
    Result<DurableId> none = objects.id_from_string(text);
    ESC_EXPECT(!none && none.error() == Errc::invalid_argument);
  }

  http::Service first = objects.get(hall);
  std::string answer = co_await object_answer(first, "GET", "/count", "");
  ESC_EXPECT(answer == "200 1 ");
  answer = co_await object_answer(first, "GET", "/count", "");
  ESC_EXPECT(answer == "200 2 ");
  answer = co_await object_answer(objects.get(other), "GET", "/count", "");
  ESC_EXPECT(answer == "200 1 ");
  answer = co_await object_answer(objects.get(one), "GET", "/count", "");
  ESC_EXPECT(answer == "200 1 ");
  answer = co_await object_answer(objects.get(read), "GET", "/count", "");
  ESC_EXPECT(answer == "200 2 ");
  answer = co_await object_answer(first, "POST", "/echo",
                                  "b\xc3\xb6"
                                  "dy");
  ESC_EXPECT(answer ==
             "201 b\xc3\xb6"
             "dy and back");
  const std::string large(300'000, 'l');
  answer = co_await object_answer(first, "POST", "/echo", large);
  ESC_EXPECT(answer == "201 " + large + " and back");
  answer = co_await object_answer(first, "GET", "/fail", "");
  ESC_EXPECT(answer == "failed" || answer.starts_with("500"));
  answer = co_await object_answer(first, "GET", "/count", "");
  ESC_EXPECT(answer == "200 3 ");
  co_return std::string();
}

}  // namespace escapement::test
