// The ABI: every import and export that crosses between a wasm module and its JS half (escapement.mjs).
// Nothing else does.
//
// Rules. Times are milliseconds in f64: no i64, so no BigInt. Text crosses as UTF-8 bytes. JS writes its text
// into memory from esc_alloc, which belongs to the module from then on; text from the module is copied before
// the import returns. An import never calls back into the module: an export reports the outcome later, from a
// fresh turn of the host's loop. JS calls esc_step after every export that may have made a task ready. The
// first argument of every export is the context that the call is for.
//
// A binding (KV, R2, a Durable Object) adds imports of its own, from a wasm module name of its own that
// begins with "escapement_". They may begin operations, under numbers that the module chooses
// (host_operation.h), and JS reports their outcome by esc_host_done. `worker` and `run` are given the
// bindings' JS:
// `{ bindings: [kv] }`.
//
// A head is text lines: for a request "METHOD\nURL\nName: value\n...", for a response "STATUS\nName:
// value\n...". Field values have no line ends. Heads are bytes, as on the wire.

#pragma once

#include <cstddef>

#include <escapement/core/error.h>

namespace escapement::wasm {
class Context;

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

// --- Imports: fetch --------------------------------------------------------------------------------------

// Begins fetch number `id` (the module's choice). Reported by esc_fetch_head or esc_fetch_failed.
ESC_IMPORT(fetch)
void esc_host_fetch(int id, const char* head, std::size_t head_length, const char* body,
                    std::size_t body_length);
// Asks for the next bytes of its response. Reported by esc_fetch_bytes or esc_fetch_failed.
ESC_IMPORT(fetch_read) void esc_host_fetch_read(int id);
// Aborts the fetch, or the operation of a binding, or forgets it if it has ended. Nothing about it is
// reported afterwards.
ESC_IMPORT(fetch_drop) void esc_host_fetch_drop(int id);

// --- Imports: a request that a Worker answers ------------------------------------------------------------

// Asks for the next bytes of the request's body. Reported by esc_request_bytes or esc_request_failed.
ESC_IMPORT(request_read) void esc_host_request_read();
// The Worker's variable of that name, written to `to` if it is no longer than `room`. Returns its length, -1
// for none.
ESC_IMPORT(env) int esc_host_env(const char* name, std::size_t length, char* to, std::size_t room);
// The response: its status, its field lines and, unless it streams, its whole body.
ESC_IMPORT(respond)
void esc_host_respond(int status, const char* fields, std::size_t fields_length, const char* body,
                      std::size_t body_length, int streams);
// The next bytes of a response that streams. More are sent after esc_response_wanted.
ESC_IMPORT(response_bytes) void esc_host_response_bytes(const char* bytes, std::size_t length);
// Ends the response. With an error's text it breaks off; with an empty one it is complete.
ESC_IMPORT(response_end) void esc_host_response_end(const char* text, std::size_t length);

}  // extern "C"

// --- Exports ---------------------------------------------------------------------------------------------
// Defined in runtime.cpp, host_fetch.cpp, worker.cpp and by ESC_TASK and ESC_WORKER.
//
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
//   esc_task_NAME(context, pointer, length)          starts a task of ESC_TASK
//   esc_fetch_head(context, id, pointer, length)
//   esc_fetch_bytes(context, id, pointer, length)    length 0: the end
//   esc_fetch_failed(context, id, kind, pointer, length)    kind: a FetchFailure; the text says more, 0: none
//   esc_host_done(context, id, status, pointer, length)     a binding's operation; status < 0: it failed, and
//                                                    the text is "kind: sentence"; 0: no memory for its bytes
//   esc_request(context, has_body, pointer, length)  a request for the Worker's service
//   esc_request_bytes(context, pointer, length)      length 0: the end
//   esc_request_failed(context, pointer, length)     0: no memory for its bytes
//   esc_response_wanted(context)
