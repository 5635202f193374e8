// The system's calls by hand.

#include <sys/socket.h>

#include <escapement/wasm_glue/runtime.h>

escapement::Task<std::string> go(std::string) { co_return std::to_string(socket(AF_INET, SOCK_STREAM, 0)); }

ESC_TASK(go)
