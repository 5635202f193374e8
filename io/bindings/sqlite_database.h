// SqliteDatabase: an SqlDatabase on SQLite, natively and in simulations, which answers as D1 does.
//
//     Result<std::unique_ptr<SqliteDatabase>> people = SqliteDatabase::open(":memory:");
//     Result<> made = (*people)->run_script("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)");
//     const SqlStatement insert("INSERT INTO people (name) VALUES (?1)");
//     SqlResult done = co_await (*people)->run(insert.bind("Ada"));
//
// Sources: https://sqlite.org/c3ref/intro.html; https://developers.cloudflare.com/d1/sql-api/sql-statements/;
// what D1 answers was read off workerd (tests/support/platform_contracts.h runs on both).

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/bytes.h>
#include <escapement/core/time.h>
#include <escapement/io/bindings/sql_database.h>

namespace escapement {

// The behaviour of a SqliteDatabase. All randomness is drawn from the reactor's generator.
class SqliteDatabaseOptions {
 public:
  Duration latency = {};  // of each call
  // Fails one call in so many, before it takes place (unavailable). 0: none.
  std::uint64_t fail_one_in = 0;
  // Fails one call in so many, after it has taken place, as if the answer were lost (reset). 0: none.
  std::uint64_t lose_one_in = 0;
  // The instructions of SQLite's virtual machine that one call may take; more are `reset`, and undone. Some
  // seconds of work; D1's limit is 30 seconds.
  std::uint64_t instructions_max = 500'000'000;
  // The names and values that one call may yield; more are limit_exceeded, and undone.
  std::size_t result_bytes_max = 64 * MiB;
};

// A database in a file or in memory. A call waits for its latency, and then takes place at once, on the
// reactor's thread: for tests, simulations and development.
//
// It does what D1 does, where SQLite by itself does not: numbers are bound as REAL; a number of a result
// without a fraction is an INTEGER, whatever its column says, and one beyond 2^53 a REAL; infinity is NULL;
// text that is not UTF-8 has U+FFFD; columns of one name are one, with the last value; foreign keys are
// enforced; transactions, ATTACH, most PRAGMAs and names that begin with _cf_ are refused; and D1's limits of
// statements hold. A text of several statements runs all of them, and yields the last one's rows; only that
// one may have values. `rows_read` and `rows_written` are 0. A table's `last_row_id` is the last INSERT's of
// this object.
//
// Fails as SqlDatabase says, with D1's words ("D1_ERROR: no such table: people: SQLITE_ERROR"), with
// unavailable while another process has locked the file, and with `reset` where the file cannot be read or
// written. Without SQLite (ESC_SQLITE, or none was found) `open` is unsupported. Not on wasm.
class SqliteDatabase final : public SqlDatabase {
 public:
  // Opens the file at `path`, which is made if it is missing; ":memory:" is a database of its own that ends
  // with this object. Fails with not_found (no such folder), permission_denied, bad_message (the file is no
  // database), unavailable and unsupported.
  static Result<std::unique_ptr<SqliteDatabase>> open(
      const std::string& path, SqliteDatabaseOptions options = SqliteDatabaseOptions());
  ~SqliteDatabase() override;

  // Runs several statements without values, such as a migration, in one transaction, at once and without
  // faults. Fails as a call does.
  Result<> run_script(const std::string& sql);

 private:
  class Connection;
  SqliteDatabase(std::unique_ptr<Connection> connection, SqliteDatabaseOptions options);

  Task<std::vector<SqlResult>> execute(std::vector<SqlStatement> statements) override;

  std::unique_ptr<Connection> connection_;
  SqliteDatabaseOptions options_;
};

}  // namespace escapement
