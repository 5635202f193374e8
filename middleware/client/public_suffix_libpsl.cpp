#include <string>

#include <libpsl.h>

#include <escapement/middleware/client/public_suffix.h>

namespace escapement::http {

bool is_public_suffix(std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  const psl_ctx_t* const list = psl_builtin();
  return psl_is_public_suffix(list, std::string(domain).c_str()) != 0;
}

bool has_public_suffix_list() { return true; }

}  // namespace escapement::http
