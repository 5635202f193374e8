// MemorySqlDatabase: answers to the statements that are expected; latency and faults.

#include <limits>

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/bindings/memory_sql_database.h>
#include <escapement/io/sim/sim.h>

using namespace escapement;

TEST_CASE("MemorySqlDatabase: statements have the answers that were set, with their values") {
  Sim sim;
  MemorySqlDatabase database;
  std::vector<SqlValue> seen;
  database.answer("SELECT name FROM people WHERE age > ?1", [&seen](const std::vector<SqlValue>& values) {
    seen = values;
    return SqlResult::of({"name", "age"}, {{"Ada", 36}, {"Grace", nullptr}});
  });
  const SqlStatement select("  SELECT name\n  FROM people\tWHERE age > ?1 ");
  const Result<std::optional<SqlRow>> row = sim.run(database.first(select.bind(30)));
  REQUIRE(row);
  REQUIRE(*row);
  CHECK(seen == std::vector<SqlValue>{SqlValue(30)});
  CHECK(*(*row)->get<std::string>("name") == "Ada");
  CHECK(*(*row)->get<int64_t>("age") == 36);
  CHECK(*(*row)->get<double>("age") == 36.0);
  CHECK(*(*row)->get<bool>("age"));
  const Result<SqlResult> all = sim.run(database.all(select.bind(40)));
  REQUIRE(all);
  REQUIRE(all->rows.size() == 2);
  CHECK(*all->rows[1].get<std::optional<std::int64_t>>("age") == std::nullopt);
  CHECK(all->rows[1].get<std::int64_t>("age").error() == Errc::invalid_argument);
  CHECK(all->rows[1].get<SqlBlob>("name").error() == Errc::invalid_argument);
  CHECK(database.ran().size() == 2);
}

TEST_CASE("MemorySqlDatabase: a statement without an answer, and an answer that fails") {
  Sim sim;
  MemorySqlDatabase database;
  database.answer("INSERT", [](const std::vector<SqlValue>&) -> Result<SqlResult> {
    return Error(Errc::invalid_argument, "UNIQUE constraint failed");
  });
  CHECK(sim.run(database.run("DELETE")).error() == Errc::invalid_argument);
  CHECK(sim.run(database.run("INSERT")).error() == Errc::invalid_argument);
  std::vector<SqlStatement> both{SqlStatement("INSERT"), SqlStatement("INSERT")};
  CHECK_FALSE(sim.run(database.batch(std::move(both))));
  CHECK(database.ran().size() == 2);
}

TEST_CASE("MemorySqlDatabase: what is refused before it is run") {
  Sim sim;
  MemorySqlDatabase database;
  const SqlStatement one("SELECT ?1");
  CHECK(sim.run(database.run(std::string(100'001, ' '))).error() == Errc::limit_exceeded);
  CHECK(sim.run(database.run(one.bind(std::string(2'000'001, ' ')))).error() == Errc::limit_exceeded);
  CHECK(sim.run(database.run(one.bind(SqlBlob(std::string(2'000'001, ' '))))).error() ==
        Errc::limit_exceeded);
  CHECK(sim.run(database.run(one.bind(SqlDatabase::integer_max + 1))).error() == Errc::invalid_argument);
  CHECK(sim.run(database.run(one.bind(-SqlDatabase::integer_max - 1))).error() == Errc::invalid_argument);
  constexpr double infinity = std::numeric_limits<double>::infinity();
  for (const double real : {infinity, -infinity, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(sim.run(database.run(one.bind(real))).error() == Errc::invalid_argument);
  }
  SqlStatement many("SELECT 1");
  many.values.resize(101);
  CHECK(sim.run(database.run(many)).error() == Errc::limit_exceeded);
  CHECK(database.ran().empty());
}

TEST_CASE("MemorySqlDatabase: latency and faults, from the seed") {
  Sim sim(Seed{5});
  MemorySqlDatabase database({.latency = 10ms, .fail_one_in = 4});
  database.answer("SELECT 1", [](const std::vector<SqlValue>&) { return SqlResult(); });
  int failures = 0;
  for (int i = 0; i < 100; ++i) {
    const Result<SqlResult> run = sim.run(database.run("SELECT 1"));
    if (run) continue;
    ++failures;
    CHECK(run.error() == Errc::unavailable);
    CHECK_FALSE(run.error().maybe_sent());
  }
  CHECK(failures > 10);
  CHECK(failures < 45);
  CHECK(sim.elapsed() == 1s);
}
