#include "github/fields.h"

#include <limits>

namespace escapement::github {

namespace {

bool fits(const Json& value) {
  if (!value.is_number_unsigned()) return value.is_number_integer();
  return value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()};
}

}  // namespace

const Json* find_member(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found == json.end() ? nullptr : &*found;
}

Fields::Fields(const Json& json) : json_(json) {
  if (!json.is_object()) fault_ = std::string("the response has a JSON ") + json.type_name() + ", no object";
}

const Json* Fields::present(const char* name) const {
  const Json* const member = find_member(json_, name);
  return member == nullptr || member->is_null() ? nullptr : member;
}

void Fields::note(const char* name, const char* type) {
  if (fault_.empty()) fault_ = std::string("the response has no ") + type + " '" + name + "'";
}

std::string Fields::text(const char* name) {
  if (present(name) == nullptr) note(name, "text");
  return text_or_empty(name);
}

std::int64_t Fields::integer(const char* name) {
  if (present(name) == nullptr) note(name, "number");
  return integer_or_zero(name);
}

std::string Fields::text_or_empty(const char* name) {
  const Json* const member = present(name);
  if (member == nullptr) return {};
  if (member->is_string()) return member->get<std::string>();
  note(name, "text");
  return {};
}

std::int64_t Fields::integer_or_zero(const char* name) {
  const Json* const member = present(name);
  if (member == nullptr) return 0;
  if (fits(*member)) return member->get<std::int64_t>();
  note(name, "number");
  return 0;
}

bool Fields::flag(const char* name) {
  const Json* const member = present(name);
  if (member == nullptr) return false;
  if (member->is_boolean()) return member->get<bool>();
  note(name, "flag");
  return false;
}

std::vector<std::string> Fields::texts(const char* list, const char* name) {
  std::vector<std::string> all;
  const Json* const member = present(list);
  if (member == nullptr) return all;
  if (!member->is_array()) note(list, "list");
  for (const Json& item : *member) {
    const Json* const text = item.is_string() ? &item : find_member(item, name);
    if (text != nullptr && text->is_string()) all.push_back(text->get<std::string>());
  }
  return all;
}

std::string Fields::text_in(const char* object, const char* name) const {
  const Json* const outer = find_member(json_, object);
  const Json* const inner = outer == nullptr ? nullptr : find_member(*outer, name);
  return inner != nullptr && inner->is_string() ? inner->get<std::string>() : std::string();
}

}  // namespace escapement::github
