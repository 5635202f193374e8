// KnownFields: what the framing of a received message, and the checks of it, need of its fields.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <escapement/io/http/message.h>

namespace escapement::http::detail {

// One pass over the fields that stand at `places` of `text`, both of which it refers to. Ends the values
// where the white space behind them begins.
struct KnownFields {
  KnownFields(std::string_view text, std::span<Headers::Place> places);

  // Whether the sender lets the connection live on (RFC 9112 section 9.3): "close" wins.
  bool keeps_alive(int minor_version) const { return !close && (minor_version == 1 || keep_alive); }
  // Several Transfer-Encoding fields are one list.
  std::string codings() const;

  std::string_view text;
  std::span<const Headers::Place> places;
  std::string_view host, content_length, expect;  // the first of each
  int hosts = 0, content_lengths = 0;
  bool close = false, keep_alive = false;  // in Connection
  bool coded = false;                      // there is a Transfer-Encoding

 private:
  void see_connection(std::string_view value);
};

// Whether Host may hold this: a name or an address in brackets, then perhaps a port. (An http URL without a
// host is none, so an empty Host is refused as well.)
bool valid_host(std::string_view host);

}  // namespace escapement::http::detail
