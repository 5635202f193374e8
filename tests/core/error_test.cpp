// Error and Result: what they hold, copied, moved and printed.

#include <escapement/core/error.h>

#include <cerrno>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include <catch2/catch_test_macros.hpp>

using namespace escapement;

namespace {

// Counts how many of it exist.
struct Counted {
  explicit Counted(int& counter) : alive(&counter) { ++*alive; }
  Counted(const Counted& other) : alive(other.alive) { ++*alive; }
  ~Counted() { --*alive; }
  Counted& operator=(const Counted&) = delete;
  int* alive;
};

}  // namespace

TEST_CASE("Errc: every kind has its own name") {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(Errc::internal); ++code) {
    const std::string_view text = name(static_cast<Errc>(code));
    CHECK(text != "unknown");
    CHECK(names.insert(text).second);
  }
  CHECK(name(static_cast<Errc>(200)) == "unknown");
  CHECK(names.contains("timed_out"));
}

TEST_CASE("TimeLimit: every limit has its own name") {
  std::set<std::string_view> names;
  for (int limit = 0; limit <= static_cast<int>(TimeLimit::handler); ++limit) {
    const std::string_view text = name(static_cast<TimeLimit>(limit));
    CHECK(text != "unknown");
    CHECK(names.insert(text).second);
  }
  CHECK(name(static_cast<TimeLimit>(200)) == "unknown");
  CHECK(name(TimeLimit::per_try) == "per_try");
}

TEST_CASE("Fault: every fault has its own name, and stays with its error") {
  std::set<std::string_view> names;
  for (int fault = 0; fault <= static_cast<int>(Fault::certificate_missing); ++fault) {
    const std::string_view text = name(static_cast<Fault>(fault));
    CHECK(text != "unknown");
    CHECK(names.insert(text).second);
  }
  CHECK(name(static_cast<Fault>(200)) == "unknown");
  CHECK(name(Fault::certificate_expired) == "certificate_expired");

  CHECK(Error(Errc::untrusted, "no").fault() == Fault::none);
  const Error error = Error(Errc::untrusted, "no").because(Fault::certificate_weak);
  const Error copy = error;
  CHECK(Error(copy).context("handshake").nothing_sent().fault() == Fault::certificate_weak);
  CHECK(Error::cancelled(error).reason()->fault() == Fault::certificate_weak);
  const Error own = Error::out_of_memory().because(Fault::proxy_closed);
  CHECK(own.fault() == Fault::proxy_closed);
  CHECK(Error::out_of_memory().fault() == Fault::none);
}

