// @NAME@ URL: prints what is there.

#include <cstdio>

#include <escapement/io/native/loop.h>

#include "app.h"

using namespace escapement;

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s URL\n", arguments[0]);
    return 2;
  }
  Loop loop;
  const Result<std::string> text = loop.run(fetch(loop.network(), arguments[1]));
  if (!text) {
    std::fprintf(stderr, "@NAME@: %s\n", to_string(text.error()).c_str());
    return 1;
  }
  std::fputs(text->c_str(), stdout);
}
