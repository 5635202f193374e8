// The ABI: every import and export that crosses between a wasm module and its JS half (escapement.mjs).
// Nothing else does.
//
// Rules. Times are milliseconds in f64: no i64, so no BigInt. Text crosses as UTF-8 bytes, from JS in the
// transfer buffer (esc_transfer) or, if that is too small, in memory from esc_alloc, which belongs to the
// module from then on; text from the module is copied before the import returns. An import never calls back
// into the module: an export reports the outcome later, from a fresh turn of the host's loop.
//
// Every event is one call: the exports that are given `now`, the host's clock, deliver something, take some
// turns of the reactor, and return when the host has to call next (esc_step). The first argument of every
// export is the context that the call is for.
//
// What brings bytes or outcomes from the host, or takes bytes to it, has a number in its context: a fetch,
// the request (whose number is always `request_id`), an operation of a binding. The module chooses it.
//
// Fields are text lines, "Name: value\n" each. Field values have no line ends. Heads are bytes, as on the
// wire. Fields of what the host has received stay there until somebody asks for them (esc_host_fields).
//
// A binding (KV, R2, a Durable Object) adds imports of its own, from a wasm module name of its own that
// begins with "escapement_". They may begin operations (host_operation.h). `worker` and `run` are given the
// bindings' JS:
// `{ bindings: [kv] }`.

#pragma once

#include <cstddef>

#include <escapement/core/error.h>

namespace escapement::wasm {
class Context;

// The number of the request that a context answers.
inline constexpr int request_id = 1;
// In place of the length of a body: it streams, and esc_host_send sends it.
inline constexpr std::size_t own_stream = static_cast<std::size_t>(-1);

// Why fetch() failed, as far as the host says.
enum class FetchFailure : int {
  unknown,       // the host does not say, nor how far the request came
  no_fetch,      // this host has no fetch()
  bad_request,   // refused before anything was sent: a GET with a body, a blocked port
  no_such_host,  // the name does not exist
  not_reached,   // no connection was made
  untrusted,     // the server's certificate was refused
  timed_out,     // by a limit of the host's
  bad_answer,    // the server broke the protocol
  hidden,        // a browser does not show this response
  no_memory,     // the module had no memory for the response
};
}  // namespace escapement::wasm

// Marks a function that JS provides, by the name given.
#define ESC_IMPORT(name) [[clang::import_module("escapement"), clang::import_name(#name)]]
// Marks a function that JS calls, by the name given.
#define ESC_EXPORT(name) [[clang::export_name(#name)]]

