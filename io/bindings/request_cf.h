// RequestCf: what Cloudflare knows about a request (request.cf), read field by field.
//
//     RequestCf cf(wasm::host_cf());
//     if (cf.country() == "DE") ...
//     std::optional<double> score = cf.fields().number("/botManagement/score");
//
// In a Worker the fields are wasm::host_cf's (wasm_glue/host_json.h); natively and in simulations a JsonText
// gives them: RequestCf(JsonText(R"({"country": "DE"})")).
//
// Source: https://developers.cloudflare.com/workers/runtime-apis/request/#incomingrequestcfproperties

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <escapement/io/bindings/json_values.h>

namespace escapement {

// A field that the request lacks is nullopt. Nothing is copied before it is asked for.
class RequestCf {
 public:
  // Reads the fields of `values`, a JsonValues.
  template <class V>
    requires std::is_base_of_v<JsonValues, V>
  explicit RequestCf(V values) : values_(std::make_unique<V>(std::move(values))) {}

  // The place of the data centre that has received the request, as an airport's code: "FRA".
  std::optional<std::string> colo() const { return values_->text("/colo"); }
  // The client's place: country ("DE"; "T1": Tor), whether it is in the European Union, continent, region,
  // its code, city, postal code, time zone ("Europe/Berlin"), latitude and longitude in degrees.
  std::optional<std::string> country() const { return values_->text("/country"); }
  bool is_eu_country() const { return values_->text("/isEUCountry") == "1"; }
  std::optional<std::string> continent() const { return values_->text("/continent"); }
  std::optional<std::string> region() const { return values_->text("/region"); }
  std::optional<std::string> region_code() const { return values_->text("/regionCode"); }
  std::optional<std::string> city() const { return values_->text("/city"); }
  std::optional<std::string> postal_code() const { return values_->text("/postalCode"); }
  std::optional<std::string> timezone() const { return values_->text("/timezone"); }
  std::optional<double> latitude() const { return degrees("/latitude"); }
  std::optional<double> longitude() const { return degrees("/longitude"); }
  // The number and the organisation of the client's autonomous system.
  std::optional<std::int64_t> asn() const;
  std::optional<std::string> as_organization() const { return values_->text("/asOrganization"); }
  // The client's connection: "HTTP/2", "TLSv1.3", "AEAD-AES128-GCM-SHA256", its round trip over TCP.
  std::optional<std::string> http_protocol() const { return values_->text("/httpProtocol"); }
  std::optional<std::string> tls_version() const { return values_->text("/tlsVersion"); }
  std::optional<std::string> tls_cipher() const { return values_->text("/tlsCipher"); }
  std::optional<std::int64_t> tcp_round_trip_ms() const;

  // All fields, also those without a function here: JSON text for what is neither text nor a number.
  const JsonValues& fields() const { return *values_; }

 private:
  std::optional<double> degrees(std::string_view place) const;

  std::unique_ptr<const JsonValues> values_;
};

}  // namespace escapement
