#include <escapement/wasm_glue/host_json.h>

#include <escapement/wasm_glue/detail/packed.h>

extern "C" {
// A list: the variable, empty for the request's cf, and the place. Writes 't' and a string, or 'j' and JSON,
// to `to` if it is no longer than `room`. Returns its length, -1: there is no such value.
[[clang::import_module("escapement_json"), clang::import_name("at")]]
int esc_json_at(const char* arguments, std::size_t length, char* to, std::size_t room);
}

namespace escapement::wasm {

std::optional<JsonValue> HostJson::at(std::string_view place) const {
  Packed arguments;
  if (of_request_) {
    arguments.add_absent();
  } else {
    arguments.add(variable_);
  }
  arguments.add(place);
  std::string value(128, '\0');
  for (;;) {
    const int length = esc_json_at(arguments.data(), arguments.size(), value.data(), value.size());
    if (length < 1) return std::nullopt;
    const bool whole = static_cast<std::size_t>(length) <= value.size();
    value.resize(static_cast<std::size_t>(length));
    if (!whole) continue;
    const bool is_text = value.front() == 't';
    value.erase(0, 1);
    return is_text ? JsonValue::of_text(std::move(value)) : JsonValue::of_json(std::move(value));
  }
}

}  // namespace escapement::wasm
