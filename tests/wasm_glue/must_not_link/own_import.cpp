// A function that nobody defines.

#include <escapement/wasm_glue/runtime.h>

int somewhere_else(int number);

escapement::Task<std::string> go(std::string text) {
  co_return std::to_string(somewhere_else(static_cast<int>(text.size())));
}

ESC_TASK(go)
