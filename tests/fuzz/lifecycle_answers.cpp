#include "fuzz/lifecycle_answers.h"

#include <optional>

#include <escapement/core/detail/number.h>

namespace escapement::test {

namespace {

std::optional<std::string_view> field(std::string_view head, std::string_view name) {
  const std::string line = "\r\n" + std::string(name) + ": ";
  const std::size_t at = head.find(line);
  if (at == head.npos) return std::nullopt;
  const std::string_view rest = head.substr(at + line.size());
  return rest.substr(0, rest.find("\r\n"));
}

std::size_t number(std::string_view text, int base = 10) {
  return parse_number<std::size_t>(text, base).value_or(0);
}

// Takes `size` bytes of the content; false: they are not all there.
bool take(std::string_view& bytes, std::size_t size, std::string& content) {
  const bool all = bytes.size() >= size;
  content += bytes.substr(0, size);
  bytes.remove_prefix(all ? size : bytes.size());
  return all;
}

bool take_chunks(std::string_view& bytes, std::string& content) {
  for (;;) {
    const std::size_t end = bytes.find("\r\n");
    if (end == bytes.npos) return false;
    const std::size_t size = number(bytes.substr(0, end), 16);
    bytes.remove_prefix(end + 2);
    if (!take(bytes, size, content)) return false;
    if (!bytes.starts_with("\r\n")) return false;
    bytes.remove_prefix(2);
    if (size == 0) return true;
  }
}

bool take_body(std::string_view head, std::string_view& bytes, std::string& content) {
  if (field(head, "Transfer-Encoding") == "chunked") return take_chunks(bytes, content);
  if (const auto length = field(head, "Content-Length")) return take(bytes, number(*length), content);
  content += bytes;  // to the end of the connection, which only a client that saw that end can judge
  bytes = {};
  const auto length = field(head, "X-Length");
  return !length || number(*length) == content.size();
}

// One answer; false: the rest is not one whole answer.
bool take_answer(std::string_view& bytes, const std::vector<bool>& heads, AnswersRead& read) {
  const std::size_t end = bytes.find("\r\n\r\n");
  const std::string_view start = bytes.substr(0, 9);
  if (start != std::string_view("HTTP/1.1 ").substr(0, start.size())) read.wrong = "no answer: ";
  if (!read.wrong.empty() || end == bytes.npos) return false;
  const std::string_view head = bytes.substr(0, end + 2);
  const std::size_t status = number(head.substr(9, 3));
  bytes.remove_prefix(end + 4);
  const bool to_head = read.answers < heads.size() && heads[read.answers];
  if (status == 101) {
    ++read.answers;
    if (field(head, "Upgrade") != "http") bytes = {};  // another protocol from here on
  }
  if (status >= 100 && status < 200) return true;
  std::string content;
  // To HEAD, what the server refused before it knew the method may have a body.
  const bool none_to_head = to_head && (status == 200 || bytes.empty() || bytes.starts_with("HTTP/1.1 "));
  const bool bodiless = status == 204 || status == 304 || none_to_head;
  const bool whole = bodiless || take_body(head, bytes, content);
  if (const auto id = field(head, "X-Id"); id && number(*id) != read.answers) read.wrong = "another's answer";
  if (status == 200 && content.find_first_not_of('x') != content.npos) read.wrong = "a foreign body";
  const auto length = field(head, "X-Length");
  if (whole && length && !to_head && number(*length) != content.size())
    read.wrong = "half a body that looks whole";
  if (whole) ++read.answers;
  return whole;
}

}  // namespace

AnswersRead read_answers(std::string_view bytes, const std::vector<bool>& heads) {
  AnswersRead read;
  while (!bytes.empty() && read.wrong.empty() && read.whole) {
    const std::string_view before = bytes;
    read.whole = take_answer(bytes, heads, read);
    if (!read.wrong.empty()) read.wrong += ": " + std::string(before.substr(0, 200));
  }
  return read;
}

}  // namespace escapement::test
