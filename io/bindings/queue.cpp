#include <escapement/io/bindings/queue.h>

namespace escapement {

Result<> QueueProducer::check(const std::vector<std::string>& bodies, Duration delay) {
  if (delay < Duration() || delay > delay_max) {
    return Error(Errc::invalid_argument, "a queue's message is delayed by 0 s to 12 h");
  }
  if (bodies.size() > batch_max) {
    return Error(Errc::limit_exceeded, std::to_string(bodies.size()) + " messages sent to a queue at once");
  }
  for (const std::string& body : bodies) {
    if (body.size() <= body_bytes_max) continue;
    return Error(Errc::limit_exceeded, "a queue's message of " + std::to_string(body.size()) + " bytes");
  }
  return {};
}

}  // namespace escapement
