// KnownFields: the fields of a received message that its framing, and the rules for it, depend on.

#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include <escapement/io/http/message.h>

namespace escapement::http::detail {

// Returns a number that tells the names that matter from nearly all others: their length, and how they begin.
constexpr unsigned field_sign(std::size_t size, char first) {
  return static_cast<unsigned>(size) << 8 | (static_cast<unsigned char>(first) | 0x20U);
}

// Compares with the usual spelling first, which is one comparison with a constant, then without case.
template <std::size_t size>
bool is_field(std::string_view name, const char (&known)[size]) {
  if (name.size() != size - 1) return false;
  return std::memcmp(name.data(), known, size - 1) == 0 || same_ignoring_case(name.data(), known, size - 1);
}

// Made in one pass over the fields that stand at `places` of `text`, both of which it refers to. Takes the
// white space off the end of each value.
struct KnownFields {
  KnownFields(std::string_view text, std::span<Headers::Place> places);

  // Returns the transfer codings: several Transfer-Encoding fields are one list.
  std::string codings() const;

  std::string_view text;
  std::span<const Headers::Place> places;
  std::string_view host, content_length, expect;  // the first of each
  int hosts = 0, content_lengths = 0;
  bool close = false, keep_alive = false, upgrade = false;  // in Connection
  bool has_transfer_encoding = false;                       // there is a Transfer-Encoding

 private:
  void see_connection(std::string_view value);
};

ESC_INLINE KnownFields::KnownFields(std::string_view t, std::span<Headers::Place> p) : text(t), places(p) {
  for (Headers::Place& place : p) {
    const char* const value = t.data() + place.value_at;
    std::uint32_t size = place.value_size;
    while (size > 0 && static_cast<unsigned char>(value[size - 1]) <= ' ') --size;  // space, or tab
    place.value_size = size;
    const std::string_view name = t.substr(place.name_at, place.name_size);
    switch (field_sign(place.name_size, t[place.name_at])) {
      case field_sign(4, 'h'):
        if (is_field(name, "Host") && hosts++ == 0) host = {value, size};
        break;
      case field_sign(6, 'e'):
        if (expect.empty() && is_field(name, "Expect")) expect = {value, size};
        break;
      case field_sign(10, 'c'):
        if (is_field(name, "Connection")) see_connection({value, size});
        break;
      case field_sign(14, 'c'):
        if (is_field(name, "Content-Length") && content_lengths++ == 0) content_length = {value, size};
        break;
      case field_sign(17, 't'):
        has_transfer_encoding = has_transfer_encoding || is_field(name, "Transfer-Encoding");
        break;
      default: break;
    }
  }
}

}  // namespace escapement::http::detail
