#include <escapement/wasm_glue/events.h>

#include <charconv>

namespace escapement::wasm {

// `text` is "MILLISECONDS CRON".
Task<std::string> run_scheduled(Task<> (*handler)(Scheduled), std::string text) {
  std::int64_t milliseconds = 0;
  const char* const end = text.data() + text.size();
  const std::from_chars_result number = std::from_chars(text.data(), end, milliseconds);
  if (number.ec != std::errc() || number.ptr == end || *number.ptr != ' ') {
    co_return Error(Errc::invalid_argument, "a cron trigger without its time: " + text);
  }
  Scheduled event;
  event.cron.assign(number.ptr + 1, end);
  event.time = SystemTime::from_unix_milliseconds(milliseconds);
  Task<> running = handler(std::move(event));
  co_await std::move(running);
  co_return std::string();
}

Task<std::string> run_tail(Task<> (*handler)(std::string), std::string traces) {
  Task<> running = handler(std::move(traces));
  co_await std::move(running);
  co_return std::string();
}

}  // namespace escapement::wasm
