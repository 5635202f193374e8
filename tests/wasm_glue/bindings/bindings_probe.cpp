// The contracts of the bindings, and the scenario of 30 days, on the host's implementations.

#include <escapement/wasm_glue/durable_object.h>
#include <escapement/wasm_glue/events.h>
#include <escapement/wasm_glue/host_durable_namespace.h>
#include <escapement/wasm_glue/host_kv.h>
#include <escapement/wasm_glue/host_object_store.h>
#include <escapement/wasm_glue/host_queue.h>
#include <escapement/wasm_glue/host_response_cache.h>
#include <escapement/wasm_glue/queue_events.h>

#include "support/binding_contracts.h"
#include "support/durable_namespace_contract.h"
#include "support/platform_contracts.h"
#include "support/thirty_days.h"

using namespace escapement;

namespace {

// The isolate's: plain values, which its contexts may share.
test::ThirtyDays days;

Task<std::string> kv_contract(std::string name) {
  wasm::HostKv kv(std::move(name));
  co_return co_await test::kv_contract(kv);
}

Task<std::string> cache_contract(std::string name) {
  wasm::HostResponseCache cache(std::move(name));
  co_return co_await test::cache_contract(cache);
}

// Keeps a page for a minute; yields how it is, then and after 59 seconds and a minute.
Task<std::string> minute_in_cache(std::string) {
  wasm::HostResponseCache cache;
  const http::Url page = test::url_of("http://cached.example/minute");
  co_await cache.put(page, test::fresh("body"));
  std::string text = co_await test::kept_in(cache, page);
  for (const Duration length : {59s, 1s}) {
    co_await sleep(length);
    std::string later = co_await test::kept_in(cache, page);
    text += "; " + later;
  }
  co_return std::move(text);
}

Task<std::string> object_store_contract(std::string name) {
  wasm::HostObjectStore store(std::move(name));
  co_return co_await test::object_store_contract(store);
}

// Sends text and bytes, and what no queue takes.
Task<std::string> send(std::string name) {
  wasm::HostQueue queue(std::move(name));
  std::vector<std::string> bodies{"text", std::string("\xff\0bytes", 7)};
  co_await queue.send_all(std::move(bodies), 1500ms);
  Result<> late = co_await queue.send("late", 13h).result();
  Result<> large = co_await queue.send(std::string(128'001, 'x')).result();
  co_return to_string(late.error()) + '\n' + to_string(large.error());
}

Task<> on_cron(wasm::Scheduled event) {
  if (event.cron == "fail") co_await Error(Errc::internal, "on purpose");
  wasm::HostKv kv("STORE");
  wasm::HostQueue jobs("JOBS");
  wasm::HostResponseCache cache;
  co_await days.on_cron(kv, cache, jobs, CronEvent(std::move(event.cron), event.time));
}

Task<> on_batch(QueueBatch& batch) {
  if (batch.queue == "fail") {
    batch.acknowledge(0);
    batch.retry(1, 1500ms);
    co_await Error(Errc::internal, "on\npurpose");
  }
  wasm::HostKv kv("STORE");
  wasm::HostResponseCache cache;
  co_await days.on_batch(kv, cache, batch);
}

class Counter final : public DurableObject {
 public:
  Counter(Reactor&, DurableStorage& storage) : inner_(storage) {}
  Task<http::Response> fetch(http::Request request) override { return inner_.fetch(std::move(request)); }

 private:
  test::Counted inner_;
};

Task<std::string> namespace_contract(std::string name) {
  wasm::HostDurableNamespace objects(std::move(name));
  co_return co_await test::durable_namespace_contract(objects);
}

// Asks an object that sleeps for an hour, within a limit of ten seconds.
Task<std::string> ask_a_sleeper(std::string name) {
  wasm::HostDurableNamespace objects(std::move(name));
  DurableId id = co_await objects.id_from_name("sleeper");
  const http::Service sleeper = objects.get(id);
  Task<http::Response> asked = sleeper(http::get("http://object/slow"));
  Result<http::Response> response = co_await with_timeout(10s, std::move(asked)).result();
  co_return response ? std::to_string(response->status) : to_string(response.error());
}

class Days final : public DurableObject {
 public:
  Days(Reactor& reactor, DurableStorage& storage) : inner_(reactor, storage, days) {}
  Task<http::Response> fetch(http::Request request) override { return inner_.fetch(std::move(request)); }
  Task<> alarm() override { return inner_.alarm(); }

 private:
  test::ThirtyDays::Object inner_;
};

Task<std::string> trace(std::string) {
  const bool same = days.hash() == test::ThirtyDays::whole;
  co_return (same ? "the same\n" : "another, or not all\n") + days.trace();
}

}  // namespace

ESC_TASK(kv_contract)
ESC_TASK(cache_contract)
ESC_TASK(minute_in_cache)
ESC_TASK(namespace_contract)
ESC_TASK(ask_a_sleeper)
ESC_TASK(object_store_contract)
ESC_TASK(send)
ESC_TASK(trace)
ESC_SCHEDULED(on_cron)
ESC_QUEUE(on_batch)
ESC_DURABLE_OBJECT(Days)
ESC_DURABLE_OBJECT(Counter)
