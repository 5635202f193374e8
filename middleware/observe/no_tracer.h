// NoTracer: a Tracer that is left out when the program is compiled.

#pragma once

#include <utility>

#include <escapement/io/http/service.h>

namespace escapement::http {

// A layer that is not there: `layered` drops it when it is compiled, so it costs no byte, no call and no
// allocation. It takes the place of a Tracer in a build that is to have none.
class NoTracer {};

// The stack without it.
template <class... Rest>
  requires(sizeof...(Rest) > 0)
Service layered(NoTracer, Rest... rest) {
  return layered(std::move(rest)...);
}

// Returns `make()`, which makes a Tracer (or another layer), if `traced`; else a NoTracer, and nothing that
// `make` uses is in the program.
//
//     constexpr bool traced = MY_PROGRAM_TRACED;   // as the build says
//
//     const auto tracer = tracer_if<traced>([] { return Tracer(std::make_shared<SpanTree>(print)); });
//     const Service api = layered(tracer, Retry{}, tracer, client);
//
// tests/middleware/observe/no_tracer holds that such a program is no byte larger than one whose source has no
// tracer, and has no symbol of one.
template <bool traced, class Make>
auto tracer_if(Make make) {
  if constexpr (traced) {
    return make();
  } else {
    return NoTracer();
  }
}

}  // namespace escapement::http
