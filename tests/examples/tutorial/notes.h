// A service of notes, for tutorial/notes.cpp, which serves it, and tutorial/notes_simulated.cpp, which tests
// it.

#pragma once

#include <map>
#include <string>

#include <escapement/io/http/service.h>
#include <escapement/middleware/limits/timeout.h>
#include <escapement/middleware/server/router.h>

namespace notes {

using namespace escapement;

// [service]
// The notes that the handlers share. They run on one thread: no lock.
struct Notes {
  std::map<std::string, std::string, std::less<>> by_name;
};

inline http::Service service(Notes& notes) {
  auto read = [&notes](http::Request, http::PathParams path) -> Task<http::Response> {
    const auto found = notes.by_name.find(path["name"]);
    if (found == notes.by_name.end()) co_return http::Response(404, "no such note\n");
    co_return http::Response(200, found->second);
  };
  auto write = [&notes](http::Request request, http::PathParams path) -> Task<http::Response> {
    std::string text = co_await request.body.text(64 * KiB);
    notes.by_name[std::string(path["name"])] = std::move(text);
    co_return http::Response(204);
  };
  Result<http::Router> router = http::Router::make({{"GET", "/notes/:name", read},  //
                                                    {"PUT", "/notes/:name", write}});
  return http::layered(http::Timeout{2s}, *router);
}
// [service]

}  // namespace notes
