// A receive that is not awaited receives nothing.
#include <escapement/core/channel.h>

using namespace escapement;

Task<> caller(Channel<int>& channel) {
#ifdef MUST_NOT_COMPILE
  channel.receive();
#endif
  std::optional<int> value = co_await channel.receive();
  (void)value;
}
