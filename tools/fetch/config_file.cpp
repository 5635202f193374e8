#include "tools/fetch/config_file.h"

#include <algorithm>
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

constexpr int depth_max = 10;  // of files that name files

// Walks over arguments and collects what they, and the files, stand for.
class Walk {
 public:
  explicit Walk(const TakesValue& takes_value) : takes_value_(takes_value) {}

  Result<> add(const std::vector<std::string>& arguments, int depth) {
    if (depth > depth_max) return Error(Errc::invalid_argument, "files that name files, more than 10 deep");
    for (std::size_t at = 0; at < arguments.size(); ++at) {
      const std::string& argument = arguments[at];
      if (argument == "--") {
        all.insert(all.end(), arguments.begin() + static_cast<std::ptrdiff_t>(at), arguments.end());
        break;
      }
      const bool has_next = at + 1 < arguments.size();
      const bool is_long = argument.starts_with("--");
      const std::size_t letter = is_long ? 0 : last_letter(argument);
      if (argument.starts_with("--config=")) {
        Result<> added = add_file(argument.substr(9), depth);
        if (!added) return added;
      } else if (argument == "--config" ? has_next : letter > 0 && argument[letter] == 'K') {
        if (letter > 1) all.push_back(argument.substr(0, letter));  // "-s" of "-sK"
        const bool apart = is_long || letter + 1 == argument.size();
        if (apart && !has_next) break;  // without a file: as good as none
        Result<> added = add_file(apart ? arguments[++at] : argument.substr(letter + 1), depth);
        if (!added) return added;
      } else {
        all.push_back(argument);
        const bool value_is_next =
            is_long ? takes_value_(argument)
                    : letter > 0 && letter + 1 == argument.size() && takes_value_({'-', argument[letter]});
        if (value_is_next && has_next) all.push_back(arguments[++at]);
      }
    }
    return {};
  }

  std::vector<std::string> all;

 private:
  // Returns where the letter stands that ends "-sfo" or "-sfoFILE"; 0: there is none.
  std::size_t last_letter(const std::string& argument) const {
    if (argument.size() < 2 || argument.front() != '-') return 0;
    std::size_t at = 1;
    while (at + 1 < argument.size() && !takes_value_({'-', argument[at]})) ++at;
    return at;
  }
  Result<> add_file(const std::string& name, int depth) {
    const Result<std::string> text = read_file(name);
    if (!text) return text.error();
    std::vector<std::string> lines;
    std::string_view rest = *text;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      add_line(rest.substr(0, end), lines);
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return add(lines, depth + 1);
  }

  const TakesValue& takes_value_;
};

}  // namespace

Result<std::vector<std::string>> with_config_files(std::vector<std::string> arguments,
                                                   const TakesValue& takes_value) {
  Walk walk(takes_value);
  Result<> added = walk.add(arguments, 0);
  if (!added) return std::move(added).error();
  return std::move(walk.all);
}

}  // namespace escapement
