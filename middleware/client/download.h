// download: the body of a response into a file, which has its name only when it is complete.
//
//     ThreadPool pool;
//     DownloadOptions options;
//     options.progress = [](const DownloadProgress& at) { show(at.bytes, at.all); };
//     Downloaded done = co_await download(client, http::get("https://example.org/big.iso"), pool, "big.iso",
//     options);
//
// Until then the bytes are in PATH.part, and PATH.part.from has the URL and the validator that they belong
// to. A connection that breaks is replaced, and a later call goes on where an earlier one, or an earlier
// program, has stopped: with Range, and with If-Range, so that a file that changed meanwhile begins anew and
// two versions are never mixed (RFC 9110 sections 13.1.5 and 14). That needs a strong validator from the
// server: an ETag, or a Last-Modified of at least one second before its Date. Native only.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <escapement/io/http/service.h>
#include <escapement/io/native/thread_pool.h>

namespace escapement::http {

// A download's state.
struct DownloadProgress {
  std::uint64_t bytes = 0;           // that the file has
  std::optional<std::uint64_t> all;  // that it will have, if that is known
};

// Limits and settings of a download.
class DownloadOptions {
 public:
  // Goes on with what an earlier call has left. False: begins anew.
  bool resume = true;
  // The most continuations after a body that broke off; 0: none.
  int continuations_max = 5;
  // The wait before each.
  Duration pause = 1s;
  // More bytes fail with limit_exceeded.
  std::uint64_t bytes_max = UINT64_MAX;
  // Called after each piece that was written. May be empty. It must not destroy the task.
  std::function<void(const DownloadProgress&)> progress = {};
};

// The result of a download.
struct Downloaded {
  std::uint64_t bytes = 0;    // that the file has
  std::uint64_t resumed = 0;  // of them those that an earlier call had left
  int continuations = 0;      // after a body that broke off
  Headers headers;            // of the last response
};

// Sends `request`, which must have no body, by `service`, and writes the response's body to `path`; a file of
// that name is replaced when the download is complete. "Accept-Encoding: identity" is sent unless the request
// has that field: parts of two compressed forms do not fit together.
//
// Fails with invalid_argument (the request has a body), as Call for a status that is no success (call.h), as
// `service` and its bodies fail once no continuation is left, as File, with limit_exceeded, and with
// bad_message if the server's ranges contradict each other. After a failure or a cancellation PATH is as it
// was, and the part stays for the next call; delete PATH.part and PATH.part.from to give it up. Two downloads
// to one path at a time destroy each other's part: do not.
Task<Downloaded> download(Service service, Request request, ThreadPool& pool, std::string path,
                          DownloadOptions options = DownloadOptions());

}  // namespace escapement::http
