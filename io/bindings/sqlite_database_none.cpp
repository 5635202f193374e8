// SqliteDatabase in a library without SQLite.

#include <escapement/io/bindings/sqlite_database.h>

namespace escapement {

class SqliteDatabase::Connection {};

SqliteDatabase::~SqliteDatabase() = default;

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const std::string&, SqliteDatabaseOptions) {
  return Error(Errc::unsupported, "this library was built without SQLite (ESC_SQLITE)");
}

Result<> SqliteDatabase::run_script(const std::string&) { return Error(Errc::unsupported); }

Task<std::vector<SqlResult>> SqliteDatabase::execute(std::vector<SqlStatement>) {
  co_return Error(Errc::unsupported);
}

}  // namespace escapement
