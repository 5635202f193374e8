// A Durable Object with durable timers, each of which calls a receiver when it fires.

#include <escapement/core/detail/number.h>
#include <escapement/core/for_each.h>
#include <escapement/io/bindings/durable_timers.h>
#include <escapement/timers/sleep.h>
#include <escapement/wasm_glue/durable_object.h>
#include <escapement/wasm_glue/host_durable_namespace.h>
#include <escapement/wasm_glue/host_fetch.h>
#include <escapement/wasm_glue/worker.h>

#include "support/durable_namespace_contract.h"

using namespace escapement;

namespace {

// Echoes a body in gzip as such a one.
Task<http::Response> coded(http::Request request) {
  std::string body = co_await request.body.text(1 * MiB);
  http::Response response(200, std::move(body));
  response.headers.add("Content-Encoding", "gzip");
  co_return std::move(response);
}

std::int64_t number(const std::string& text) { return parse_number<std::int64_t>(text).value_or(0); }

// Another body, piece by piece.
class Piecewise final : public http::BodySource {
 public:
  explicit Piecewise(http::Body body) : body_(std::move(body)) {}
  Task<std::string> read() override { return body_.read(); }

 private:
  http::Body body_;
};

// `pieces` pieces, 150 ms apart; or one, and a failure.
class Trickle final : public http::BodySource {
 public:
  static inline int read_in_all = 0;
  static inline int alive = 0;
  Trickle(int pieces, bool breaks) : pieces_(pieces), breaks_(breaks) { ++alive; }
  Trickle(const Trickle&) = delete;
  ~Trickle() override { --alive; }
  Task<std::string> read() override {
    ++read_in_all;
    if (count_ == pieces_) co_return std::string();
    if (count_ > 0) co_await sleep(150ms);
    if (count_ > 0 && breaks_) co_return Error(Errc::internal, "its body breaks on purpose");
    co_return "piece " + std::to_string(count_++) + '\n';
  }

 private:
  int pieces_;
  bool breaks_;
  int count_ = 0;
};

class Reminders final : public DurableObject {
 public:
  Reminders(Reactor& reactor, DurableStorage& storage)
      : reactor_(reactor), storage_(storage), timers_(reactor, storage, [this](DurableTimer timer) -> Task<> {
          return tell_receiver(std::move(timer));
        }) {}

  Task<> alarm() override { return timers_.alarm(); }

  Task<http::Response> fetch(http::Request request) override {
    const std::string path = request.url.path();
    if (path == "/set") co_return co_await set(std::move(request));
    if (path == "/slow") {
      co_await sleep(std::chrono::milliseconds(number(request.url.query_parameter("ms"))));
      co_return http::Response(200, "slept");
    }
    if (path == "/echo") {
      std::string body = co_await request.body.text(16 * MiB);
      http::Response response(201, std::move(body));
      response.headers.add("x-back", std::string(request.headers.get_or("x-there", "none")));
      co_return std::move(response);
    }
    if (path == "/through") co_return http::Response(200, std::move(request.body));
    if (path == "/piecewise") {
      http::Response response(200);
      response.body = http::Body(std::make_unique<Piecewise>(std::move(request.body)));
      co_return std::move(response);
    }
    if (path == "/trickle" || path == "/breaks" || path == "/endless") {
      const int pieces = path == "/endless" ? 1'000'000 : 3;
      http::Response response(200);
      response.body = http::Body(std::make_unique<Trickle>(pieces, path == "/breaks"));
      co_return std::move(response);
    }
    if (path == "/trickles") {
      co_return http::Response(
          200, std::to_string(Trickle::alive) + " alive, read " + std::to_string(Trickle::read_in_all));
    }
    if (path == "/coded") co_return co_await coded(std::move(request));
    if (path == "/bad-field") {
      http::Response response(200);
      response.headers.add("X-Own", "a\nb");
      co_return std::move(response);
    }
    if (path == "/trap") __builtin_trap();
    if (path == "/fail") co_return Error(Errc::internal, "on purpose");
    if (path == "/count") co_return co_await count();
    if (path == "/cancel") {
      bool there = co_await timers_.cancel(request.url.query_parameter("name"));
      co_return http::Response(200, there ? "cancelled" : "none");
    }
    if (path == "/left") {
      std::vector<StorageEntry> left = co_await storage_.list(StorageRange(""));
      co_return http::Response(200, std::to_string(left.size()));
    }
    if (path == "/big") {
      StorageChanges changes;
      changes.put("big", std::string(128 * 1024 + 1, 'b'));
      Result<> written = co_await storage_.write(std::move(changes)).result();
      co_return http::Response(200, written ? "written" : to_string(written.error()));
    }
    co_return co_await DurableObject::fetch(std::move(request));
  }