extern "C" {

// --- Imports: the clock, the console ---------------------------------------------------------------------

// The host's monotonic clock, from any fixed point. May stand still while code runs.
ESC_IMPORT(now) double esc_host_now();
// Milliseconds since 1970.
ESC_IMPORT(wall) double esc_host_wall();
// A random number in [0, 1).
ESC_IMPORT(random) double esc_host_random();
// Prints a line that the program has written to the console; fd 1: standard output, 2: standard error.
ESC_IMPORT(log) void esc_host_log(int fd, const char* line, std::size_t length);

// --- Imports: a task that JS ran (escapement.mjs: run) -----------------------------------------------------

// The task has finished: with its result, or (ok = 0) with an error's text.
ESC_IMPORT(settle) void esc_host_resolve(int ok, const char* text, std::size_t length);
// Reports a failure that nothing else reports: an error's text.
ESC_IMPORT(failed) void esc_host_failed(const char* text, std::size_t length);

// The reason of the signal that is being aborted, as text, written to `to` if it is no longer than `room`.
// Returns its length, 0 for none. Called inside esc_cancel.
ESC_IMPORT(abort_reason) int esc_host_abort_reason(char* to, std::size_t room);

// --- Imports: what has a number ----------------------------------------------------------------------------

// The fields of a fetch's response, or of the request, written to `to` if they are no longer than `room`:
// those of one name as a value alone (all of them joined by ", "), or with a `name_length` of 0 every field
// line. Returns the length, -1 for none of that name. Fields of a coding that the host has undone are left
// out.
ESC_IMPORT(fields)
int esc_host_fields(int id, const char* name, std::size_t name_length, char* to, std::size_t room);
// Asks for the next bytes of a body. Reported by esc_reply with their number, status 1 if they are the last,
// or by esc_failed.
ESC_IMPORT(read) void esc_host_read(int id);
// Forgets it; a fetch under way, or its body, is aborted, and the JS of an operation told. Nothing about it
// is reported afterwards.
ESC_IMPORT(drop) void esc_host_drop(int id);
// The next bytes of what streams to the host: the request's response, a fetch's body. More are sent after
// esc_wanted.
ESC_IMPORT(send) void esc_host_send(int id, const char* bytes, std::size_t length);
// Ends that. With an error's text it breaks off; with an empty one it is complete.
ESC_IMPORT(send_end) void esc_host_send_end(int id, const char* text, std::size_t length);

// --- Imports: fetch --------------------------------------------------------------------------------------

// Begins fetch number `id`: "METHOD\nURL\n" and field lines. Its body is the bytes, or if `body` is null and
// the length not 0, the unread body of number `body_length`, or a stream of its own for `own_stream`.
// Reported by esc_reply with the status and the body's length, -1 if it is not known, or by esc_failed.
ESC_IMPORT(fetch)
void esc_host_fetch(int id, const char* head, std::size_t head_length, const char* body,
                    std::size_t body_length);
// Returns what is special about this host: 1: its fetch() sends streams; 2: it lets six fetches wait for a
// head, and queues the others.
ESC_IMPORT(traits) int esc_host_traits();

// --- Imports: a request that a Worker answers ------------------------------------------------------------

// The Worker's variable of that name, written to `to` if it is no longer than `room`. Returns its length, -1
// for none.
ESC_IMPORT(env) int esc_host_env(const char* name, std::size_t length, char* to, std::size_t room);
// The response: its status, its field lines and its body, as that of esc_host_fetch.
ESC_IMPORT(respond)
void esc_host_respond(int status, const char* fields, std::size_t fields_length, const char* body,
                      std::size_t body_length);
// The response is that of fetch `id`, whose head is as it came.
ESC_IMPORT(relay) void esc_host_relay(int id);

}  // extern "C"

// --- Exports ---------------------------------------------------------------------------------------------
// Defined in runtime.cpp, host_reply.cpp, worker.cpp and by ESC_TASK and ESC_WORKER.
//
//   esc_transfer() -> pointer       the transfer buffer, of `transfer_size` bytes (runtime.h)
//   esc_alloc(length) -> pointer    0 where there is no memory for it and for what is done with it: then JS
//                                   fails its call by `overloaded`, or says so to the export below
//   esc_out_of_memory() -> 0 or 1   whether that is what the module trapped for
//   esc_open(now) -> context        a Reactor with all that belongs to it; 0 without memory; never at a
//                                   Worker's global scope
//   esc_close(context)              destroys it and every task in it
//   esc_step(context, now) -> f64   some turns; when to call again, in milliseconds from now: 0 at once,
//                                   -1 only when something happens, -2 all tasks have ended: close it,
//                                   -3 they wait, but for nothing that the host could bring
//   esc_cancel(context) -> 0 or 1   destroys every task; 1: they were told instead, and end by themselves
//                                   (abort_signal.h)
//
//   And these, each with the result of esc_step:
//   esc_task_NAME(context, now, pointer, length)     starts a task of ESC_TASK
//   esc_request(context, now, method, pointer, length, has_body)
//                                                    a request for the Worker's service: its URL; before that
//                                                    "METHOD\n" if `method` is 0: else its place in GET,
//                                                    HEAD, POST, PUT, DELETE, OPTIONS, PATCH
//   esc_reply(context, now, id, status, number)      what was asked of number `id`; where that is bytes, so
//   many
//                                                    have been written to esc_place's memory
//   esc_failed(context, now, id, kind, pointer, length)    or it failed; kind: a FetchFailure; 0: no text
//   esc_wanted(context, now, id)                     the reader of what streams to the host asks for more
//   and without a step:
//   esc_place(context, id, length) -> pointer        where to write the bytes of the next esc_reply; 0: no
//   memory
