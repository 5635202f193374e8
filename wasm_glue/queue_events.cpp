#include <escapement/wasm_glue/queue_events.h>

#include <algorithm>

#include <escapement/core/detail/number.h>
#include <escapement/wasm_glue/detail/packed.h>

namespace escapement::wasm {

namespace {

std::int64_t take_number(Unpacked& fields) { return parse_number<std::int64_t>(fields.text()).value_or(0); }

}  // namespace

// A list: the queue's name, and for each message its id, time, attempts and body. The result is a line for
// each message: "open", "handled", or "again" and seconds.
Task<std::string> run_queue_batch(Task<> (*handler)(QueueBatch&), std::string packed) {
  Unpacked fields(packed);
  QueueBatch batch(fields.text());
  while (!fields.empty()) {
    QueueMessage message;
    message.id = fields.text();
    message.sent = SystemTime::from_unix_milliseconds(take_number(fields));
    message.attempts = static_cast<int>(take_number(fields));
    message.body = fields.text();
    batch.messages.push_back(std::move(message));
  }
  Result<> handled = co_await handler(batch).result();
  std::string outcomes = handled ? std::string() : to_string(handled.error());
  std::ranges::replace(outcomes, '\n', ' ');
  for (std::size_t i = 0; i < batch.messages.size(); ++i) {
    switch (batch.outcome(i)) {
      case QueueBatch::Outcome::open: outcomes += "\nopen"; break;
      case QueueBatch::Outcome::handled: outcomes += "\nhandled"; break;
      case QueueBatch::Outcome::again: {
        const std::int64_t seconds = (batch.delay(i) + Duration::nanoseconds(999'999'999)) / Duration(1s);
        outcomes += "\nagain " + std::to_string(seconds);
        break;
      }
    }
  }
  co_return std::move(outcomes);
}

}  // namespace escapement::wasm
