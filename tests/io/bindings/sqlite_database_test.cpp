// SqliteDatabase: the contract that D1 keeps in workerd too; files, limits, faults.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/bindings/sqlite_database.h>
#include <escapement/io/native/loop.h>
#include <escapement/io/sim/sim.h>
#include <escapement/timers/timeout.h>

#include "support/backends.h"
#include "support/loops.h"
#include "support/platform_contracts.h"
#include "support/scratch_folder.h"

using namespace escapement;

namespace {

using Database = std::unique_ptr<SqliteDatabase>;

// Null where the library has no SQLite.
Database memory_database(SqliteDatabaseOptions options = SqliteDatabaseOptions()) {
  Result<Database> opened = SqliteDatabase::open(":memory:", options);
  if (opened) return *std::move(opened);
  REQUIRE(opened.error() == Errc::unsupported);
  WARN("skipped: built without SQLite");
  return nullptr;
}

// Another process that holds SQLite's locks of a file (https://sqlite.org/lockingv3.html).
class LockedFile {
 public:
  explicit LockedFile(const std::string& path) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    child_ = ::fork();
    if (child_ == 0) {
      const int file = ::open(path.c_str(), O_RDWR);
      struct flock lock{};
      lock.l_type = F_WRLCK;
      lock.l_start = 0x40000000;
      lock.l_len = 512;
      const char done = ::fcntl(file, F_SETLK, &lock) == 0 ? 'y' : 'n';
      (void)!::write(ready[1], &done, 1);
      for (;;) ::pause();
    }
    char done = 'n';
    REQUIRE(::read(ready[0], &done, 1) == 1);
    ::close(ready[0]);
    ::close(ready[1]);
    REQUIRE(done == 'y');
  }
  LockedFile(const LockedFile&) = delete;
  ~LockedFile() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

 private:
  pid_t child_ = -1;
};

}  // namespace

TEST_CASE("SqliteDatabase: the contract of D1, in simulated time") {
  Sim sim;
  const Database database = memory_database();
  if (database == nullptr) return;
  const Result<std::string> wrong = sim.run(test::sql_contract(*database));
  REQUIRE(wrong);
  CHECK(*wrong == "");
}

TEST_CASE("SqliteDatabase: the contract of D1, on each backend") {
  std::unique_ptr<Loop> loop = test::make_loop(ESC_EACH_BACKEND());
  const Database database = memory_database();
  if (database == nullptr) return;
  const Result<std::string> wrong = loop->run(test::sql_contract(*database));
  REQUIRE(wrong);
  CHECK(*wrong == "");
}

TEST_CASE("SqliteDatabase: a file outlives the object; two of them see each other's rows") {
  Sim sim;
  if (memory_database() == nullptr) return;
  const test::ScratchFolder folder;
  const std::string path = folder.path("people.db");
  {
    Result<Database> first = SqliteDatabase::open(path);
    REQUIRE(first);
    REQUIRE((*first)->run_script(
        "CREATE TABLE t (a); -- the only one\nINSERT INTO t VALUES (1);\nCREATE INDEX i ON t (a);"));
    Result<Database> second = SqliteDatabase::open(path);
    REQUIRE(second);
    REQUIRE(sim.run((*second)->run("INSERT INTO t VALUES (2)")));
    const Result<SqlResult> all = sim.run((*first)->all("SELECT a FROM t ORDER BY a"));
    REQUIRE(all);
    CHECK(all->rows.size() == 2);
  }
  Result<Database> again = SqliteDatabase::open(path);
  REQUIRE(again);
  const Result<std::optional<SqlRow>> count = sim.run((*again)->first("SELECT count(*) AS n FROM t"));
  REQUIRE(count);
  CHECK(*(*count)->get<std::int64_t>("n") == 2);
}

TEST_CASE("SqliteDatabase: a script takes place as a whole, or not at all") {
  Sim sim;
  const Database database = memory_database();
  if (database == nullptr) return;
  const Result<> failed = database->run_script("CREATE TABLE t (a); INSERT INTO nowhere VALUES (1)");
  REQUIRE_FALSE(failed);
  CHECK(failed.error() == Errc::invalid_argument);
  CHECK(sim.run(database->run("SELECT * FROM t")).error() == Errc::invalid_argument);
  CHECK(database->run_script("BEGIN").error() == Errc::invalid_argument);
  CHECK(database->run_script(std::string("SELECT 1\0; SELECT 2", 19)).error() == Errc::invalid_argument);
  std::string large;  // more than one statement may have, in all
  while (large.size() < 2 * SqlDatabase::statement_bytes_max) large += "CREATE TABLE IF NOT EXISTS t (a);\n";
  CHECK(database->run_script(large));
}

