// The clients that talk to the server of a lifecycle game, by bytes or by a Client, and an origin that
// answers badly.

#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "fuzz/lifecycle_answers.h"
#include "fuzz/lifecycle_world.h"

namespace escapement::test {

namespace {

constexpr std::size_t received_max = 2 * MiB;

// A player that is not done yet.
class Active {
 public:
  explicit Active(LifecycleWorld& world) : world_(world), alive_(world.alive) { ++world_.active; }
  Active(const Active&) = delete;
  ~Active() { done(); }
  void done() {
    if (std::exchange(active_, false)) --world_.active;
  }

 private:
  LifecycleWorld& world_;
  Alive alive_;
  bool active_ = true;
};

template <std::size_t N>
std::string_view one_of(const std::string_view (&all)[N], Random& random) {
  return all[random.up_to(N - 1)];
}

std::string_view path(LifecycleWorld& world, Random& random) {
  static constexpr std::string_view calm[] = {"/now", "/sleep", "/read", "/stream", "/hints", "/big"};
  static constexpr std::string_view wild[] = {"/now",   "/sleep",  "/read",    "/stream",   "/hints",
                                              "/big",   "/fail",   "/throw",   "/reset",    "/part",
                                              "/never", "/breaks", "/upgrade", "/gives-up", "/shutdown"};
  return world.calm ? one_of(calm, random) : one_of(wild, random);
}

std::string chunks(Random& random) {
  std::string body;
  for (std::uint64_t i = random.up_to(4); i > 0; --i) body += "4;e=1\r\nabcd\r\n";
  return body + (random.one_in(2) ? "0\r\n\r\n" : "0\r\nX-Trailer: t\r\n\r\n");
}

// The bytes that a client sends, and what a reader of the answers has to know of it.
struct Script {
  std::string bytes;
  std::vector<bool> heads;  // of each request: whether it is HEAD
};

void add_request(Script& script, LifecycleWorld& world, Random& random, bool last) {
  std::string target(path(world, random));
  if (!last && random.one_in(6)) target = "/inside";  // the requests after it come in an upgraded connection
  const bool upgrades = target == "/upgrade" || target == "/inside";
  const bool head = !upgrades && random.one_in(6);
  // Without keep-alive it is the last that is answered.
  const bool old = !upgrades && last && random.one_in(4);
  std::string text = (head ? "HEAD " : "POST ") + target + (old ? " HTTP/1.0" : " HTTP/1.1") +
                     "\r\nHost: a.test\r\nX-Id: " + std::to_string(script.heads.size()) + "\r\n";
  if (upgrades) text += "Connection: upgrade\r\nUpgrade: echo, http\r\n";
  if (old && !world.calm && random.one_in(2)) text += "Connection: keep-alive\r\n";
  if (last && world.calm && !old) text += "Connection: close\r\n";
  if (!head && random.one_in(3)) text += "Expect: 100-continue\r\n";
  if (head) {
    text += "\r\n";
  } else if (!old && random.one_in(2)) {
    text += "Transfer-Encoding: chunked\r\n\r\n" + chunks(random);
  } else {
    const std::size_t length = random.one_in(4) ? 100'000 : static_cast<std::size_t>(random.up_to(50));
    text += "Content-Length: " + std::to_string(length) + "\r\n\r\n" + std::string(length, 'b');
  }
  script.bytes += text;
  script.heads.push_back(head);
}

Script make_script(LifecycleWorld& world, Random& random) {
  Script script;
  const std::uint64_t requests = 1 + random.up_to(3);
  for (std::uint64_t i = 0; i < requests; ++i) add_request(script, world, random, i + 1 == requests);
  if (world.calm) return script;
  if (random.one_in(3)) script.bytes.resize(static_cast<std::size_t>(random.up_to(script.bytes.size())));
  if (random.one_in(6)) script.bytes += "no request at all\r\n\r\n";
  return script;
}

// Whole, in few pieces, or byte by byte at the beginning.
Task<> send(Stream& stream, std::string_view bytes, Random& random) {
  const std::uint64_t most = random.one_in(3) ? bytes.size() : random.one_in(3) ? 3 : 2000;
  for (int pieces = 0; !bytes.empty(); ++pieces) {
    const std::uint64_t drawn = pieces < 60 ? 1 + random.up_to(most) : bytes.size();
    const std::string_view piece = bytes.substr(0, static_cast<std::size_t>(drawn));
    co_await stream.write(as_bytes(piece));
    bytes.remove_prefix(piece.size());
    co_await pause(random);
  }
}

struct Received {
  std::string bytes;
  bool ended = false;    // and cleanly
  bool stopped = false;  // not to be told: read no further
};

Task<> receive(LifecycleWorld& world, Stream& stream, Received& received, std::uint64_t seed) {
  Random random(seed);
  const bool late = !world.calm && random.one_in(4);
  const bool stops = !world.calm && random.one_in(4);
  const std::size_t most = stops ? static_cast<std::size_t>(random.up_to(5000)) : received_max;
  if (late) co_await sleep(Duration(1ms) * static_cast<std::int64_t>(random.up_to(20)));
  std::string room(static_cast<std::size_t>(1 + random.up_to(20'000)), '\0');
  while (received.bytes.size() < most) {
    const std::size_t count =
        co_await stream.read(MutableBytes(reinterpret_cast<std::byte*>(room.data()), room.size()));
    received.ended = count == 0;
    if (count == 0) co_return;
    received.bytes.append(room, 0, count);
  }
  received.stopped = true;
}

void check(LifecycleWorld& world, const Received& received, const Script& script) {
  const AnswersRead read = read_answers(received.bytes, script.heads);
  if (!read.wrong.empty()) world.found(read.wrong);
  if (received.ended && !read.whole) {
    const std::size_t tail = std::min<std::size_t>(received.bytes.size(), 100);
    world.found("half an answer and a clean end: ..." + received.bytes.substr(received.bytes.size() - tail));
  }
  if (!world.calm) return;
  if (!received.ended || read.answers != script.heads.size()) {
    world.found(std::to_string(read.answers) + " answers to " + std::to_string(script.heads.size()) +
                " requests in a calm game" + (received.ended ? "" : ", and no clean end"));
  }
}

// Sends bytes that are neither HTTP nor TLS: a single byte, part of a record, a word.
Task<> speak_nonsense(Stream& stream, Random& random) {
  static constexpr std::string_view words[] = {
      "\x17", std::string_view("\x16\x03\x01\x40", 4), "G", "GET /", "\r\n", "PRI * HTTP/2.0\r\n\r\n"};
  const std::string_view word = one_of(words, random);
  co_await stream.write(as_bytes(word));
  co_await pause(random);
}

enum class Leaving { silent, closes, resets, half_closes, nonsense, nonsense_below };

// Continues a client after its script. Returns true if it is to close now.
Task<bool> leave(Stream& stream, Stream& under, Random& random) {
  switch (static_cast<Leaving>(random.up_to(5))) {
    case Leaving::silent: co_return false;
    case Leaving::closes: co_return true;
    case Leaving::resets: under.reset_on_close(); co_return true;
    case Leaving::half_closes: co_await stream.shutdown_write(); co_return false;
    case Leaving::nonsense: co_await speak_nonsense(stream, random); co_return false;
    case Leaving::nonsense_below: break;
  }
  co_await speak_nonsense(under, random);
  co_return false;
}

Task<> talk(LifecycleWorld& world, Stream& stream, Stream& under, const Script& script, Random& random) {
  co_await send(stream, script.bytes, random);
  if (world.calm) {
    co_await world.over.wait();
    co_return;
  }
  co_await pause(random);
  const bool closes = co_await leave(stream, under, random);
  if (closes) co_await Error(Errc::cancelled, "leaves");
}

}  // namespace

Task<> pause(Random& random) {
  const std::uint64_t drawn = random.up_to(9);
  if (drawn < 2) co_await yield();
  if (drawn == 2) co_await sleep(Duration(100us) * static_cast<std::int64_t>(random.up_to(40)));
}

Task<> raw_client(LifecycleWorld& world, std::uint64_t seed) {
  Active active(world);
  Random random(seed);
  co_await sleep(Duration(100us) * static_cast<std::int64_t>(random.up_to(60)));
  const Script script = make_script(world, random);
  Received received;
  std::unique_ptr<Stream> stream = co_await world.network().connect("127.0.0.1", world.port);
  Stream& under = *stream;
  const bool encrypts = world.kind.tls && (world.calm || !random.one_in(8));
  if (encrypts) stream = co_await world.tls_client->connect(std::move(stream), "a.test");
  {
    Scope scope(world.reactor(), [](Error) {});
    JoinHandle<void> reading = scope.spawn_joinable(receive(world, *stream, received, random.next()));
    JoinHandle<void> talking = scope.spawn_joinable(talk(world, *stream, under, script, random));
    const bool reads_on = world.calm;
    if (reads_on) {
      Result<> read = co_await std::move(reading).join().result();
      if (!read) world.found("a calm game's client: " + to_string(read.error()));
    } else {
      Result<> talked = co_await std::move(talking).join().result();
      active.done();
      if (talked || talked.error() != Errc::cancelled) co_await world.over.wait();
    }
  }
  check(world, received, script);
}

namespace {

// `client` may go as soon as the call is made.
Task<> call(LifecycleWorld& world, std::unique_ptr<http::Client> client, std::uint64_t seed) {
  Random random(seed);
  const std::uint16_t port = !world.calm && random.one_in(2) ? world.origin_port : world.port;
  const bool encrypts = world.kind.tls && port == world.port;
  const std::string base =
      (encrypts ? "https" : "http") + std::string("://127.0.0.1:") + std::to_string(port);
  http::Url url = co_await http::Url::parse(base + std::string(path(world, random)));
  const bool head = random.one_in(5);
  http::Request request(head ? "HEAD" : random.one_in(2) ? "POST" : "GET", std::move(url));
  if (request.method == "POST") request.body = http::Body(std::string(random.one_in(3) ? 100'000 : 20, 'b'));
  Task<http::Response> calling = (*client)(std::move(request));
  if (random.one_in(3)) client.reset();
  http::Response response = co_await std::move(calling);
  if (world.calm && response.status != 200) world.found("a calm call: " + std::to_string(response.status));
  const std::uint64_t reads = world.calm ? 0 : random.up_to(3);
  if (reads == 1) co_return;
  if (reads == 2) {
    const std::string piece = co_await response.body.read();
    co_return;
  }
  const std::string length(response.headers.get_or("X-Length", ""));
  const std::string body = co_await response.body.text(1 * MiB);
  if (response.status != 200) co_return;
  if (body.find_first_not_of('x') != body.npos) world.found("a call got a foreign body");
  if (!head && !length.empty() && std::to_string(body.size()) != length)
    world.found("a call got half a body");
}

}  // namespace

Task<> caller(LifecycleWorld& world, std::uint64_t seed) {
  Active active(world);
  Random random(seed);
  for (std::uint64_t calls = 1 + random.up_to(4); calls > 0; --calls) {
    const bool waits = world.calm || random.one_in(2);
    const Duration limit =
        waits ? Duration(60s) : Duration(100us) * static_cast<std::int64_t>(random.up_to(80));
    if (!world.client) co_return;
    auto client = std::make_unique<http::Client>(*world.client);
    Task<> calling = call(world, std::move(client), random.next());
    Result<> called = co_await with_timeout(limit, std::move(calling)).result();
    if (!called && world.calm) world.found("a calm call: " + to_string(called.error()));
    co_await pause(random);
  }
}

namespace {

Task<> answer_badly(LifecycleWorld& world, std::unique_ptr<Stream> stream, std::uint64_t seed) {
  static constexpr std::string_view answers[] = {
      "HTTP/1.1 200 OK\r\nX-Length: 5\r\nContent-Length: 5\r\n\r\nxxxxx",
      "HTTP/1.1 200 OK\r\nX-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxx\r\n4\r\nxxxx\r\n0\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Length: 0\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nyyy",
      "HTTP/1.0 200 OK\r\n\r\nxxxx",
      "no answer at all\r\n\r\n"};
  Alive alive(world.alive);
  Random random(seed);
  std::string room(5000, '\0');
  for (int i = 0; i < 8; ++i) {
    const std::size_t count =
        co_await stream->read(MutableBytes(reinterpret_cast<std::byte*>(room.data()), room.size()));
    if (count == 0) break;
    const std::string_view whole = one_of(answers, random);
    const bool cuts = random.one_in(3);
    const std::string_view sent =
        whole.substr(0, cuts ? static_cast<std::size_t>(random.up_to(whole.size())) : whole.size());
    co_await send(*stream, sent, random);
    if (cuts && random.one_in(3)) stream->reset_on_close();
    if (cuts && random.one_in(2)) co_return;
  }
  if (random.one_in(2)) co_await world.over.wait();
}

}  // namespace

Task<> bad_origin(LifecycleWorld& world, std::unique_ptr<Listener> listener, std::uint64_t seed) {
  Random random(seed);
  Scope scope(world.reactor(), [](Error) {});
  for (;;) {
    Result<std::unique_ptr<Stream>> stream = co_await listener->accept().result();
    if (!stream) {
      co_await sleep(1ms);
    } else {
      scope.spawn(answer_badly(world, *std::move(stream), random.next()));
    }
  }
}

}  // namespace escapement::test
