// Standard input.

#include <cstdio>

#include <escapement/wasm_glue/runtime.h>

escapement::Task<std::string> go(std::string) { co_return std::to_string(std::getchar()); }

ESC_TASK(go)
