#include "hello.h"

#ifdef PLUGIN
#include <dlfcn.h>

static int load_plugin() {
  void* plugin = ::dlopen(PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) {
    std::printf("%s\n", ::dlerror());
    return 1;
  }
  const auto say = reinterpret_cast<int (*)()>(::dlsym(plugin, "plugin_says_hello"));
  return say != nullptr ? say() : 1;
}
#else
static int load_plugin() { return 0; }
#endif

int main() { return say_hello() == 0 && load_plugin() == 0 ? 0 : 1; }
