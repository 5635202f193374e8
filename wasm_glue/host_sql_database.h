// HostSqlDatabase: a D1 database of a Worker, as an SqlDatabase.
//
//     wasm::HostSqlDatabase people("PEOPLE");  // the binding's name
//     const SqlStatement select("SELECT name FROM people WHERE id = ?1");
//     std::optional<SqlRow> row = co_await people.first(select.bind(17));
//
//     import { d1 } from "./d1.mjs";
//     export default worker(module, { bindings: [d1] });

#pragma once

#include <string>

#include <escapement/io/bindings/sql_database.h>

namespace escapement::wasm {

// Fails as SqlDatabase says, with invalid_argument also if the Worker has no D1 database of that name, with
// timed_out after `timeout` (whether it took place is unknown), and with `reset` and the host's text for
// everything else.
//
// The host's numbers are doubles: a REAL without a fraction comes as an INTEGER. Columns of one name come as
// one; name them apart by AS. Columns come as the statement names them, but those whose names are whole
// numbers, such as "1", before all others.
class HostSqlDatabase final : public SqlDatabase {
 public:
  // `name` is the binding's, in the Worker's env. Each call may take `timeout`.
  explicit HostSqlDatabase(std::string name, Duration timeout = 30s)
      : name_(std::move(name)), timeout_(timeout) {}

 private:
  Task<std::vector<SqlResult>> execute(std::vector<SqlStatement> statements) override;

  std::string name_;
  Duration timeout_;
};

}  // namespace escapement::wasm
