// A receiver without a name is unsubscribed at once.
#include <escapement/core/broadcast.h>

using namespace escapement;

void caller(Broadcast<int>& news) {
#ifdef MUST_NOT_COMPILE
  Broadcast<int>::Receiver{news};
#endif
  Broadcast<int>::Receiver receiver(news);
}
