#include <escapement/middleware/server/event_stream.h>

#include <escapement/timers/timeout.h>

namespace escapement::http {

namespace {

void append_line(std::string& to, std::string_view name, std::string_view value) {
  to += name;
  for (const char c : value) {
    if (c != '\r' && c != '\n' && c != '\0') to += c;
  }
  to += '\n';
}

class EventSource final : public BodySource {
 public:
  EventSource(NextEvent next, EventStreamOptions options) : next_(std::move(next)), options_(options) {}

  Task<std::string> read() override {
    if (!std::exchange(begun_, true)) co_return std::string(":\n\n");
    if (ended_) co_return std::string();
    if (!call_) {
      Reactor& reactor = co_await this_reactor;
      call_.emplace(next_());
      call_->start(reactor, finished_);
    }
    if (!call_->finished()) {
      Result<> waited = co_await with_timeout(options_.heartbeat, finished_.event.wait()).result();
      if (!waited && !call_->finished()) co_return std::string(":\n\n");
    }
    Result<std::optional<ServerEvent>> event = call_->take();
    call_.reset();
    if (!event) co_return std::move(event).error();
    ended_ = !event->has_value();
    co_return ended_ ? std::string() : to_text(**event);
  }

 private:
  // Called when the call finishes, whether or not somebody reads at that time.
  struct Finished final : Runnable {
    void run() override { event.pulse(); }
    Event event;
  };

  NextEvent next_;
  EventStreamOptions options_;
  bool begun_ = false;
  bool ended_ = false;
  Finished finished_;
  std::optional<escapement::detail::ChildTask<std::optional<ServerEvent>>> call_;  // destroyed before `next_`
};

}  // namespace

std::string to_text(const ServerEvent& event) {
  std::string text;
  if (!event.id.empty()) append_line(text, "id: ", event.id);
  if (!event.event.empty()) append_line(text, "event: ", event.event);
  if (event.retry) append_line(text, "retry: ", std::to_string(event.retry->count() / 1'000'000));
  std::string_view rest = event.data;
  for (;;) {
    const std::size_t end = rest.find_first_of("\r\n");
    ((text += "data: ") += rest.substr(0, end)) += '\n';
    if (end == rest.npos) break;
    rest.remove_prefix(rest.substr(end, 2) == "\r\n" ? end + 2 : end + 1);
  }
  text += '\n';
  return text;
}

Response event_stream(NextEvent next, EventStreamOptions options) {
  return Response(
      200,
      Headers{
          {"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}},
      Body(std::make_unique<EventSource>(std::move(next), options)));
}

bool EventQueue::push(ServerEvent event) {
  if (closed_ || events_.size() >= length_max_) return false;
  events_.push_back(std::move(event));
  changed_.pulse();
  return true;
}

void EventQueue::close() {
  closed_ = true;
  changed_.pulse();
}

Task<std::optional<ServerEvent>> EventQueue::next() {
  while (events_.empty() && !closed_) co_await changed_.wait();
  if (events_.empty()) co_return std::optional<ServerEvent>();
  std::optional<ServerEvent> event(std::move(events_.front()));
  events_.pop_front();
  co_return std::move(event);
}

Response event_stream(std::shared_ptr<EventQueue> queue, EventStreamOptions options) {
  return event_stream([queue] { return queue->next(); }, options);
}

}  // namespace escapement::http
