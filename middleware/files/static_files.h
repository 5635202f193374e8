// StaticFiles: serves the files of one folder.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <escapement/io/http/service.h>
#include <escapement/io/native/thread_pool.h>
#include <escapement/middleware/files/file_tree.h>

namespace escapement::http {

// Settings of StaticFiles.
class StaticFilesOptions {
 public:
  std::string index = "index.html";               // served for its folder; empty: none is
  bool hidden = false;                            // whether names that begin with '.' are served
  std::string cache_control;                      // sent with every file; empty: not sent
  std::size_t ranges_max = 16;                    // in one request; with more, the whole file is sent
  std::size_t piece_bytes = 64 * KiB;             // bytes of a large file read at a time
  Containment containment = Containment::kernel;  // how a path is kept below the folder
  // Opens and reads the files, so that the disk never holds up the loop; null: the loop's thread does. Must
  // outlive the requests and the bodies of their responses.
  ThreadPool* pool = nullptr;
};

// Serves GET and HEAD for the files below a folder: Content-Type from the name, Last-Modified (never later
// than Date), a strong ETag from size and time of change, conditional requests (conditional.h), one or
// several ranges (206, 416), an index file. A folder without '/' is a 301 to the one with it; folders are not
// listed. 404 for everything else, including links that lead out (file_tree.h), "%2F" and "%00"; 403 for
// unreadable files; 405 for other methods; 503 when no descriptor is left.
//
// A file up to 16 KiB is read at once, a larger one piece by piece as the client takes it. Without a pool,
// opening and reading block the loop's thread when the disk has to be accessed, and a large body offers its
// descriptor (BodySource::file_range), so that a server sends it by sendfile(2) over plain sockets. With a
// pool both happen there, a response costs one or more changes of thread, and sendfile, which would wait for
// the disk on the loop's thread, is not used. 503 if the pool's queue is full; the body fails if that happens
// later. To replace a file, rename a new one into place: a file that is overwritten while it is sent
// arrives mixed, and one that is truncated ends the connection.
class StaticFiles {
 public:
  // Errors: as FileTree::open.
  static Result<StaticFiles> make(const std::string& root, StaticFilesOptions options = StaticFilesOptions());

  // Serves the file named by the request's whole path.
  Task<Response> operator()(Request request) const;
  // Serves the file named by `path`, a decoded part of the request's path such as a route's "*path".
  Task<Response> serve(Request request, std::string path) const;

 private:
  struct State;
  explicit StaticFiles(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace escapement::http
