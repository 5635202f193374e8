// A scenario of 30 days with everything that has a clock: cron, sleeps, KV's expiry, the Cache API's max-age,
// a queue's delays and retries, durable timers. Runs in simulated time natively, and in workerd on the test
// kit's clock, with the same trace.

#pragma once

#include <string>

#include <escapement/core/detail/number.h>
#include <escapement/io/bindings/cron.h>
#include <escapement/io/bindings/durable_object.h>
#include <escapement/io/bindings/durable_timers.h>
#include <escapement/io/bindings/kv.h>
#include <escapement/io/bindings/queue.h>
#include <escapement/io/bindings/response_cache.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

namespace escapement::test {

class ThirtyDays {
 public:
  static constexpr const char* cron = "0 */6 * * *";
  static constexpr SystemTime start = SystemTime::from_unix_milliseconds(1'767'225'600'000);  // 2026-01-01

  // Every six hours: a report that is kept for 20 hours, a page that is fresh for 80 minutes, every eighth
  // time for 50 minutes alone, and 90 seconds later a job that is due in an hour.
  Task<> on_cron(Kv& kv, ResponseCache& cache, QueueProducer& jobs, CronEvent event) {
    Reactor& reactor = co_await this_reactor;
    const int own = ++reports_;
    note(reactor, "report " + std::to_string(own) + " at " + event.scheduled.rfc3339());
    co_await kv.put("report/" + std::to_string(own), "text", KvPut(20h));
    std::string before = co_await page_in(cache);
    note(reactor, "before it " + before);
    http::Response page(200, "page " + std::to_string(own));
    page.headers.set("Cache-Control", own % 8 == 0 ? "max-age=3000" : "max-age=4800");
    co_await cache.put(page_url(), std::move(page));
    Result<> slept = co_await with_timeout(90s, sleep(1h)).result();
    note(reactor, slept ? "slept" : "limited");
    co_await jobs.send(std::to_string(own), 1h);
  }

  // A job reads its report, one that has expired, and the page; every tenth is put off once.
  Task<> on_batch(Kv& kv, ResponseCache& cache, QueueBatch& batch) {
    Reactor& reactor = co_await this_reactor;
    for (std::size_t i = 0; i < batch.messages.size(); ++i) {
      const QueueMessage& message = batch.messages[i];
      const int own = parse_number<int>(message.body).value_or(0);
      std::optional<KvEntry> report = co_await kv.get("report/" + message.body);
      std::optional<KvEntry> old = co_await kv.get("report/" + std::to_string(own - 4));
      note(reactor, "job " + message.body + '#' + std::to_string(message.attempts) +
                        (report ? " has" : " misses") + " its report" + (old ? ", and an old one" : ""));
      std::string page = co_await page_in(cache);
      note(reactor, "there is " + page);
      if (own % 10 == 0 && message.attempts == 1) batch.retry(i, 10min);
    }
  }

  // A timer for each day; every third fails once.
  class Object final : public DurableObject {
   public:
    Object(Reactor& reactor, DurableStorage& storage, ThirtyDays& days)
        : days_(days),
          reactor_(reactor),
          timers_(reactor, storage, [this](DurableTimer timer) -> Task<> { return fire(std::move(timer)); }) {
    }
    Task<http::Response> fetch(http::Request) override {
      for (int i = 1; i < 30; ++i) {
        const SystemTime due = start + (Duration(24h) * i + Duration(1h) * (i % 24) + 17min);
        co_await timers_.set("day " + std::to_string(i), due, std::to_string(i));
      }
      co_return http::Response(204);
    }
    Task<> alarm() override { return timers_.alarm(); }

   private:
    Task<> fire(DurableTimer timer) {
      days_.note(reactor_, timer.name + '#' + std::to_string(timer.attempt));
      if (parse_number<int>(timer.payload).value_or(0) % 3 == 0 && timer.attempt == 1)
        co_await Error(Errc::unavailable, "not today");
    }
    ThirtyDays& days_;
    Reactor& reactor_;
    DurableTimers timers_;
  };

  const std::string& trace() const { return trace_; }
  // The hash of the whole trace (FNV-1a), natively and in workerd alike.
  static constexpr std::uint64_t whole = 3305453061380137716u;
  std::uint64_t hash() const {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : trace_) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
  }

 private:
  static http::Url page_url() { return *http::Url::parse("http://cached.example/page"); }
  static Task<std::string> page_in(ResponseCache& cache) {
    std::optional<http::Response> found = co_await cache.match(page_url());
    if (!found) co_return "no page";
    std::string text = co_await found->body.text(1000);
    co_return text + ", aged " + std::string(found->headers.get_or("age", "?"));
  }

  void note(Reactor& reactor, const std::string& what) {
    trace_ += std::to_string((reactor.backend().system_now() - start) / Duration(1s)) + ' ' + what + '\n';
  }

  int reports_ = 0;
  std::string trace_;
};

}  // namespace escapement::test
