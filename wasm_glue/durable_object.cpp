#include <escapement/wasm_glue/durable_object.h>

#include <escapement/core/detail/number.h>
#include <escapement/core/scope.h>
#include <escapement/wasm_glue/detail/packed.h>
#include <escapement/wasm_glue/host_operation.h>
#include <escapement/wasm_glue/host_storage.h>

// Events have numbers, of the JavaScript's choice.
extern "C" {
// Asks for the next event. Its outcome is one of EventKind, with a list: its number, and for a request its
// method, URL, body and fields.
[[clang::import_module("escapement_object"), clang::import_name("next")]]
void esc_object_next(int id);
// The event is being handled from now on.
[[clang::import_module("escapement_object"), clang::import_name("take")]]
void esc_object_take(int event);
// The event was handled. For a request: a list of its status, body and fields.
[[clang::import_module("escapement_object"), clang::import_name("done")]]
void esc_object_done(int event, const char* response, std::size_t length);
// Its handler has failed: an error's text.
[[clang::import_module("escapement_object"), clang::import_name("failed")]]
void esc_object_failed(int event, const char* text, std::size_t length);
}

namespace escapement::wasm {

namespace {

enum EventKind : int { request_event = 1, alarm_event = 2 };

// A request and how it was answered. The number is the event's.
Task<> respond(DurableObject& object, const DurableObjectOptions& options, int event, std::string packed) {
  Unpacked fields(packed);
  fields.next();
  std::string method = fields.text();
  const std::string target = fields.text();
  std::string body = fields.text();
  http::Url url = co_await http::Url::parse(target);
  http::Response response(413);
  if (body.size() <= options.body_bytes_max) {
    http::Request request(std::move(method), std::move(url), http::Headers(), std::move(body));
    while (!fields.empty()) {
      std::string name = fields.text();
      request.headers.add(std::move(name), fields.text());
    }
    http::Response answered = co_await object.fetch(std::move(request));
    response = std::move(answered);
  }
  std::string content = co_await response.body.text(options.body_bytes_max);
  Packed result;
  result.add_number(response.status).add(content);
  response.headers.each(
      [&result](std::string_view name, std::string_view value) { result.add(name).add(value); });
  esc_object_done(event, result.data(), result.size());
}

Task<> handle(DurableObject& object, const DurableObjectOptions& options, int kind, int event,
              std::string packed) {
  Result<> handled = Error(Errc::internal, "an event of an unknown kind");
  if (kind == request_event) {
    Result<> responded = co_await respond(object, options, event, std::move(packed)).result();
    if (responded) co_return;
    handled = std::move(responded);
  } else if (kind == alarm_event) {
    Result<> alarmed = co_await object.alarm().result();
    handled = std::move(alarmed);
  }
  if (handled) {
    esc_object_done(event, nullptr, 0);
  } else {
    const std::string why = to_string(handled.error());
    esc_object_failed(event, why.data(), why.size());
  }
}

}  // namespace

Task<std::string> run_durable_object(MakeDurableObject make, DurableObjectOptions options) {
  Reactor& reactor = co_await this_reactor;
  HostStorage storage;
  const std::unique_ptr<DurableObject> object = make(reactor, storage);
  Scope handlers(reactor, nullptr);
  HostOperation next(reactor);
  bool asked = false;
  for (;;) {
    if (!std::exchange(asked, true)) esc_object_next(next.id());
    Result<HostOutcome> event = co_await next.outcome(options.idle_timeout).result();
    if (!event && event.error() == Errc::timed_out && !handlers.empty()) continue;
    if (!event) break;
    asked = false;
    Unpacked fields(event->bytes);
    const int number = parse_number<int>(fields.text()).value_or(0);
    esc_object_take(number);
    handlers.spawn(handle(*object, options, event->status, number, std::move(event->bytes)));
  }
  co_return std::string();
}

}  // namespace escapement::wasm
