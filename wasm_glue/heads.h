// Fields as text lines, as they cross the ABI, and fields that stay with the host until they are asked for.

#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <escapement/io/http/message.h>

namespace escapement::wasm {

// Removes the first line of `text` and returns it.
std::string_view take_line(std::string_view& text);

// Writes field lines without framing, which is the host's. Content-Length stays `with_length`, for the host
// to use. The message was checked before (io/http/h1/writer.h).
void append_fields(std::string& to, const http::Headers& headers, bool with_length);

// The Content-Length of a received message; nullopt without a valid one.
std::optional<std::uint64_t> stated_length(const http::Headers& headers);

// The fields that the host holds under a number: they cross when somebody asks for them. They may outlive
// what has the number, its owner, which then has them kept.
class HostFields final : public http::Headers::Loader {
 public:
  // Sets `owners` to this as long as it lives and has not been told to `keep`. Keeps `owner`, if any, that
  // long.
  HostFields(int id, HostFields*& owners, int status = 0, std::shared_ptr<void> owner = nullptr)
      : id_(id), status_(status), owners_(&owners), owner_(std::move(owner)) {
    owners = this;
  }
  HostFields(const HostFields&) = delete;
  ~HostFields() override { forget_owner(); }

  // Returns the number under which the host has them.
  int id() const { return id_; }
  // Returns the status of the response that they came with; 0: they are those of a request.
  int status() const { return status_; }
  // Takes all of them over now, because the host is about to forget them.
  void keep();

  std::vector<http::Headers::Field> all() override;
  const std::string* get(std::string_view name) override;

 private:
  void forget_owner();
  // The lines of all, or the value of one; nullopt: none.
  std::optional<std::string> ask(std::string_view name) const;

  int id_;
  int status_;
  HostFields** owners_;
  std::shared_ptr<void> owner_;
  std::optional<std::vector<http::Headers::Field>> kept_;
  std::list<http::Headers::Field> asked_;  // what was asked for by name
};

}  // namespace escapement::wasm
