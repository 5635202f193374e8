#include <escapement/middleware/server/forward.h>

#include <utility>
#include <vector>

#include <escapement/middleware/server/peer_address.h>

namespace escapement::http {

namespace {

constexpr const char* connection_fields[] = {
    "Connection", "Keep-Alive",        "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
    "TE",         "Transfer-Encoding", "Upgrade",          "HTTP2-Settings"};

// Returns the items of a comma-separated list, without white space.
std::vector<std::string> items(std::string_view list) {
  std::vector<std::string> found;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view item = without_white_space(list.substr(0, comma));
    if (!item.empty()) found.emplace_back(item);
    list = comma == list.npos ? std::string_view() : list.substr(comma + 1);
  }
  return found;
}

// Sets the field to `value`, behind its present values if those are trusted.
void append(Headers& headers, const char* name, const std::string& value, bool trusted) {
  const std::optional<std::string> before = trusted ? headers.joined(name) : std::nullopt;
  headers.set(name, before ? *before + ", " + value : value);
}

}  // namespace

void remove_connection_fields(Headers& headers) {
  const std::optional<std::string> named = headers.joined("Connection");
  if (named) {
    for (const std::string& name : items(*named)) headers.remove(name);
  }
  for (const char* name : connection_fields) headers.remove(name);
}

Result<Request> forward(Request received, const Url& upstream, const ForwardOptions& options) {
  std::string prefix = upstream.path();
  if (prefix.ends_with('/')) prefix.pop_back();
  Result<Url> url = Url::parse(upstream.origin() + prefix + received.url.target());
  if (!url || received.target == "*") {
    return Error(Errc::invalid_argument, "forward " + received.url.without_credentials() + " to " +
                                             upstream.without_credentials() + ": there is no such URL");
  }
  Headers headers = std::move(received.headers);
  remove_connection_fields(headers);
  headers.remove("Host");
  headers.remove("Expect");
  const bool trusted = options.trust_forwarded;
  const std::string client = peer_address(received);
  if (!client.empty()) append(headers, "X-Forwarded-For", client, trusted);
  if (client.empty() && !trusted) headers.remove("X-Forwarded-For");
  if (!trusted || !headers.has("X-Forwarded-Proto")) headers.set("X-Forwarded-Proto", received.url.scheme());
  if (!trusted || !headers.has("X-Forwarded-Host")) headers.set("X-Forwarded-Host", received.url.authority());
  if (!options.via.empty()) {
    append(headers, "Via", (received.minor_version == 0 ? "1.0 " : "1.1 ") + options.via, true);
  }
  Request request(received.method, *std::move(url), std::move(headers), std::move(received.body));
  request.deadline = received.deadline;
  request.progress = received.progress;
  return request;
}

}  // namespace escapement::http
