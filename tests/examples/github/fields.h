// Fields: reads the members of a JSON object that a server has sent.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <escapement/middleware/client/json.h>

namespace escapement::github {

using http::Json;

// Returns the member `name` of an object; null if `json` is no object or has no such member. It is not
// copied: a value of the peer's may be nested so deeply that copying it would overflow the stack.
const Json* find_member(const Json& json, const char* name);

// Reads members one by one and notes the first that is not as documented, so that one look at the end is
// enough. GitHub adds members at any time; those that nobody reads are not looked at.
//
//     Fields fields(json);
//     issue.number = fields.integer("number");
//     issue.body = fields.text_or_empty("body");
//     return fields.checked(std::move(issue));
class Fields {
 public:
  // Refers to `json`, which must outlive this. The fault is noted if it is no object.
  explicit Fields(const Json& json);

  // Return a member that must be there, and be of that type.
  std::string text(const char* name);
  std::int64_t integer(const char* name);
  // Return a member that may be absent or null: then empty, 0 or false. Of another type it is a fault.
  std::string text_or_empty(const char* name);
  std::int64_t integer_or_zero(const char* name);
  bool flag(const char* name);
  // Returns the text members `name` of the objects in a list, or the texts that it has in their place; empty
  // if there is no such list.
  std::vector<std::string> texts(const char* list, const char* name);
  // Returns the text member `name` of the object `object`; empty if either is not there.
  std::string text_in(const char* object, const char* name) const;
  // Returns whether there is such a member, of any type.
  bool has(const char* name) const { return find_member(json_, name) != nullptr; }

  // Returns `value`, or Errc::bad_message with the first fault.
  template <class T>
  Result<T> checked(T value) const {
    if (!fault_.empty()) return Error(Errc::bad_message, fault_);
    return value;
  }

 private:
  // Returns a member that is there and not null.
  const Json* present(const char* name) const;
  void note(const char* name, const char* type);

  const Json& json_;
  std::string fault_;
};

}  // namespace escapement::github