TEST_CASE("SqliteDatabase: paths that cannot be opened") {
  if (memory_database() == nullptr) return;
  const test::ScratchFolder folder;
  CHECK(SqliteDatabase::open(folder.path("none/people.db")).error() == Errc::not_found);
  CHECK(SqliteDatabase::open(std::string("a\0b", 3)).error() == Errc::invalid_argument);
  CHECK(SqliteDatabase::open(folder.path()).error() == Errc::unavailable);  // a folder
  folder.write("text", std::string(10'000, 'x'));
  CHECK(SqliteDatabase::open(folder.path("text")).error() == Errc::bad_message);
}

TEST_CASE("SqliteDatabase: a file that another connection has locked is unavailable, with nothing done") {
  Sim sim;
  if (memory_database() == nullptr) return;
  const test::ScratchFolder folder;
  const std::string path = folder.path("people.db");
  Result<Database> one = SqliteDatabase::open(path);
  REQUIRE(one);
  REQUIRE((*one)->run_script("CREATE TABLE t (a)"));
  {
    const LockedFile lock(path);
    const Result<SqlResult> run = sim.run((*one)->run("INSERT INTO t VALUES (1)"));
    REQUIRE_FALSE(run);
    CHECK(run.error() == Errc::unavailable);
  }
  CHECK(sim.run((*one)->run("INSERT INTO t VALUES (1)")));
}

TEST_CASE("SqliteDatabase: limits of a call; what exceeds them is undone") {
  Sim sim;
  SqliteDatabaseOptions options;
  options.instructions_max = 1'000'000;
  options.result_bytes_max = 100'000;
  const Database database = memory_database(options);
  if (database == nullptr) return;
  REQUIRE(database->run_script("CREATE TABLE t (a)"));
  std::vector<SqlStatement> both{
      SqlStatement("INSERT INTO t VALUES (1)"),
      SqlStatement(
          "WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r")};
  const Result<std::vector<SqlResult>> endless = sim.run(database->batch(both));
  REQUIRE_FALSE(endless);
  CHECK(to_string(endless.error()) == "reset: D1_ERROR: D1 DB exceeded its CPU time limit and was reset.");
  both.pop_back();
  both.emplace_back(
      "WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r LIMIT 5000) SELECT i, 'text' FROM r");
  CHECK(sim.run(database->batch(both)).error() == Errc::limit_exceeded);
  CHECK(sim.run(database->all("SELECT * FROM t"))->rows.empty());
  CHECK(sim.run(database->run("INSERT INTO t VALUES (1)")));
}

TEST_CASE("SqliteDatabase: a constraint that is checked at the end undoes the batch") {
  Sim sim;
  const Database database = memory_database();
  if (database == nullptr) return;
  REQUIRE(database->run_script(
      "CREATE TABLE t (a PRIMARY KEY, b REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)"));
  std::vector<SqlStatement> both{SqlStatement("INSERT INTO t VALUES (1, 1)"),
                                 SqlStatement("INSERT INTO t VALUES (2, 9)")};
  CHECK(sim.run(database->batch(both)).error() == Errc::invalid_argument);
  CHECK(sim.run(database->all("SELECT * FROM t"))->rows.empty());
  CHECK(sim.run(database->run("INSERT INTO t VALUES (1, 1)")));
}

TEST_CASE("SqliteDatabase: latency and faults, from the seed; a lost answer has taken place") {
  Sim sim(Seed{5});
  SqliteDatabaseOptions options;
  options.latency = 10ms;
  options.fail_one_in = 10;
  options.lose_one_in = 10;
  const Database database = memory_database(options);
  if (database == nullptr) return;
  REQUIRE(database->run_script("CREATE TABLE t (a)"));
  std::size_t done = 0;
  int unavailable = 0;
  int lost = 0;
  for (int i = 0; i < 200; ++i) {
    const Result<SqlResult> run = sim.run(database->run("INSERT INTO t VALUES (1)"));
    if (run || run.error() == Errc::reset) ++done;
    if (run) continue;
    if (run.error() == Errc::reset) ++lost;
    if (run.error() == Errc::unavailable) {
      ++unavailable;
      CHECK_FALSE(run.error().maybe_sent());
    }
  }
  CHECK(unavailable > 5);
  CHECK(lost > 5);
  CHECK(done == static_cast<std::size_t>(200 - unavailable));
  CHECK(sim.elapsed() == 2s);
  Result<SqlResult> all = Error(Errc::internal);
  while (!all) all = sim.run(database->all("SELECT a FROM t"));
  CHECK(all->rows.size() == done);
}

TEST_CASE("SqliteDatabase: a call that is cancelled while it waits has done nothing") {
  Sim sim;
  SqliteDatabaseOptions options;
  options.latency = 1s;
  const Database database = memory_database(options);
  if (database == nullptr) return;
  REQUIRE(database->run_script("CREATE TABLE t (a)"));
  {
    Task<SqlResult> insert = database->run("INSERT INTO t VALUES (1)");
    const Result<SqlResult> late = sim.run(with_timeout(500ms, std::move(insert)));
    CHECK(late.error() == Errc::timed_out);
  }
  sim.advance(2s);
  CHECK(sim.run(database->all("SELECT * FROM t"))->rows.empty());
}
