// Tasks that wait for each other: the examples of docs/synchronisation.md.

#include <cstdio>
#include <string>
#include <vector>

#include <escapement/core/barrier.h>
#include <escapement/core/broadcast.h>
#include <escapement/core/channel.h>
#include <escapement/core/combine.h>
#include <escapement/core/condition.h>
#include <escapement/core/guarded.h>
#include <escapement/core/latch.h>
#include <escapement/core/one_shot.h>
#include <escapement/core/scope.h>
#include <escapement/core/task_local.h>
#include <escapement/core/watch.h>
#include <escapement/io/native/loop.h>
#include <escapement/timers/delay.h>
#include <escapement/timers/sleep.h>
#include <escapement/timers/timeout.h>

using namespace escapement;

namespace {

// [channel]
Task<> worker(Channel<std::string>& jobs, int& done) {
  while (std::optional<std::string> job = co_await jobs.receive()) {
    co_await sleep(1ms);  // works on *job
    ++done;
  }
}

Task<int> work_through(int count) {
  Reactor& reactor = co_await this_reactor;
  Channel<std::string> jobs(4);
  int done = 0;
  Scope workers(reactor);
  for (int i = 0; i < 3; ++i) workers.spawn(worker(jobs, done));
  for (int i = 0; i < count; ++i) co_await jobs.send("job " + std::to_string(i));  // waits while 4 are left
  jobs.close();
  co_await workers.join();  // each has received nullopt: all jobs are done
  co_return done;
}
// [channel]

// [one_shot]
struct Question {
  Question(int n, OneShot<int>::Sender r) : number(n), reply(std::move(r)) {}
  int number;
  OneShot<int>::Sender reply;
};

Task<> doubler(Channel<Question>& questions) {
  while (std::optional<Question> question = co_await questions.receive()) {
    question->reply.send(question->number * 2);
  }
}

Task<int> ask(Channel<Question>& questions, int number) {
  OneShot<int> reply;
  co_await questions.send(Question(number, reply.sender()));
  co_return co_await reply.receive();  // fails if the question is destroyed without a reply
}
// [one_shot]

Task<int> ask_twice() {
  Reactor& reactor = co_await this_reactor;
  Channel<Question> questions(1);
  Scope scope(reactor);
  scope.spawn(doubler(questions));
  const int doubled = co_await ask(questions, 3);
  co_return co_await ask(questions, doubled);
}

// [watch]
Task<std::string> follow(Watch<std::string>& state) {
  std::string history;
  std::uint64_t seen = 0;
  while (state.value() != "closed") {
    seen = co_await state.changed(seen);
    history += state.value() + ";";
  }
  co_return history;
}

Task<> change(Watch<std::string>& state) {
  for (const char* next : {"connecting", "open", "closed"}) {
    state.set(next);
    co_await sleep(1ms);
  }
}
// [watch]

// [broadcast]
Task<std::string> listener(Broadcast<std::string>& chat, Latch& ready) {
  Broadcast<std::string>::Receiver receiver(chat);
  ready.count_down();
  std::string heard;
  while (std::optional<Broadcast<std::string>::Message> line = co_await receiver.receive()) {
    if (line->missed() > 0) heard += "(" + std::to_string(line->missed()) + " missed)";
    heard += **line;
  }
  co_return heard;
}

Task<> speaker(Broadcast<std::string>& chat, Latch& ready) {
  co_await ready.wait();
  for (const char* word : {"this ", "is ", "too ", "fast"}) chat.send(word);
  chat.close();
}
// [broadcast]

// [guarded]
Task<> deposit(Guarded<int>& account, int amount) {
  Guarded<int>::Guard balance = co_await account.lock();
  const int before = *balance;
  co_await sleep(1ms);  // asks the bank; no other deposit gets in between
  *balance = before + amount;
}
// [guarded]

// [condition]
Task<> wait_for_sum(Mutex& mutex, Condition& changed, int& sum) {
  Mutex::Guard guard = co_await mutex.lock();
  co_await changed.wait(guard, [&sum] { return sum >= 6; });
}

Task<> add_up(Mutex& mutex, Condition& changed, int& sum) {
  for (int i = 1; i <= 3; ++i) {
    Mutex::Guard guard = co_await mutex.lock();
    co_await sleep(1ms);
    sum += i;
    changed.notify_one();
  }
}
// [condition]

// [barrier]
Task<> player(Barrier& round, int& rounds) {
  for (int i = 0; i < 3; ++i) {
    co_await sleep(1ms);  // makes a move
    const bool last = co_await round.arrive_and_wait();
    if (last) ++rounds;
  }
}
// [barrier]

// [delay]
Task<> close_when_idle(Delay& idle, bool& closed) {
  co_await idle.wait();
  closed = true;
}

Task<> messages(Delay& idle, bool& closed) {
  Reactor& reactor = co_await this_reactor;
  for (int i = 0; i < 3 && !closed; ++i) {
    co_await sleep(1ms);
    idle.reset(reactor.precise_now() + 20ms);  // costs one store
  }
}
// [delay]

// [timeout_at]
Task<std::string> within_one_deadline() {
  Reactor& reactor = co_await this_reactor;
  const Instant deadline = reactor.precise_now() + 10ms;
  co_await timeout_at(deadline, sleep(1ms));
  Result<> second = co_await timeout_at(deadline, sleep(1h)).result();  // gets what is left of the 10 ms
  co_return std::string(name(second.error().code()));
}
// [timeout_at]

// [task_local]
const TaskLocal<std::string> request_id;

Task<std::string> log_line(std::string text) {
  const std::string* id = co_await local(request_id);  // null outside of a with_local
  co_return (id != nullptr ? *id : "-") + ": " + text;
}

Task<> handle(std::string& log) {
  Scope background(co_await this_reactor);
  background.spawn([&log]() -> Task<> {
    co_await sleep(1ms);
    log = co_await log_line("stored in the background");
  });
  co_await background.join();
}

Task<std::string> handle_with_id() {
  std::string log;
  co_await with_local(request_id, "req-7", handle(log));
  co_return log;
}
// [task_local]

Task<> run_all() {
  const int done = co_await work_through(10);
  std::printf("channel: %d jobs done\n", done);
  const int four_times = co_await ask_twice();
  std::printf("one-shot: %d\n", four_times);
  Watch<std::string> state("new");
  auto [history, changed_all] = co_await all(follow(state), change(state));
  std::printf("watch: %s\n", history.c_str());
  Broadcast<std::string> chat(3);
  Latch ready(1);
  auto [heard, spoken] = co_await all(listener(chat, ready), speaker(chat, ready));
  std::printf("broadcast: %s\n", heard.c_str());
  Guarded<int> account(100);
  co_await all(deposit(account, 10), deposit(account, 20));
  std::printf("guarded: %d\n", **account.try_lock());
  Mutex mutex;
  Condition changed;
  int sum = 0;
  co_await all(wait_for_sum(mutex, changed, sum), add_up(mutex, changed, sum));
  std::printf("condition: %d\n", sum);
  Barrier round(2);
  int rounds = 0;
  co_await all(player(round, rounds), player(round, rounds));
  std::printf("barrier: %d rounds\n", rounds);
  Delay idle;
  bool closed = false;
  co_await all(close_when_idle(idle, closed), messages(idle, closed));
  std::printf("delay: closed\n");
  const std::string second = co_await within_one_deadline();
  std::printf("timeout_at: %s\n", second.c_str());
  const std::string log = co_await handle_with_id();
  std::printf("task_local: %s\n", log.c_str());
}

}  // namespace

int main() {
  Loop loop;
  Result<> ran = loop.run(run_all());
  if (!ran) std::fprintf(stderr, "%s\n", to_string(ran.error()).c_str());
  return ran ? 0 : 1;
}
