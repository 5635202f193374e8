// The texts of permessage-deflate: offers and answers in Sec-WebSocket-Extensions (RFC 7692 section 7.1).

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace escapement::http::detail {

// One offer, or an answer.
struct DeflateOffer {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  std::optional<int> server_max_window_bits;  // 8 to 15
  std::optional<int> client_max_window_bits;  // 8 to 15
  bool client_window_may_shrink = false;      // client_max_window_bits without a value: only in an offer
  bool operator==(const DeflateOffer&) const = default;
};

// An extension of Sec-WebSocket-Extensions, by its name.
struct NamedExtension {
  std::string name;
  std::optional<DeflateOffer> offer;  // none: another extension, or parameters that RFC 7692 does not have
};

// Returns the extensions of a field's value, in their order; none if its syntax is broken (RFC 6455 section
// 9.1).
std::optional<std::vector<NamedExtension>> parse_extensions(std::string_view field);

// Returns the value of the field.
std::string deflate_text(const DeflateOffer& offer);

}  // namespace escapement::http::detail
