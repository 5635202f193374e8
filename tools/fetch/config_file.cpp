#include "tools/fetch/config_file.h"

#include <optional>
#include <string_view>

#include "tools/fetch/files.h"

namespace escapement {

namespace {

constexpr std::string_view white_space = " \t\r";

std::string unquoted(std::string_view text) {
  std::string value;
  for (std::size_t at = 1; at < text.size() && text[at] != '"'; ++at) {
    char c = text[at];
    if (c == '\\' && at + 1 < text.size()) {
      c = text[++at];
      c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
    }
    value += c;
  }
  return value;
}

void add_line(std::string_view line, std::vector<std::string>& to) {
  line.remove_prefix(std::min(line.find_first_not_of(white_space), line.size()));
  if (line.empty() || line.front() == '#') return;
  const std::size_t end = std::min(line.find_first_of(" \t\r=:"), line.size());
  std::string name(line.substr(0, end));
  if (!name.starts_with('-')) name.insert(0, name.size() == 1 ? "-" : "--");
  to.push_back(std::move(name));
  line.remove_prefix(end);
  line.remove_prefix(std::min(line.find_first_not_of(" \t\r=:"), line.size()));
  if (line.empty()) return;
  if (line.front() == '"') {
    to.push_back(unquoted(line));
    return;
  }
  to.emplace_back(line.substr(0, line.find_first_of(white_space)));
}

// The file that an argument names, alone or with the next one.
std::optional<std::string> config_file(const std::vector<std::string>& arguments, std::size_t& at) {
  const std::string& argument = arguments[at];
  if (argument.starts_with("--config=")) return argument.substr(9);
  if ((argument != "-K" && argument != "--config") || at + 1 == arguments.size()) return std::nullopt;
  return arguments[++at];
}

}  // namespace

Result<std::vector<std::string>> with_config_files(std::vector<std::string> arguments) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::optional<std::string> file = config_file(arguments, at);
    if (!file) {
      all.push_back(arguments[at]);
      continue;
    }
    const Result<std::string> text = read_file(*file);
    if (!text) return text.error();
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      add_line(rest.substr(0, end), all);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return all;
}

}  // namespace escapement
