#include <nlohmann/json.hpp>

#include "tools/serve/fixture_service.h"

namespace escapement::demo {

namespace {

bool is_of_the_connection(const std::string& name) {
  for (const char* ours : {"connection", "content-length", "transfer-encoding", "content-encoding", "date"}) {
    if (equal_ignoring_case(name, ours)) return true;
  }
  return false;
}

std::string text_of(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Recording read_recording(const nlohmann::json& from) {
  Recording recording;
  const std::string method = from.value("method", "get");
  for (const char c : method) recording.method += static_cast<char>(c & ~0x20);
  recording.path = from.value("path", "/");
  recording.status = from.value("status", 200);
  recording.body = text_of(from.value("response", nlohmann::json()));
  const nlohmann::json headers = from.value("headers", nlohmann::json::object());
  for (const auto& [name, value] : headers.items()) {
    if (!is_of_the_connection(name)) recording.headers.add(name, text_of(value));
  }
  return recording;
}

}  // namespace

Result<std::vector<Recording>> read_recordings(std::string_view json) {
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, false);
  if (!parsed.is_array()) return Error(Errc::invalid_argument, "it is no list of recordings");
  std::vector<Recording> recordings;
  for (const nlohmann::json& entry : parsed) recordings.push_back(read_recording(entry));
  return recordings;
}

}  // namespace escapement::demo
