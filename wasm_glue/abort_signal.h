// abort_signal: a JavaScript AbortSignal as a CancelToken (core/cancel_token.h).
//
//     http::Service export_rows = [](http::Request request) -> Task<http::Response> {
//       CancelToken gone = wasm::abort_signal(co_await this_reactor);
//       Result<Rows> rows = co_await with_cancel(gone, query(std::move(request))).result();
//       if (!rows) co_await release_lock();       // a fetch: there is still time for it
//       ...
//     };
//
// Without it, aborting the signal destroys every task of its request or call at once, which is what most
// programs want. Only a module that calls it contains it.

#pragma once

#include <escapement/core/cancel_token.h>

namespace escapement::wasm {

// Returns the token of the signal that belongs to the running task: the request's in a Worker
// (request.signal, and a client that stops reading a streaming response), `options.signal` in a task that
// JavaScript runs. A token that is never cancelled if there is none. The reactor must be the running task's.
//
// The first call takes over: from then on aborting cancels the token, and destroys nothing. The tasks go on,
// and end as they see fit, with_cancel among other ways; until then the context lives, in a Worker as long as
// waitUntil lets it. `run` and a Worker's `fetch` settle with what the task or the handler gives, not with
// the signal's reason. A streaming response whose client has gone breaks off after WorkerOptions::write_stall
// at the latest. A task that waits for nothing but a token which is never cancelled waits for ever.
//
// The token's reason is Errc::cancelled with the text of the signal's: the message of an Error or
// DOMException, anything else as JavaScript makes text of it. Without one it is "aborted by the host".
//
// Source: https://dom.spec.whatwg.org/#interface-AbortSignal
CancelToken abort_signal(Reactor& reactor);

}  // namespace escapement::wasm
