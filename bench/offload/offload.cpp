// offload of a function that does nothing, there and back.

#include <escapement/core/scope.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/native/offload.h>

#include "measure.h"

using namespace escapement;

int main(int count, char** arguments) {
  Loop loop;
  ThreadPool pool;
  const auto one_by_one = [&](int number) {
    Result<> ended = loop.run([&pool, number]() -> Task<> {
      for (int i = 0; i < number; ++i) co_await offload(pool, [] {});
    });
    ESC_CHECK(ended);
  };
  const auto many = [&](int number) {
    Result<> ended = loop.run([&pool, number]() -> Task<> {
      Scope scope(co_await this_reactor);
      int left = number;
      for (int i = 0; i < 64; ++i) {
        scope.spawn([&pool, &left]() -> Task<> {
          while (left-- > 0) co_await offload(pool, [] {});
        });
      }
      co_await scope.join();
    });
    ESC_CHECK(ended);
  };
  bench::measure(count, arguments, one_by_one, many);
}