TEST_CASE("Error: which limit, how long, whom about and which attempt, as data") {
  static_assert(sizeof(Error) == sizeof(void*));
  const Error plain(Errc::reset, "broken");
  CHECK(plain.limit() == TimeLimit::none);
  CHECK(plain.limit_length() == Duration());
  CHECK(plain.peer().empty());
  CHECK(plain.attempt() == 0);

  Error late = Error(Errc::timed_out, "connect to a:1: no connection within 10s")
                   .ran_out(TimeLimit::connect, 10s, 10'001ms)
                   .with_peer("a:1")
                   .in_attempt(2);
  const Error copy = late;
  late = Error(Errc::cancelled);
  CHECK(copy.limit() == TimeLimit::connect);
  CHECK(copy.limit_length() == 10s);
  CHECK(copy.elapsed() == 10'001ms);
  CHECK(copy.peer() == "a:1");
  CHECK(copy.attempt() == 2);
  CHECK(to_string(copy) == "timed_out: connect to a:1: no connection within 10s (attempt 2)");
  CHECK(to_string(Error(Errc::reset, "b").in_attempt(1)) == "reset: b");  // nothing to tell apart

  // The one Error that all share is never changed.
  const Error own = Error::out_of_memory().with_peer("a:1").in_attempt(3);
  CHECK(own.attempt() == 3);
  CHECK(Error::out_of_memory().attempt() == 0);
  CHECK(Error::out_of_memory().peer().empty());
}

TEST_CASE("Error: copies are independent, moves keep the reason") {
  Error original(Errc::reset, "broken");
  Error copy = original;
  copy.nothing_sent();
  CHECK(original.maybe_sent());
  CHECK_FALSE(copy.maybe_sent());
  original = copy;
  CHECK_FALSE(original.maybe_sent());
  Error& same = original;
  original = same;
  CHECK(original.message() == "broken");
  const Error moved = std::move(original);
  CHECK(moved == Errc::reset);
}

TEST_CASE("Error: context goes in front, also where there was no message") {
  CHECK(Error(Errc::reset, "b").context("a").message() == "a: b");
  CHECK(Error(Errc::reset).context("a").message() == "a");
  CHECK(to_string(Error(Errc::reset)) == "reset");
  CHECK(Error(Errc::reset, "b").remark("c").message() == "b; c");
  CHECK(Error(Errc::reset).remark("c").message() == "c");
  CHECK(Error::out_of_memory().remark("c").message() == "out of memory; c");
  CHECK(Error::out_of_memory().message() == "out of memory");
}

TEST_CASE("Error: from system numbers, by what the caller can do") {
  const struct {
    int number;
    Errc code;
  } rows[] = {{ECONNREFUSED, Errc::unavailable}, {ETIMEDOUT, Errc::unavailable},
              {ENETUNREACH, Errc::unavailable},  {EADDRINUSE, Errc::address_in_use},
              {ECONNRESET, Errc::reset},         {EPIPE, Errc::reset},
              {EMFILE, Errc::overloaded},        {ENOMEM, Errc::overloaded},
              {EACCES, Errc::permission_denied}, {EINVAL, Errc::invalid_argument},
              {EAFNOSUPPORT, Errc::unsupported}, {EXDEV, Errc::internal}};
  for (const auto& row : rows) {
    const Error error = Error::from_errno(row.number, "doing");
    INFO(to_string(error));
    CHECK(error.code() == row.code);
    CHECK(error.os_number() == row.number);
    CHECK(error.message().starts_with("doing: "));
  }
  CHECK(Error::from_errno(ETIMEDOUT, "read", Errc::reset) == Errc::reset);
}

TEST_CASE("Error and Errc print") {
  std::ostringstream out;
  out << Errc::timed_out << ", " << Error(Errc::reset, "broken");
  CHECK(out.str() == "timed_out, reset: broken");
}

TEST_CASE("Result: destroys its value once, however it is copied, moved and assigned") {
  int alive = 0;
  {
    Result<Counted> one = Counted(alive);
    Result<Counted> copy = one;
    CHECK(alive == 2);
    Result<Counted> moved = std::move(copy);
    one = Error(Errc::reset);
    CHECK_FALSE(one);
    one = moved;
    CHECK(one);
    Result<Counted>& same = one;
    one = same;
    CHECK(one->alive == &alive);
    Result<Counted> failed = Error(Errc::reset, "why");
    Result<Counted> failed_copy = failed;
    CHECK(failed_copy.error().message() == "why");
    failed = one;
    CHECK(failed);
  }
  CHECK(alive == 0);
}

TEST_CASE("Result: of what can only be moved, and of nothing") {
  Result<std::unique_ptr<int>> box = std::make_unique<int>(3);
  std::unique_ptr<int> taken = *std::move(box);
  CHECK(*taken == 3);
  Result<> good;
  CHECK(good);
  Result<> bad = Error(Errc::not_found, "gone");
  Result<> copy = bad;
  good = copy;
  CHECK_FALSE(good);
  CHECK(good.error().message() == "gone");
  const Error moved = std::move(bad).error();
  CHECK(moved == Errc::not_found);
}

TEST_CASE("error: out of memory is said without any, and what one makes of it is nobody else's") {
  const Error error = Error::out_of_memory();
  CHECK(to_string(error) == "overloaded: out of memory");
  Error other = error;
  CHECK(&other.message() == &error.message());
  CHECK(!Error(std::move(other)).nothing_sent().maybe_sent());
  CHECK(to_string(Error::out_of_memory().context("listen")) == "overloaded: listen: out of memory");
  CHECK(to_string(error) == "overloaded: out of memory");
  CHECK(error.maybe_sent());
}

TEST_CASE("Result holds a value or an error, and moves") {
  Result<std::string> good = std::string("value");
  Result<std::string> bad = Error(Errc::timed_out, "late");
  Result<std::string> moved = std::move(bad);
  CHECK(to_string(moved.error()) == "timed_out: late");
  moved = std::move(good);
  CHECK(*moved == "value");
  Error error = Error(Errc::reset, "b").context("a").nothing_sent();
  CHECK(error.message() == "a: b");
  CHECK(!error.maybe_sent());
  CHECK(Error::from_errno(EADDRINUSE, "listen") == Errc::address_in_use);
}
