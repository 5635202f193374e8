#include <escapement/io/hosts_table.h>

#include <escapement/core/detail/ascii.h>

namespace escapement {

namespace {

std::string spelled(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return lower(host);
}

// Takes the next word off a line.
std::string_view next_word(std::string_view& line) {
  constexpr std::string_view space = " \t\r\v\f";
  const std::size_t begin = line.find_first_not_of(space);
  if (begin == line.npos) return line = {};
  const std::size_t end = std::min(line.find_first_of(space, begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

}  // namespace

HostsTable HostsTable::parse(std::string_view text) {
  HostsTable table;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    std::string_view word = next_word(line);
    word = word.substr(0, word.find('%'));  // the scope of a link-local address
    const std::optional<SocketAddress> address = SocketAddress::literal(word, 0);
    if (!address) continue;
    while (!(word = next_word(line)).empty()) table.add(word, *address);
  }
  return table;
}

void HostsTable::add(std::string_view host, const SocketAddress& address) {
  names_[spelled(host)].push_back(address);
}

const std::vector<SocketAddress>* HostsTable::find(std::string_view host) const {
  const auto at = names_.find(spelled(host));
  return at == names_.end() ? nullptr : &at->second;
}

}  // namespace escapement
