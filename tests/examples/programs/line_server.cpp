// line_server HOST:PORT
#include "line_server.h"

#include <cstdio>

#include <escapement/core/broadcast.h>
#include <escapement/core/combine.h>
#include <escapement/core/event.h>
#include <escapement/core/scope.h>
#include <escapement/io/buffered_reader.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

struct Line {
  Line(const void* from, std::string content) : sender(from), text(std::move(content)) {}
  const void* sender;
  std::string text;
};
using Lines = Broadcast<Line>;

Task<> send_lines(Lines::Receiver& receiver, Stream& stream) {
  while (std::optional<Lines::Message> line = co_await receiver.receive()) {
    std::string text = line->missed() == 0 ? "" : "[" + std::to_string(line->missed()) + " lines missed]\n";
    if ((*line)->sender != &stream) text += (*line)->text + "\n";
    if (!text.empty()) co_await with_timeout(10s, stream.write(as_bytes(text)));
  }
}

Task<> receive_lines(Lines& lines, Stream& stream) {
  BufferedReader reader(stream);
  for (;;) {
    std::optional<std::string> line = co_await with_timeout(60s, reader.line(4 * KiB));
    if (!line) co_return;
    lines.send(Line(&stream, *std::move(line)));
  }
}

Task<> serve_client(Lines& lines, std::unique_ptr<Stream> stream, Semaphore::Permit) {
  Lines::Receiver receiver(lines);
  Result<> ended = co_await race(send_lines(receiver, *stream), receive_lines(lines, *stream)).result();
  if (ended || ended.error() == Errc::reset) co_return;
  const std::string reason = "[" + to_string(ended.error()) + "]\n";
  stream->write_now(as_bytes(reason));  // if there is room for it
}

}  // namespace

Task<> serve_lines(std::unique_ptr<Listener> listener) {
  Reactor& reactor = co_await this_reactor;
  Lines lines(256);
  Semaphore places(1000);
  Scope clients(reactor, nullptr);
  for (;;) {
    Semaphore::Permit place = co_await places.acquire();
    Result<std::unique_ptr<Stream>> stream = co_await listener->accept().result();
    if (stream) {
      clients.spawn(serve_client(lines, *std::move(stream), std::move(place)));
    } else {
      co_await sleep(100ms);  // a resource has run out: the next attempt may succeed
    }
  }
}

int main(int count, char** arguments) {
  Loop loop;
  const Result<> ended = loop.run([&]() -> Task<> {
    std::unique_ptr<Listener> listener = co_await loop.network().listen(count == 2 ? arguments[1] : "");
    std::printf("listening on %s\n", listener->address().c_str());
    std::fflush(stdout);
    co_await serve_lines(std::move(listener));
  });
  std::fprintf(stderr, "line_server: %s\n", to_string(ended.error()).c_str());
  return 1;
}
