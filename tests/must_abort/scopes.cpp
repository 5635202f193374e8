// The same for sets of tasks and tokens.  misuse_scopes NAME

#include <csignal>
#include <cstdlib>
#include <string_view>
#include <utility>

#include <escapement/core/cancel_token.h>
#include <escapement/core/join_set.h>
#include <escapement/io/sim/sim.h>

using namespace escapement;

namespace {

Task<> cancel_from_inside(JoinSet<>& set) {
  co_await yield();
  set.cancel(Error(Errc::reset));
}

void misuse(std::string_view name) {
  Sim sim;
  CancelSource source;
  if (name == "reason") (void)source.token().reason();
  if (name == "moved source") {
    const CancelSource moved = std::move(source);
    source.cancel();
  }
  if (name == "join set") {
    JoinSet<> set(sim.reactor());
    set.spawn(cancel_from_inside(set));
    sim.settle();
  }
}

}  // namespace

int main(int, char** arguments) {
  std::signal(SIGABRT, [](int) { std::_Exit(1); });
  misuse(arguments[1]);
}
