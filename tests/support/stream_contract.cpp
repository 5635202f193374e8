#include "support/stream_contract.h"

#include <algorithm>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/random.h>
#include <escapement/core/scope.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

#include "support/read_and_write.h"

namespace escapement::test {
namespace {

Task<> bytes_arrive_complete_and_in_order(StreamWorld& world) {
  for (const std::size_t length : {0, 1, 2, 3, 255, 4096, 65'537, 200'000}) {
    StreamPair pair = co_await world.open();
    const std::string sent = sample(length);
    std::tuple<std::monostate, std::string> done =
        co_await all(write_all(*pair.first, sent), read_all(*pair.second));
    CHECK((std::get<1>(done) == sent));
  }
}

Task<> an_empty_write_finishes(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  co_await pair.first->write(Bytes());
  co_await pair.first->write(as_bytes("x"));
  std::string got = co_await read_exactly(*pair.second, 1);
  CHECK(got == "x");
}

Task<> after_half_close_the_other_direction_goes_on(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  co_await pair.first->write(as_bytes("question"));
  co_await pair.first->shutdown_write();
  std::string question = co_await read_all(*pair.second);
  CHECK(question == "question");
  const std::string answer = sample(20'000);
  std::tuple<std::monostate, std::string> done =
      co_await all(write_all(*pair.second, answer), read_all(*pair.first));
  CHECK((std::get<1>(done) == answer));
}

Task<> writing_after_half_close_fails(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  co_await pair.first->shutdown_write();
  Result<> written = co_await pair.first->write(as_bytes("late")).result();
  CHECK((!written && written.error() == Errc::reset));
}

Task<> the_end_is_for_ever(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  co_await pair.first->shutdown_write();
  std::string room(10, '\0');
  for (int i = 0; i < 3; ++i) {
    const std::size_t count = co_await pair.second->read(as_room(room));
    CHECK(count == 0);
  }
}

// A read awaited by a coroutine, where with_timeout would make a task of it.
Task<std::size_t> awaited_read(Stream& stream, MutableBytes into) { co_return co_await stream.read(into); }

Task<> an_operation_that_is_not_awaited_does_nothing(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  {
    Writing unsent = pair.first->write(as_bytes("never sent"));
    Task<> unsent_task = pair.first->write(as_bytes("neither"));
  }
  co_await pair.first->write(as_bytes("sent"));
  co_await sleep(100ms);
  std::string room(10, '\0');
  {
    Reading unread = pair.second->read(as_room(room));
    Task<std::size_t> unread_task = pair.second->read(as_room(room));
  }
  std::string got = co_await read_exactly(*pair.second, 4);
  CHECK(got == "sent");
}

Task<> operations_are_tasks_where_tasks_are_wanted(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  Scope scope(co_await this_reactor);
  std::string room(1, '\0');
  std::string other(1, '\0');
  for (int i = 0; i < 3; ++i) {
    scope.spawn(pair.first->write(as_bytes("x")));
    std::size_t count = co_await with_timeout(1h, pair.second->read(as_room(room)));
    CHECK(count == 1);
    std::tuple<std::size_t, std::monostate> both =
        co_await all(pair.first->read(as_room(other)), pair.second->write(as_bytes("y")));
    CHECK(std::get<0>(both) == 1);
    auto late = []() -> Task<std::size_t> {
      co_await sleep(1h);
      co_return std::size_t{7};
    };
    JoinHandle<std::size_t> reading = scope.spawn_joinable(pair.first->read(as_room(other)));
    JoinHandle<void> writing = scope.spawn_joinable(pair.first->write(as_bytes("z")));
    std::size_t first = co_await race(pair.second->read(as_room(room)), late());
    CHECK(first == 1);
    co_await std::move(writing).join();
    CHECK(!reading.finished());
    reading.cancel();
    CHECK(room + other == "zy");
  }
}

// A task that always finds bytes, or room, lets others run.
Task<> who_never_waits_lets_others_run(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  auto count_turns = [](int& turns) -> Task<> {
    for (; turns < 3; ++turns) co_await yield();  // for ever would stop a simulation's time
  };
  int turns = 0;
  Scope scope(co_await this_reactor);
  scope.spawn(count_turns(turns));
  auto exchange = [](StreamPair& pair) -> Task<> {
    std::string room(1, '\0');
    for (int i = 0; i < 100; ++i) {
      Result<> written = co_await pair.first->write(as_bytes("x")).result();
      CHECK(written);
      co_await pair.second->read(as_room(room));
    }
  };
  co_await exchange(pair);
  CHECK(turns == 3);
}

Task<> cancelling_reads_loses_no_bytes(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  Scope scope(co_await this_reactor);
  const std::string sent = sample(9000);
  scope.spawn(write_all(*pair.first, sent));
  std::string got;
  std::string room(700, '\0');
  Random random(7);
  for (;;) {
    const Duration limit = random.one_in(2) ? Duration() : Duration(Duration(10us) * (1 + random.up_to(500)));
    Task<std::size_t> reading = pair.second->read(as_room(room));
    if (random.one_in(2)) reading = awaited_read(*pair.second, as_room(room));
    Result<std::size_t> count = co_await with_timeout(limit, std::move(reading)).result();
    if (!count) {
      CHECK(count.error() == Errc::timed_out);
      continue;
    }
    if (*count == 0) break;
    got.append(room, 0, *count);
  }
  CHECK((got == sent));
}

// A reader sees the bytes that came for it, though others read into the same memory.
Task<> readers_may_share_their_memory(StreamWorld& world) {
  constexpr std::size_t readers = 5, length = 30'000;
  std::vector<StreamPair> pairs;
  for (std::size_t i = 0; i < readers; ++i) {
    StreamPair pair = co_await world.open();
    pairs.push_back(std::move(pair));
  }
  auto write = [](Stream& stream, char letter) -> Task<> {
    const std::string piece(257, letter);
    for (std::size_t sent = 0; sent < length; sent += piece.size()) {
      co_await stream.write(as_bytes(piece));
      if (sent % 5 == 0) co_await yield();
    }
    co_await stream.shutdown_write();
  };
  auto read = [](Stream& stream, char letter, std::string& room) -> Task<std::size_t> {
    std::size_t wrong = 0;
    for (;;) {
      const std::size_t count = co_await stream.read(as_room(room));
      if (count == 0) co_return wrong;
      wrong += count - static_cast<std::size_t>(std::count(room.begin(), room.begin() + count, letter));
    }
  };
  std::string room(1000, '\0');
  Scope scope(co_await this_reactor);
  std::vector<JoinHandle<std::size_t>> reading;
  for (std::size_t i = 0; i < readers; ++i) {
    const char letter = static_cast<char>('a' + i);
    reading.push_back(scope.spawn_joinable(read(*pairs[i].second, letter, room)));
    scope.spawn(write(*pairs[i].first, letter));
  }
  for (JoinHandle<std::size_t>& one : reading) {
    const std::size_t wrong = co_await std::move(one).join();
    CHECK(wrong == 0);
  }
}

Task<> a_write_waits_for_the_reader(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  const std::string sent(32 * MiB, 'x');
  Result<> written = co_await with_timeout(50ms, pair.first->write(as_bytes(sent))).result();
  CHECK((!written && written.error() == Errc::timed_out));
}

Task<> a_cancelled_write_has_sent_the_beginning(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  const std::string sent = sample(9 * MiB);
  Result<> written = co_await with_timeout(20ms, pair.first->write(as_bytes(sent))).result();
  CHECK((!written && written.error() == Errc::timed_out));
  pair.first.reset();
  std::string got = co_await read_what_comes(*pair.second);
  CHECK(got.size() <= sent.size());
  CHECK((sent.compare(0, got.size(), got) == 0));
}

Task<> destroying_ends_the_peers_read(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  Scope scope(co_await this_reactor);
  JoinHandle<std::string> reading = scope.spawn_joinable(read_what_comes(*pair.second));
  co_await sleep(1ms);
  CHECK(!reading.finished());
  pair.first.reset();
  std::string got = co_await std::move(reading).join();
  CHECK(got.empty());
}

Task<> what_was_written_before_the_close_arrives(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  co_await pair.first->write(as_bytes("last words"));
  pair.first.reset();
  std::string got = co_await read_all(*pair.second);
  CHECK(got == "last words");
}

Task<> what_is_reset_on_purpose_does_not_look_finished(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  co_await pair.first->write(as_bytes("x"));
  std::string got = co_await read_exactly(*pair.second, 1);
  pair.first->reset_on_close();
  pair.first.reset();
  Result<std::string> rest = co_await read_all(*pair.second).result();
  CHECK((!rest && rest.error() == Errc::reset));
}

Task<> writing_to_a_destroyed_peer_fails(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  pair.second.reset();
  for (int i = 0; i < 1000; ++i) {
    Result<> written = co_await pair.first->write(as_bytes("is anybody there?")).result();
    if (!written) {
      CHECK(written.error() == Errc::reset);
      co_return;
    }
    co_await sleep(1ms);
  }
  CHECK(false);
}

Task<> a_waiting_write_fails_when_the_peer_is_destroyed(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  Scope scope(co_await this_reactor);
  const std::string sent(32 * MiB, 'x');
  JoinHandle<void> writing = scope.spawn_joinable(pair.first->write(as_bytes(sent)));
  co_await sleep(20ms);
  CHECK(!writing.finished());
  pair.second.reset();
  Result<> written = co_await std::move(writing).join().result();
  CHECK((!written && written.error() == Errc::reset));
}

Task<> both_directions_at_once(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  const std::string there = sample(150'000);
  const std::string back = sample(99'999);
  std::tuple<std::monostate, std::monostate, std::string, std::string> done =
      co_await all(write_all(*pair.first, there), write_all(*pair.second, back), read_all(*pair.second),
                   read_all(*pair.first));
  CHECK((std::get<2>(done) == there));
  CHECK((std::get<3>(done) == back));
}

Task<bool> becomes_readable_or_closed(Stream& stream) {
  for (int i = 0; i < 1000; ++i) {
    if (stream.readable_or_closed()) co_return true;
    co_await sleep(1ms);
  }
  co_return false;
}

Task<> an_idle_stream_knows_whether_it_is_usable(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  co_await sleep(2ms);
  CHECK(!pair.first->readable_or_closed());
  co_await pair.second->write(as_bytes("unasked"));
  bool noticed = co_await becomes_readable_or_closed(*pair.first);
  CHECK(noticed);
  std::string got = co_await read_exactly(*pair.first, 7);
  CHECK(got == "unasked");
  CHECK(!pair.first->readable_or_closed());
  pair.second.reset();
  noticed = co_await becomes_readable_or_closed(*pair.first);
  CHECK(noticed);
}

Task<> the_peer_has_a_name(StreamWorld& world) {
  StreamPair pair = co_await world.open();
  CHECK(!pair.first->peer().empty());
  CHECK(!pair.second->peer().empty());
}

struct Case {
  const char* name;
  Task<> (*body)(StreamWorld&);
  bool resets = false;
};

constexpr Case cases[] = {
    {"bytes arrive complete and in order", bytes_arrive_complete_and_in_order},
    {"an empty write finishes", an_empty_write_finishes},
    {"after a half-close the other direction goes on", after_half_close_the_other_direction_goes_on},
    {"writing after a half-close fails", writing_after_half_close_fails},
    {"the end is for ever", the_end_is_for_ever},
    {"an operation that is not awaited does nothing", an_operation_that_is_not_awaited_does_nothing},
    {"operations are tasks where tasks are wanted", operations_are_tasks_where_tasks_are_wanted},
    {"who never waits lets others run", who_never_waits_lets_others_run},
    {"cancelling reads loses no bytes", cancelling_reads_loses_no_bytes},
    {"readers may share their memory", readers_may_share_their_memory},
    {"a write waits for the reader", a_write_waits_for_the_reader},
    {"a cancelled write has sent the beginning", a_cancelled_write_has_sent_the_beginning},
    {"destroying ends the peer's read", destroying_ends_the_peers_read},
    {"what was written before the close arrives", what_was_written_before_the_close_arrives},
    {"what is reset on purpose does not look finished", what_is_reset_on_purpose_does_not_look_finished,
     true},
    {"writing to a destroyed peer fails", writing_to_a_destroyed_peer_fails},
    {"a waiting write fails when the peer is destroyed", a_waiting_write_fails_when_the_peer_is_destroyed},
    {"both directions at once", both_directions_at_once},
    {"an idle stream knows whether it is usable", an_idle_stream_knows_whether_it_is_usable},
    {"the peer has a name", the_peer_has_a_name},
};

}  // namespace

void check_stream_contract(const std::vector<StreamKind>& kinds) {
  for (const StreamKind& kind : kinds) {
    for (const Case& test : cases) {
      if (test.resets && !kind.can_reset) continue;
      INFO(kind.name << ": " << test.name);
      const std::unique_ptr<StreamWorld> world = kind.make();
      const Result<> outcome = world->reactor().run(test.body(*world));
      INFO((outcome ? "finished" : to_string(outcome.error())));
      CHECK(outcome);
    }
  }
}

}  // namespace escapement::test
