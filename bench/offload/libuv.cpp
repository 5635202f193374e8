// uv_queue_work of a function that does nothing, there and back.

#include <uv.h>

#include <vector>

#include "measure.h"

namespace {

struct Round {
  int left;
};

void work(uv_work_t*) {}

void after(uv_work_t* request, int status) {
  if (status != 0) std::abort();
  auto& round = *static_cast<Round*>(request->data);
  if (round.left-- > 0 && uv_queue_work(request->loop, request, work, after) != 0) std::abort();
}

void run(int number, std::size_t together) {
  uv_loop_t loop;
  if (uv_loop_init(&loop) != 0) std::abort();
  Round round{number};
  std::vector<uv_work_t> requests(together);
  for (uv_work_t& request : requests) {
    request.data = &round;
    if (round.left-- > 0 && uv_queue_work(&loop, &request, work, after) != 0) std::abort();
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&loop) != 0) std::abort();
}

}  // namespace

int main(int count, char** arguments) {
  bench::measure(count, arguments, [](int number) { run(number, 1); }, [](int number) { run(number, 64); });
}
