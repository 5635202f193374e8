// The load programs' command lines: PORT, flags, and options with a value.

#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace bench {

// `flag(name)` says whether it took a name that stands alone, `option(name, value)` whether it took the two.
// False when something was taken by neither, or there is no port.
template <class Flag, class Option>
bool read_arguments(int argc, char** argv, std::uint16_t& port, Flag flag, Option option) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (flag(name)) continue;
    if (!name.starts_with("--") && port == 0) {
      port = static_cast<std::uint16_t>(std::atoi(argv[i]));
    } else if (++i == argc || !option(name, argv[i])) {
      return false;
    }
  }
  return port != 0;
}

}  // namespace bench
