#include <escapement/middleware/client/public_suffix.h>

namespace escapement::http {

bool is_public_suffix(std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  return domain.find('.') == std::string_view::npos;
}

bool has_public_suffix_list() { return false; }

}  // namespace escapement::http