 private:
  // Sets `count` timers NAME-0, NAME-1, ... that are due from `in` ms on, one each `step` ms. Responds with
  // when they are due.
  Task<http::Response> set(http::Request request) {
    const std::string name = request.url.query_parameter("name");
    const std::int64_t step = number(request.url.query_parameter("step"));
    const SystemTime first = reactor_.backend().system_now() +
                             std::chrono::milliseconds(number(request.url.query_parameter("in")));
    std::vector<int> all(static_cast<std::size_t>(number(request.url.query_parameter("count"))));
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
    std::string text;
    co_await for_each(all, 1000, [this, &name, &text, first, step](int i) -> Task<> {
      const SystemTime due = first + std::chrono::milliseconds(i * step);
      const std::string own = name + '-' + std::to_string(i);
      text += own + ' ' + std::to_string(due.unix_milliseconds()) + '\n';
      return timers_.set(own, due, "payload of " + own);
    });
    co_return http::Response(200, std::move(text));
  }

  // A counter, raised by a transaction.
  Task<http::Response> count() {
    int value = 0;
    co_await storage_.transaction([&value](StorageTransaction& both) -> Task<> {
      std::optional<std::string> old = co_await both.get("count");
      value = static_cast<int>(number(old.value_or("0"))) + 1;
      both.changes().put("count", std::to_string(value));
    });
    co_return http::Response(200, std::to_string(value));
  }

  Task<> tell_receiver(DurableTimer timer) {
    const std::string base = wasm::env(reactor_, "RECEIVER").value_or("");
    http::Url url = co_await http::Url::parse(base + "/fired?name=" + timer.name +
                                              "&due=" + std::to_string(timer.due.unix_milliseconds()) +
                                              "&key=" + timer.idempotency_key);
    http::Request request("POST", std::move(url), http::Headers(), timer.payload);
    http::Response response = co_await wasm::HostFetch()(std::move(request));
    if (response.status != 200) co_await Error(Errc::unavailable, "the receiver");
  }

  Reactor& reactor_;
  DurableStorage& storage_;
  DurableTimers timers_;
};

// The contract on the namespace of a name.
Task<http::Response> namespace_contract(http::Request request) {
  wasm::HostDurableNamespace objects(request.url.query_parameter("name"));
  Result<std::string> wrong = co_await test::durable_namespace_contract(objects).result();
  co_return http::Response(200, wrong ? *wrong : to_string(wrong.error()));
}

// Yields how calls to an object fail: by its handler, by a limit of ours; and one after them. (A trap of an
// object in the same isolate is the Worker's, too.)
Task<http::Response> stub_failures() {
  wasm::HostDurableNamespace objects("OBJECT");
  DurableId id = co_await objects.id_from_name("failures");
  const http::Service object = objects.get(id);
  http::Url fail = co_await http::Url::parse("http://object/fail");
  http::Request first("GET", std::move(fail), http::Headers(), http::Body());
  Result<http::Response> failed = co_await object(std::move(first)).result();
  std::string text = failed ? std::to_string(failed->status) : std::string(name(failed.error().code()));
  Task<http::Response> slow = object(http::get("http://object/slow?ms=5000"));
  failed = co_await with_timeout(100ms, std::move(slow)).result();
  text += ' ' + (failed ? std::to_string(failed->status) : std::string(name(failed.error().code())));
  std::string next = co_await test::object_answer(object, "POST", "/echo", "next");
  co_return http::Response(200, text + ' ' + next);
}

// Passes a body to an object, and its response back.
Task<http::Response> through(http::Request request) {
  wasm::HostDurableNamespace objects("OBJECT");
  DurableId id = co_await objects.id_from_name("through");
  http::Url url = co_await http::Url::parse("http://object/through");
  const http::Service object = objects.get(id);
  http::Request onward("POST", std::move(url), http::Headers(), std::move(request.body));
  http::Response response = co_await object(std::move(onward));
  co_return std::move(response);
}

Task<http::Response> serve(http::Request request) {
  const std::string path = request.url.path();
  if (path == "/namespace") co_return co_await namespace_contract(std::move(request));
  if (path == "/failures") co_return co_await stub_failures();
  if (path == "/through") co_return co_await through(std::move(request));
  if (request.method == http::Method::post()) co_return co_await coded(std::move(request));
  co_return http::Response(200, "the Worker");
}

}  // namespace

ESC_DURABLE_OBJECT(Reminders)
ESC_WORKER(serve)
