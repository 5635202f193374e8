// StaticFiles: the files of one folder as a Service.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <escapement/io/http/service.h>
#include <escapement/middleware/files/file_tree.h>

namespace escapement::http {

class StaticFilesOptions {
 public:
  std::string index = "index.html";    // answers for its folder; empty: none does
  bool hidden = false;                 // whether names that begin with '.' exist
  std::string cache_control;           // of every file; empty: none
  std::size_t ranges_max = 16;         // in one request; more: the whole file
  std::size_t piece_bytes = 64 * KiB;  // read at once, of a large file
  Containment containment = Containment::kernel;
};

// GET and HEAD of the files below a folder: Content-Type by the name, Last-Modified (never later than Date),
// a strong ETag from size and time of change, conditional requests (conditional.h), one range or several
// (206, 416), an index file. A folder without '/' is a 301 to the one with it; folders are not listed. 404
// for everything else, including links that lead out (file_tree.h), "%2F" and "%00"; 403 for what may not be
// read; 405 for other methods; 503 when no descriptor is left.
//
// A file up to 16 KiB is read at once, a larger one piece by piece as the client takes it; the body then
// offers its descriptor (BodySource::file_range). Opening and reading block the thread where the disk has to
// be asked. Whoever replaces files should rename new ones into place: one that is written over while it is
// sent is sent mixed, and one that is cut short ends the connection.
class StaticFiles {
 public:
  // Errors: FileTree::open.
  static Result<StaticFiles> make(const std::string& root, StaticFilesOptions options = StaticFilesOptions());

  // The file that the request's whole path names.
  Task<Response> operator()(Request request) const;
  // The file that `path` names, which is a part of the request's: what a route's "*path" yields, decoded.
  Task<Response> serve(Request request, std::string path) const;

 private:
  struct State;
  explicit StaticFiles(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace escapement::http
