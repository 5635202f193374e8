#include <escapement/wasm_glue/durable_object.h>

#include <escapement/core/combine.h>
#include <escapement/core/detail/number.h>
#include <escapement/core/scope.h>
#include <escapement/io/http/h1/writer.h>
#include <escapement/wasm_glue/detail/host_body.h>
#include <escapement/wasm_glue/detail/object_events.h>
#include <escapement/wasm_glue/detail/packed.h>
#include <escapement/wasm_glue/heads.h>
#include <escapement/wasm_glue/host_storage.h>
#include <escapement/wasm_glue/send_body.h>

// Events have numbers, of the JavaScript's choice.
extern "C" {
// Asks for the next event. Its outcome is one of EventKind, with a list: its number, and what it brings.
[[clang::import_module("escapement_object"), clang::import_name("next")]]
void esc_object_next(int id);
// The event is being handled from now on.
[[clang::import_module("escapement_object"), clang::import_name("take")]]
void esc_object_take(int event);
// Makes the body of a request the body of operation `id`.
[[clang::import_module("escapement_object"), clang::import_name("body")]]
void esc_object_body(int event, int id);
// Responds to a request: a list of the status, names and values of the fields; the body as that of
// esc_host_fetch, under the number of operation `id`, whose outcome comes if the reader of a body that
// streams leaves.
[[clang::import_module("escapement_object"), clang::import_name("respond")]]
void esc_object_respond(int event, int id, const char* head, std::size_t length, const char* body,
                        std::size_t body_length);
// The event was handled.
[[clang::import_module("escapement_object"), clang::import_name("done")]]
void esc_object_done(int event);
// Its handler has failed: an error's text.
[[clang::import_module("escapement_object"), clang::import_name("failed")]]
void esc_object_failed(int event, const char* text, std::size_t length);
}

namespace escapement::wasm {

namespace {

enum EventKind : int { request_event = 1, alarm_event = 2 };

Task<> until_reader_leaves(HostOperation& sending) {
  HostOutcome left = co_await sending.outcome(Duration::max());
}

// Handles an event. Yields false if it is settled already.
Task<bool> handle(DurableObject& object, const DurableObjectOptions& options, ObjectEvents* events, int kind,
                  int event, std::string packed) {
  if (kind == request_event) {
    http::Request request = co_await take_request(co_await this_reactor, options, event, packed);
    co_await respond(object, options, event, std::move(request));
    co_return false;
  }
  if (kind != alarm_event) {
    if (events == nullptr) co_return Error(Errc::internal, "an event of an unknown kind");
    const bool open = co_await events->handle(object, options, kind, event, std::move(packed));
    co_return open;
  }
  co_await object.alarm();
  co_return true;
}

Task<> settle(DurableObject& object, const DurableObjectOptions& options, ObjectEvents* events, int kind,
              int event, std::string packed) {
  Result<bool> handled = co_await handle(object, options, events, kind, event, std::move(packed)).result();
  if (handled && *handled) esc_object_done(event);
  if (handled) co_return;
  const std::string why = to_string(handled.error());
  esc_object_failed(event, why.data(), why.size());
}

}  // namespace

Result<http::Request> take_request(Reactor& reactor, const DurableObjectOptions& options, int event,
                                   std::string_view packed) {
  Unpacked fields(packed);
  fields.next();
  std::string method = fields.text();
  Result<http::Url> url = http::Url::parse(fields.text());
  if (!url) return std::move(url).error();
  const bool has_body = !fields.text().empty();
  http::Request request(std::move(method), *std::move(url));
  while (!fields.empty()) {
    std::string name = fields.text();
    request.headers.add(std::move(name), fields.text());
  }
  if (has_body) {
    auto operation = std::make_unique<HostOperation>(reactor);
    esc_object_body(event, operation->id());
    request.body = http::Body(
        std::make_unique<HostBody>(std::move(operation), stated_length(request.headers), options.body_idle));
  }
  return request;
}

// A failure after the head breaks the stream off, and is reported: nobody awaits it. A reader that leaves is
// none.
Task<> respond(DurableObject& object, const DurableObjectOptions& options, int event, http::Request request) {
  const bool is_head = request.method == http::Method::head();
  http::Response response = co_await object.fetch(std::move(request));
  co_await http::check_response(response, is_head);
  if (!http::may_have_content(response.status)) response.body = http::Body();
  // Nobody reads the body of an answer to HEAD.
  if (is_head && !response.body.replayable()) response.body = http::Body();
  Packed head;
  head.add_number(response.status);
  response.headers.each(
      [&head](std::string_view name, std::string_view value) { head.add(name).add(value); });
  HostOperation sending(co_await this_reactor);
  const bool whole = response.body.replayable();
  const int handle = whole ? 0 : response.body.host_handle();
  std::string_view body = response.body.bytes();
  if (!whole) body = std::string_view(nullptr, handle != 0 ? static_cast<std::size_t>(handle) : own_stream);
  esc_object_respond(event, sending.id(), head.data(), head.size(), body.data(), body.size());
  if (whole || handle != 0) co_return;
  std::uint64_t sent = 0;
  Task<> streaming = send_body(sending.reply(), response.body, options.write_stall, sent);
  Task<> leaving = until_reader_leaves(sending);
  Result<std::variant<std::monostate, std::monostate>> streamed =
      co_await select(std::move(streaming), std::move(leaving)).result();
  if (!streamed) report_failure(streamed.error());
}

Task<std::string> run_object(MakeDurableObject make, DurableObjectOptions options, ObjectEvents* events) {
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
    handlers.spawn(settle(*object, options, events, event->status, number, std::move(event->bytes)));
  }
  co_return std::string();
}

ESC_CORO_WRAPPER Task<std::string> run_durable_object(MakeDurableObject make, DurableObjectOptions options) {
  return run_object(std::move(make), options, nullptr);
}

}  // namespace escapement::wasm
