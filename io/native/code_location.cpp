#include <escapement/io/native/code_location.h>

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>

namespace escapement {

std::string code_location(const void* address) {
  Dl_info found{};
  if (::dladdr(address, &found) == 0 || found.dli_fname == nullptr) return "unknown code";
  char offset[32];
  const std::uintptr_t from_base =
      reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(found.dli_fbase);
  std::snprintf(offset, sizeof offset, "+0x%llx", static_cast<unsigned long long>(from_base));
  return found.dli_fname + std::string(offset);
}

}  // namespace escapement
