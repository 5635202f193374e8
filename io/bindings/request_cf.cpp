#include <escapement/io/bindings/request_cf.h>

#include <cstdlib>

namespace escapement {

namespace {

std::optional<std::int64_t> whole(std::optional<double> number) {
  if (!number || !(*number >= 0 && *number <= 9e15)) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

}  // namespace

std::optional<std::int64_t> RequestCf::asn() const { return whole(values_->number("/asn")); }

std::optional<std::int64_t> RequestCf::tcp_round_trip_ms() const {
  return whole(values_->number("/clientTcpRtt"));
}

// The host writes degrees as text: "52.52".
std::optional<double> RequestCf::degrees(std::string_view place) const {
  const std::optional<std::string> text = values_->text(place);
  if (!text) return values_->number(place);
  char* end = nullptr;
  const double number = std::strtod(text->c_str(), &end);
  if (text->empty() || *end != '\0') return std::nullopt;
  return number;
}

}  // namespace escapement
