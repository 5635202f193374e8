#include <escapement/io/http/progress.h>

namespace escapement::http {

std::string_view doing(TimeLimit waits_for) {
  switch (waits_for) {
    case TimeLimit::queue: return "waiting for a free connection";
    case TimeLimit::resolve: return "looking up the name";
    case TimeLimit::connect: return "connecting";
    case TimeLimit::handshake: return "in the TLS handshake";
    case TimeLimit::write: return "sending the request";
    case TimeLimit::head: return "waiting for the response";
    case TimeLimit::body: return "reading the body";
    default: return "";
  }
}

}  // namespace escapement::http
