// JsonValues: the values inside one JSON document, read one by one by their JSON Pointers: a Worker's
// variables of JSON, and the facts about a request.
//
//     JsonText config(R"({"limits": {"max": 5}, "names": ["a", "b"]})");
//     std::optional<double> most = config.number("/limits/max");      // 5
//     std::optional<std::string> second = config.text("/names/1");    // "b"
//     std::optional<std::string> limits = config.json("/limits");     // {"max": 5}
//
// Source: RFC 8259 (JSON), RFC 6901 (JSON Pointer)

#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace escapement {

// The value at a place of a document.
class JsonValue {
 public:
  // Makes the value of a string.
  static JsonValue of_text(std::string text) { return JsonValue(std::move(text), true); }
  // Makes a value of JSON text.
  static JsonValue of_json(std::string json) { return JsonValue(std::move(json), false); }

  std::string text;  // a string's characters, as UTF-8; for all others their JSON
  bool is_text;      // it is a string

 private:
  JsonValue(std::string t, bool is) : text(std::move(t)), is_text(is) {}
};

// Each place is a JSON Pointer: "/limits/max"; "" is the whole document. "~1" stands for a slash in a name,
// "~0" for a tilde. A place that the document lacks, and a value of another type, is nullopt.
class JsonValues {
 public:
  virtual ~JsonValues() = default;

  // Returns what stands at `place`.
  virtual std::optional<JsonValue> at(std::string_view place) const = 0;

  // Return a string, a number, a boolean.
  std::optional<std::string> text(std::string_view place) const;
  std::optional<double> number(std::string_view place) const;
  std::optional<bool> boolean(std::string_view place) const;
  // Returns the JSON text of any value.
  std::optional<std::string> json(std::string_view place) const;
};

// JsonValues of a text, for native programs, simulations and JSON that has come in a body. Each access reads
// the text from its start. Text that is no JSON has no values from the fault on.
class JsonText final : public JsonValues {
 public:
  explicit JsonText(std::string json) : json_(std::move(json)) {}
  std::optional<JsonValue> at(std::string_view place) const override;

 private:
  std::string json_;
};

// Returns `text` as a JSON string, in quotes.
std::string json_string(std::string_view text);

}  // namespace escapement
