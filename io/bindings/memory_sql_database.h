// MemorySqlDatabase: an SqlDatabase that answers the statements that a test expects, natively, in simulations
// and on wasm. It knows no SQL.
//
//     MemorySqlDatabase database;
//     database.answer("SELECT name FROM people WHERE age > ?1", [](const std::vector<SqlValue>& values) {
//       return SqlResult::of({"name"}, {{"Ada"}});
//     });

#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/time.h>
#include <escapement/io/bindings/sql_database.h>

namespace escapement {

// The behaviour of a MemorySqlDatabase. All randomness is drawn from the reactor's generator.
class MemorySqlDatabaseOptions {
 public:
  Duration latency = {};  // of each call
  // Fails one call in so many, before it takes place (unavailable). 0: none.
  std::uint64_t fail_one_in = 0;
};

// A statement without an answer is invalid_argument. The statements of a batch are answered in order up to
// the first that fails; what the answers have done before is not undone.
class MemorySqlDatabase final : public SqlDatabase {
 public:
  // Yields the outcome of a statement, given its values. It may keep a state of the test's.
  using Answer = std::function<Result<SqlResult>(const std::vector<SqlValue>& values)>;

  // Makes a database without answers.
  explicit MemorySqlDatabase(MemorySqlDatabaseOptions options = MemorySqlDatabaseOptions())
      : options_(options) {}

  // Sets the answer to a statement, in place of the one before. White space is compared as one space.
  void answer(std::string_view sql, Answer answer);
  // Returns the statements that have been run, in order.
  const std::vector<SqlStatement>& ran() const { return ran_; }

 private:
  Task<std::vector<SqlResult>> execute(std::vector<SqlStatement> statements) override;

  MemorySqlDatabaseOptions options_;
  std::map<std::string, Answer> answers_;
  std::vector<SqlStatement> ran_;
};

}  // namespace escapement
