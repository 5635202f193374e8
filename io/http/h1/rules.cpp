#include <escapement/io/http/h1/rules.h>

#include <escapement/io/http/detail/characters.h>
#include <escapement/io/http/url.h>

namespace escapement::http::detail {

bool valid_host(std::string_view host) {
  const std::size_t bracket = host.starts_with('[') ? host.find(']') : 0;
  if (host.empty() || bracket == host.npos) return false;
  const std::size_t colon = host.find(':', bracket);
  if (bracket != 0 && bracket + 1 != std::min(colon, host.size())) return false;
  if (colon != host.npos && host.find_first_not_of("0123456789", colon + 1) != host.npos) return false;
  return host_characters.has_all(host);
}

const char* host_fault(const KnownFields& known, int minor_version) {
  if (known.hosts > 1) return "several Host fields";
  if (lacks_host(minor_version, known.hosts == 1)) return "HTTP/1.1 without Host";
  return known.hosts == 0 || valid_host(known.host) ? nullptr : "Host is not a host";
}

const char* framing_fault(const KnownFields& known, int minor_version) {
  if (known.has_transfer_encoding && known.content_lengths > 0)
    return "both Transfer-Encoding and Content-Length";
  if (known.has_transfer_encoding && minor_version == 0) return "Transfer-Encoding in HTTP/1.0";
  return known.content_lengths > 1 ? "several Content-Length fields" : nullptr;
}

bool ends_with_chunked(std::string_view codings) {
  const std::size_t comma = codings.rfind(',');
  std::string_view last = comma == codings.npos ? codings : codings.substr(comma + 1);
  while (!last.empty() && last.front() == ' ') last.remove_prefix(1);
  return equal_ignoring_case(last, "chunked");
}

const char* target_fault(std::string_view target, std::string_view method) {
  const std::size_t query = std::min(target.find('?'), target.size());
  if (!target_characters.has_all(target.substr(0, query)) ||
      !target_characters.with('\\').has_all(target.substr(query))) {
    return "a character in the request target that must be encoded";
  }
  if (target == "*") return method == "OPTIONS" ? nullptr : "the target * belongs to OPTIONS";
  if (target.starts_with('/')) return nullptr;
  const Result<Url> url = Url::parse(target);
  if (url && url->userinfo().empty()) return nullptr;
  return "the request target is neither a path nor a URL without user information";
}

}  // namespace escapement::http::detail
