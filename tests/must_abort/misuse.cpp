// The misuses that headers call "checked": each, by number, must end the program with a sentence that names
// the check.  misuse NUMBER

#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include <escapement/core/scope.h>
#include <escapement/io/http/message.h>
#include <escapement/io/http/server.h>
#include <escapement/io/http/url.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/signals.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/interval.h>

using namespace escapement;

namespace {

class Nothing final : public http::BodySource {
 public:
  Task<std::string> read() override { co_return std::string(); }
};

Task<> cancel_from_inside(Scope& scope) {
  scope.cancel();
  co_return;
}

Task<> run_again(Loop& loop) {
  (void)loop.run(run_again(loop));
  co_return;
}

Task<> set_from_another_thread(Loop& loop, Event& event) {
  Scope scope(loop.reactor());
  scope.spawn(event.wait());
  co_await sleep(1ms);
  std::thread other([&event] { event.set(); });
  other.join();
}

Task<> never_ends_at_all() { co_await sleep(1h); }

Task<int> never_ends() {
  co_await sleep(1h);
  co_return 1;
}

void misuse(int number) {
  switch (number) {
    case 0: (void)Interval(Duration()); break;
    case 1: (void)Interval(Duration() - Duration(1s)); break;
    case 2: pipe(PipeOptions{.capacity = 0}); break;
    case 3: pipe(PipeOptions{.read_max = 0}); break;
    case 4: {
      SimNetworkOptions options;
      options.buffer = 0;
      Sim sim(Seed{1}, options);
      break;
    }
    case 5: (void)http::Body(std::make_unique<Nothing>()).copy(); break;
    case 6: (void)http::get("nonsense"); break;
    case 7: {
      Sim sim;
      Scope scope(sim.reactor());
      scope.spawn(cancel_from_inside(scope));
      sim.settle();
      break;
    }
    case 8: (void)http::Url::parse("nonsense")->host(); break;
    case 9: {
      Loop loop;
      (void)loop.run(run_again(loop));
      break;
    }
    case 10: {
      Loop loop;
      Event event;
      (void)loop.run(set_from_another_thread(loop, event));
      break;
    }
    case 11: {
      auto loop = std::make_unique<Loop>();
      Scope scope(loop->reactor());
      scope.spawn(never_ends_at_all());
      loop.reset();
      break;
    }
    case 12: {
      auto loop = std::make_unique<Loop>();
      Result<std::unique_ptr<Signals>> signals = Signals::make(loop->backend(), {SIGUSR1});
      loop.reset();
      break;
    }
    case 13: {
      Sim sim;
      Scope scope(sim.reactor());
      JoinHandle<int> handle = scope.spawn_joinable(never_ends());
      Task<int> joined = std::move(handle).join();
      handle.cancel();
      break;
    }
    case 14: {
      Sim sim;
      Task<int> task = never_ends();
      Task<int> moved = std::move(task);
      (void)sim.run(std::move(task));
      break;
    }
    case 15: {
      Result<int> result = Error(Errc::reset, "why");
      Result<int> moved = std::move(result);
      (void)*result;
      break;
    }
    case 16: {
      Sim sim;
      Scope scope(sim.reactor(), [](Error) {});
      auto fails = [](http::Request) -> Task<http::Response> {
        co_return Error(Errc::internal, "on purpose");
      };
      auto server = std::make_unique<http::Server>(fails);
      server->on_failure = [&server](const Error&) { server.reset(); };
      scope.spawn(server->listen(sim.network(), "s:80"));
      sim.settle();
      std::unique_ptr<Stream> stream = *sim.run(sim.network().connect("s", 80));
      (void)stream->write_now(as_bytes("GET / HTTP/1.1\r\nHost: s\r\n\r\n"));
      sim.settle();
      break;
    }
    default: std::exit(3);
  }
}

}  // namespace

// A signal would be an accident to ctest, whatever was printed before.
int main(int, char** arguments) {
  std::signal(SIGABRT, [](int) { std::_Exit(1); });
  misuse(std::atoi(arguments[1]));
}
