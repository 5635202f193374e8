// Observers that layers call from within a task, and that cancel that task: each must be safe, or end the
// program with the sentence that says what was done wrong.  observers OBSERVER PLACE

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include <escapement/core/scope.h>
#include <escapement/io/http/server.h>
#include <escapement/io/sim/sim.h>
#include <escapement/io/tls/tls.h>
#include <escapement/middleware/client/retry.h>
#include <escapement/middleware/limits/rate_limit.h>
#include <escapement/middleware/observe/access_log.h>
#include <escapement/middleware/observe/trace.h>
#include <escapement/middleware/server/error_responses.h>
#include <escapement/timers/sleep.h>

using namespace escapement;

namespace {

Task<http::Response> answer(http::Request request) {
  if (request.headers.has("late")) co_await sleep(1s);
  if (request.headers.has("fail")) co_await Error(Errc::unavailable, "on purpose");
  co_return http::Response(503, "text");
}

Task<http::Response> later(http::Request request, const http::Service& next) {
  std::string held(100, 'x');
  http::Response response = co_await next(std::move(request));
  held += 'y';
  co_return std::move(response);
}

struct World {
  // Once: what is destroyed then may report it.
  void told() {
    if (std::exchange(tells, false)) scope->cancel();
  }

  http::Service service(std::string_view observer) {
    const auto told_of = [this](auto&&...) { told(); };
    if (observer == "access_log") {
      http::AccessLog log;
      log.sink = told_of;
      return http::layered(log, later, answer);
    }
    if (observer == "retry") {
      http::Retry retry;
      retry.observer = told_of;
      return http::layered(later, retry, later, answer);
    }
    if (observer == "catch_failure") {
      http::ErrorResponses catch_failure;
      catch_failure.tell = told_of;
      return http::layered(later, catch_failure, answer);
    }
    if (observer == "rate_limit") {
      http::RateLimits limits;
      limits.key = [this](const http::Request&) {
        told();
        return std::string("key");
      };
      return http::layered(later, http::RateLimit(limits), answer);
    }
    http::Trace trace{[this, observer](const http::TraceEvent& event) {
      const bool begins = event.kind == http::TraceEvent::Kind::started;
      if (begins == (observer == "trace_begin")) told();
    }};
    return http::layered(later, trace, later, answer);
  }

  Task<> call(const http::Service& service, http::Request request) {
    http::Response response = co_await service(std::move(request));
    std::string text = co_await response.body.text(1 * MiB);
  }

  void run(std::string_view observer, std::string_view place, bool late, bool fail) {
    tells = true;
    scope.emplace(sim.reactor(), [](Error) {});
    const http::Service observed = service(observer);
    http::Request request = http::get("http://s/");
    if (late) request.headers.add("late", "1");
    if (fail) request.headers.add("fail", "1");
    http::Server server(observed);
    if (place == "caller") {
      scope->spawn(call(observed, std::move(request)));
    } else {
      scope->spawn(server.listen(sim.network(), "s:80"));
      sim.settle();
      std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
      std::string text = "GET / HTTP/1.1\r\nHost: s\r\n";
      for (const http::Headers::Field& field : request.headers) text += field.name + ": 1\r\n";
      (void)stream->write_now(as_bytes(text + "\r\n"));
      sim.advance(500ms);
      sim.advance(10s);
    }
    sim.advance(10s);
    scope->cancel();
  }

  // A TLS server's observer, called for a handshake that fails.
  void run_tls(bool by_hand) {
    TlsServerOptions options;
    options.identities.push_back(
        *TlsIdentity::read(ESC_TEST_CERTIFICATES "/chain.pem", ESC_TEST_CERTIFICATES "/leaf.key"));
    options.on_failure = [this](const Error&) { told(); };
    const TlsServer tls = *TlsServer::make(std::move(options));
    tells = true;
    scope.emplace(sim.reactor(), [](Error) {});
    http::Server server(answer);
    auto by_accept = [](World& world, const TlsServer& tls) -> Task<> {
      std::unique_ptr<Listener> listener = co_await world.sim.network().listen("s:443");
      std::unique_ptr<Stream> stream = co_await listener->accept();
      std::unique_ptr<TlsStream> secure = co_await tls.accept(std::move(stream));
    };
    auto by_server = [](World& world, const TlsServer& tls, http::Server& server) -> Task<> {
      std::unique_ptr<Listener> listener = co_await world.sim.network().listen("s:443");
      co_await server.serve(tls.wrap(std::move(listener)));
    };
    if (by_hand) {
      scope->spawn(by_accept(*this, tls));
    } else {
      scope->spawn(by_server(*this, tls, server));
    }
    sim.settle();
    std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 443));
    (void)stream->write_now(as_bytes("GET / HTTP/1.1\r\n\r\n"));
    sim.advance(10s);
    scope->cancel();
  }

  bool tells = false;
  Sim sim;
  std::optional<Scope> scope;
};

}  // namespace

int main(int, char** arguments) {
  std::signal(SIGABRT, [](int) { std::_Exit(1); });
  const std::string_view observer = arguments[1];
  const std::string_view place = arguments[2];
  World world;
  if (observer == "tls") {
    world.run_tls(place == "caller");
  } else {
    world.run(observer, place, std::string_view(arguments[3]) == "late",
              std::string_view(arguments[4]) == "fail");
  }
  std::puts("survived");
}
