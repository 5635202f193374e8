// What headers call "checked": each misuse, by number, must end the program with a sentence that names the
// check.  misuse NUMBER

#include <csignal>
#include <cstdlib>

#include <escapement/core/scope.h>
#include <escapement/io/http/message.h>
#include <escapement/io/sim.h>
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
    default: std::exit(3);
  }
}

}  // namespace

// A signal would be an accident to ctest, whatever was printed before.
int main(int, char** arguments) {
  std::signal(SIGABRT, [](int) { std::_Exit(1); });
  misuse(std::atoi(arguments[1]));
}
