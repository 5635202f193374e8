// A server that closes a connection at its idle limit without a word, and a long run of requests that come
// just then.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/client.h>
#include <escapement/io/stream.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

namespace escapement::test {

// Responds with the path. Counts how often each path was asked for.
class ClosingServer {
 public:
  ClosingServer(Reactor& reactor, std::unique_ptr<Listener> listener, Duration idle)
      : first_wait(idle), idle_(idle), scope_(reactor, [](Error) {}) {
    scope_.spawn(listen(*this, std::move(listener)));
  }

  Duration think;
  Duration first_wait;  // the limit on a new connection
  int served = 0;
  int closed_idle = 0;
  std::map<std::string, int> times;  // by path

 private:
  static Task<> listen(ClosingServer& self, std::unique_ptr<Listener> listener) {
    for (;;) {
      std::unique_ptr<Stream> stream = co_await listener->accept();
      self.scope_.spawn(serve(self, std::move(stream)));
    }
  }

  static Task<> serve(ClosingServer& self, std::unique_ptr<Stream> stream) {
    std::vector<std::byte> room(4096);
    Duration limit = self.first_wait;
    for (std::string seen;;) {
      Task<std::size_t> reading = stream->read(room);
      Result<std::size_t> count = co_await with_timeout(limit, std::move(reading)).result();
      if (!count) {
        ++self.closed_idle;
        co_return;
      }
      if (*count == 0) co_return;
      seen += as_text(Bytes(room).first(*count));
      const std::size_t end = seen.find("\r\n\r\n");
      if (end == seen.npos) continue;
      const bool has_body = seen.find("Content-Length: 1") < end;
      if (has_body && seen.size() < end + 5) continue;
      const std::string path = seen.substr(seen.find(' ') + 1, seen.find(" HTTP") - seen.find(' ') - 1);
      seen.clear();
      limit = self.idle_;
      ++self.served;
      ++self.times[path];
      if (self.think > Duration()) co_await sleep(self.think);
      const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(path.size());
      co_await stream->write(as_bytes(head + "\r\n\r\n" + path));
    }
  }

  const Duration idle_;
  Scope scope_;
};

// Tasks that each pause about as long as the server waits, and then send a GET or a POST.
class LongRun {
 public:
  // Pauses of `least` and up to `spread` more.
  LongRun(Random random, Duration least, Duration spread) : random_(random), least_(least), spread_(spread) {}

  Task<> play(const http::Client& client, std::string origin, int tasks, int each) {
    Scope scope(co_await this_reactor);
    for (int i = 0; i < tasks; ++i)
      scope.spawn(one(*this, client, origin + "/" + std::to_string(i) + "/", each));
    co_await scope.join();
  }

  // No idempotent request has failed, no POST was done twice, and none that was reported as not sent was
  // done.
  void check(const ClosingServer& server) const {
    CHECK(failed_gets == 0);
    CHECK(wrong == 0);
    int twice = 0;
    int sent_after_all = 0;
    int lost = 0;
    for (const auto& [path, outcome] : posts) {
      const auto at = server.times.find(path);
      const int times = at == server.times.end() ? 0 : at->second;
      twice += times > 1 ? 1 : 0;
      sent_after_all += outcome == Outcome::not_sent && times != 0 ? 1 : 0;
      lost += outcome == Outcome::done && times != 1 ? 1 : 0;
    }
    CHECK(twice == 0);
    CHECK(sent_after_all == 0);
    CHECK(lost == 0);
    CHECK(gets + static_cast<int>(posts.size()) == 24'000);
    CHECK(server.closed_idle > 100);
  }

  enum class Outcome { done, unknown, not_sent };
  int gets = 0;
  int failed_gets = 0;
  int wrong = 0;  // responses to another request
  int late = 0;   // POSTs that met the server's close
  std::map<std::string, Outcome> posts;

 private:
  static Task<> one(LongRun& run, const http::Client& client, std::string base, int each) {
    for (int i = 0; i < each; ++i) {
      const auto spread = static_cast<std::uint64_t>(run.spread_.count());
      co_await sleep(run.least_ + Duration(1ns) * static_cast<std::int64_t>(run.random_.up_to(spread)));
      const bool post = run.random_.one_in(2);
      http::Url url = co_await http::Url::parse(base + std::to_string(i));
      const std::string path = url.path();
      http::Request request(post ? http::Method::post() : http::Method::get(), std::move(url), {},
                            http::Body(post ? "x" : ""));
      Result<http::Response> response = co_await client(std::move(request)).result();
      if (response) {
        std::string text = co_await response->body.text(1000);
        run.wrong += text == path ? 0 : 1;
      }
      if (post) {
        const bool unknown = !response && response.error().maybe_sent();
        run.late += unknown ? 1 : 0;
        run.posts[path] = response ? Outcome::done : unknown ? Outcome::unknown : Outcome::not_sent;
      } else {
        ++run.gets;
        run.failed_gets += response ? 0 : 1;
      }
    }
  }

  Random random_;
  Duration least_;
  Duration spread_;
};

}  // namespace escapement::test
