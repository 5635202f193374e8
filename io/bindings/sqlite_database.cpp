#include <escapement/io/bindings/sqlite_database.h>

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <utility>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/number.h>
#include <escapement/core/detail/utf8.h>
#include <escapement/io/bindings/detail/simulated_call.h>

namespace escapement {

namespace {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Prepared = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

struct SqliteCode {
  int number;
  const char* name;
};
constexpr std::array sqlite_codes{
    SqliteCode{SQLITE_ERROR, "SQLITE_ERROR"},           SqliteCode{SQLITE_BUSY, "SQLITE_BUSY"},
    SqliteCode{SQLITE_LOCKED, "SQLITE_LOCKED"},         SqliteCode{SQLITE_NOMEM, "SQLITE_NOMEM"},
    SqliteCode{SQLITE_READONLY, "SQLITE_READONLY"},     SqliteCode{SQLITE_IOERR, "SQLITE_IOERR"},
    SqliteCode{SQLITE_CORRUPT, "SQLITE_CORRUPT"},       SqliteCode{SQLITE_FULL, "SQLITE_FULL"},
    SqliteCode{SQLITE_CONSTRAINT, "SQLITE_CONSTRAINT"}, SqliteCode{SQLITE_TOOBIG, "SQLITE_TOOBIG"},
    SqliteCode{SQLITE_MISMATCH, "SQLITE_MISMATCH"},     SqliteCode{SQLITE_AUTH, "SQLITE_AUTH"},
    SqliteCode{SQLITE_RANGE, "SQLITE_RANGE"},           SqliteCode{SQLITE_NOTADB, "SQLITE_NOTADB"}};
constexpr std::array sqlite_constraints{
    SqliteCode{SQLITE_CONSTRAINT_CHECK, "SQLITE_CONSTRAINT_CHECK"},
    SqliteCode{SQLITE_CONSTRAINT_FOREIGNKEY, "SQLITE_CONSTRAINT_FOREIGNKEY"},
    SqliteCode{SQLITE_CONSTRAINT_NOTNULL, "SQLITE_CONSTRAINT_NOTNULL"},
    SqliteCode{SQLITE_CONSTRAINT_PRIMARYKEY, "SQLITE_CONSTRAINT_PRIMARYKEY"},
    SqliteCode{SQLITE_CONSTRAINT_ROWID, "SQLITE_CONSTRAINT_ROWID"},
    SqliteCode{SQLITE_CONSTRAINT_TRIGGER, "SQLITE_CONSTRAINT_TRIGGER"},
    SqliteCode{SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE"}};

template <std::size_t N>
const char* sqlite_name(const std::array<SqliteCode, N>& all, int number) {
  const auto at = std::ranges::find(all, number, &SqliteCode::number);
  return at == all.end() ? nullptr : at->name;
}

Errc sqlite_kind(int code) {
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Errc::unavailable;
    case SQLITE_FULL:
    case SQLITE_TOOBIG: return Errc::limit_exceeded;
    case SQLITE_ERROR:
    case SQLITE_READONLY:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_AUTH:
    case SQLITE_RANGE: return Errc::invalid_argument;
    default: return Errc::reset;
  }
}

Error d1_error(std::string_view why) {
  return Error(Errc::invalid_argument, "D1_ERROR: " + std::string(why));
}

// Returns the last failure of the connection, in the words of workerd.
Error sqlite_error(sqlite3* database) {
  const int extended = sqlite3_extended_errcode(database);
  const int code = extended & 0xff;
  if (code == SQLITE_NOMEM) return Error::out_of_memory();
  std::string text = std::string("D1_ERROR: ") + sqlite3_errmsg(database);
  const int offset = sqlite3_error_offset(database);
  if (offset >= 0) text += " at offset " + std::to_string(offset);
  const char* const name = sqlite_name(sqlite_codes, code);
  text += ": ";
  text += name != nullptr ? name : "SQLITE_" + std::to_string(code);
  const char* const constraint = sqlite_name(sqlite_constraints, extended);
  if (constraint != nullptr) text += std::string(" (extended: ") + constraint + ')';
  return Error(sqlite_kind(code), std::move(text));
}

// The PRAGMAs that D1 documents.
constexpr std::array<std::string_view, 17> allowed_pragmas{
    "case_sensitive_like", "defer_foreign_keys",        "foreign_key_check", "foreign_key_list",
    "foreign_keys",        "ignore_check_constraints",  "index_info",        "index_list",
    "index_xinfo",         "legacy_alter_table",        "optimize",          "quick_check",
    "recursive_triggers",  "reverse_unordered_selects", "table_info",        "table_list",
    "table_xinfo"};

std::string_view text_or_empty(const char* text) { return text == nullptr ? std::string_view() : text; }

bool begins_in_any_case(const char* text, std::string_view start) {
  return equal_ignoring_case(text_or_empty(text).substr(0, start.size()), start);
}

// Replaces each part that is not UTF-8 by U+FFFD, as a TextDecoder does.
std::string as_utf8(std::string_view text) {
  detail::Utf8Checker whole;
  if (whole.take(text) && whole.complete()) return std::string(text);
  std::string out;
  detail::Utf8Checker checker;
  std::size_t begun = 0;  // of the code point that is not complete
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool inside = !checker.complete();
    if (checker.take(text.substr(i, 1))) {
      if (!checker.complete()) continue;
      out += text.substr(begun, i + 1 - begun);
      begun = i + 1;
      continue;
    }
    checker = detail::Utf8Checker();
    out += "\xef\xbf\xbd";
    begun = inside ? i : i + 1;
    if (inside) --i;  // it may begin another one
  }
  if (begun < text.size()) out += "\xef\xbf\xbd";
  return out;
}

// Returns a number of a result as JavaScript has it.
SqlValue js_number(double real) {
  if (!std::isfinite(real)) return SqlValue();
  const bool whole =
      std::trunc(real) == real && std::abs(real) <= static_cast<double>(SqlDatabase::integer_max);
  return whole ? SqlValue(static_cast<std::int64_t>(real)) : SqlValue(real);
}

SqlValue column_value(sqlite3_stmt* statement, int place) {
  switch (sqlite3_column_type(statement, place)) {
    case SQLITE_INTEGER: {
      const std::int64_t integer = sqlite3_column_int64(statement, place);
      const bool exact = integer <= SqlDatabase::integer_max && integer >= -SqlDatabase::integer_max;
      return exact ? SqlValue(integer) : SqlValue(static_cast<double>(integer));
    }
    case SQLITE_FLOAT: return js_number(sqlite3_column_double(statement, place));
    case SQLITE_NULL: return SqlValue();
    default: break;
  }
  const auto* const bytes = static_cast<const char*>(sqlite3_column_blob(statement, place));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, place));
  const std::string_view text = bytes == nullptr ? std::string_view() : std::string_view(bytes, size);
  if (sqlite3_column_type(statement, place) == SQLITE_TEXT) return SqlValue(as_utf8(text));
  return SqlValue(SqlBlob(std::string(text)));
}

int bind_value(sqlite3_stmt* statement, int place, const SqlValue& value) {
  if (value.integer() != nullptr) {
    return sqlite3_bind_double(statement, place, static_cast<double>(*value.integer()));
  }
  if (value.real() != nullptr) return sqlite3_bind_double(statement, place, *value.real());
  if (const std::string* const text = value.text(); text != nullptr) {
    return sqlite3_bind_text64(statement, place, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  if (const SqlBlob* const blob = value.blob(); blob != nullptr) {
    return sqlite3_bind_blob64(statement, place, blob->bytes.data(), blob->bytes.size(), SQLITE_TRANSIENT);
  }
  return sqlite3_bind_null(statement, place);
}

// Returns whether JavaScript takes the name for a place in an array, which comes before all others.
std::optional<std::uint32_t> array_index(std::string_view name) {
  if (name.empty() || name.size() > 10 || (name.size() > 1 && name.front() == '0')) return std::nullopt;
  const std::optional<std::uint32_t> index = parse_number<std::uint32_t>(name);
  return index && *index != UINT32_MAX ? index : std::nullopt;
}

// Returns whether JavaScript lists `name` before `other`, which was added earlier.
bool precedes(std::string_view name, std::string_view other) {
  const std::optional<std::uint32_t> index = array_index(name);
  const std::optional<std::uint32_t> others = array_index(other);
  return index && (!others || *index < *others);
}

// The columns as the properties of an object: the names in their order, and for each column of the statement
// its place.
class ColumnPlaces {
 public:
  explicit ColumnPlaces(sqlite3_stmt* statement) {
    const int count = sqlite3_column_count(statement);
    std::vector<std::string> all;
    for (int i = 0; i < count; ++i) {
      std::string name(text_or_empty(sqlite3_column_name(statement, i)));
      if (std::ranges::find(all, name) != all.end()) continue;
      const auto before =
          std::ranges::find_if(all, [&name](const std::string& other) { return precedes(name, other); });
      all.insert(before, std::move(name));
    }
    for (int i = 0; i < count; ++i) {
      const auto at = std::ranges::find(all, text_or_empty(sqlite3_column_name(statement, i)));
      places_.push_back(static_cast<std::size_t>(at - all.begin()));
    }
    names_ = std::make_shared<const std::vector<std::string>>(std::move(all));
  }

  SqlRow row(sqlite3_stmt* statement) const {
    std::vector<SqlValue> values(names_->size());
    for (std::size_t i = 0; i < places_.size(); ++i)
      values[places_[i]] = column_value(statement, static_cast<int>(i));
    return SqlRow(names_, std::move(values));
  }

 private:
  SqlRow::Columns names_;
  std::vector<std::size_t> places_;
};

std::size_t row_bytes(const SqlRow& row) {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    sum += sizeof(SqlValue);
    if (row[i].text() != nullptr) sum += row[i].text()->size();
    if (row[i].blob() != nullptr) sum += row[i].blob()->bytes.size();
  }
  return sum;
}

bool is_blank(std::string_view sql) { return sql.find_first_not_of(" \t\r\n\f;") == sql.npos; }

}  // namespace

// The connection, with what one call has used up.
class SqliteDatabase::Connection {
 public:
  explicit Connection(const SqliteDatabaseOptions& options) : options_(options) {}
  Connection(const Connection&) = delete;
  ~Connection() { sqlite3_close_v2(database_); }

  Result<> open(const std::string& path) {
    if (path.find('\0') != path.npos) return Error(Errc::invalid_argument, "a path with a zero byte");
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path.c_str(), &database_, flags, nullptr) != SQLITE_OK) return cannot_open(path);
    sqlite3_extended_result_codes(database_, 1);
    const Result<> prepared =
        own("PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; SELECT * FROM sqlite_schema LIMIT 1");
    if (!prepared) return cannot_open(path);
    set_limits();
    sqlite3_db_config(database_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_set_authorizer(database_, &Connection::authorize, this);
    sqlite3_progress_handler(database_, instructions_each, &Connection::progress, this);
    return {};
  }

  // Runs all of them in one transaction.
  Result<std::vector<SqlResult>> transact(const std::vector<SqlStatement>& statements) {
    instructions_ = 0;
    bytes_ = 0;
    if (Result<> begun = own("BEGIN IMMEDIATE"); !begun) return std::move(begun).error();
    std::vector<SqlResult> results;
    for (const SqlStatement& statement : statements) {
      Result<SqlResult> result = run(statement);
      if (!result) return undo(std::move(result).error());
      results.push_back(*std::move(result));
    }
    if (Result<> done = own("COMMIT"); !done) return undo(std::move(done).error());
    return results;
  }

 private:
  static constexpr int instructions_each = 10'000;

  Error cannot_open(const std::string& path) const {
    const std::string text = "cannot open the database " + path;
    const int code = database_ == nullptr ? SQLITE_NOMEM : sqlite3_errcode(database_) & 0xff;
    const int system = database_ == nullptr ? 0 : sqlite3_system_errno(database_);
    if (code == SQLITE_NOMEM) return Error::out_of_memory();
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
      return Error(Errc::bad_message, text + ": it is none");
    if (system == ENOENT || system == ENOTDIR) return Error(Errc::not_found, text);
    if (system == EACCES || system == EPERM || system == EROFS) return Error(Errc::permission_denied, text);
    return Error(Errc::unavailable, text + ": " + sqlite3_errmsg(database_));
  }

  void set_limits() {
    const std::pair<int, int> limits[] = {{SQLITE_LIMIT_SQL_LENGTH, static_cast<int>(statement_bytes_max)},
                                          {SQLITE_LIMIT_VARIABLE_NUMBER, static_cast<int>(values_max)},
                                          {SQLITE_LIMIT_COLUMN, 100},
                                          {SQLITE_LIMIT_EXPR_DEPTH, 100},
                                          {SQLITE_LIMIT_COMPOUND_SELECT, 5},
                                          {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50},
                                          {SQLITE_LIMIT_ATTACHED, 0},
                                          {SQLITE_LIMIT_TRIGGER_DEPTH, 10},
                                          {SQLITE_LIMIT_WORKER_THREADS, 0}};
    for (const auto& [limit, value] : limits) sqlite3_limit(database_, limit, value);
  }

  // Runs our own statements, which the authorizer lets pass.
  Result<> own(const char* sql) {
    own_ = true;
    const int code = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
    own_ = false;
    if (code != SQLITE_OK) return sqlite_error(database_);
    return {};
  }

  Error undo(Error why) {
    if (sqlite3_get_autocommit(database_) == 0) (void)own("ROLLBACK");
    return why;
  }

  Error failed() {
    if (sqlite3_errcode(database_) != SQLITE_INTERRUPT) return sqlite_error(database_);
    return Error(Errc::reset, "D1_ERROR: D1 DB exceeded its CPU time limit and was reset.");
  }

  // Runs a text of statements, the last of which has the values.
  Result<SqlResult> run(const SqlStatement& statement) {
    std::string_view rest = statement.text;
    if (is_blank(rest)) return d1_error("No SQL statements detected.");
    if (rest.find('\0') != rest.npos) return d1_error("SQL with a zero byte.");
    const std::int64_t changed = sqlite3_total_changes64(database_);
    SqlResult result;
    bool ran = false;
    while (!is_blank(rest)) {
      sqlite3_stmt* made = nullptr;
      const char* tail = nullptr;
      const int code =
          sqlite3_prepare_v2(database_, rest.data(), -1, &made, &tail);  // to the end of the text
      const Prepared prepared(made);
      if (code != SQLITE_OK) return failed();
      rest.remove_prefix(static_cast<std::size_t>(tail - rest.data()));
      if (prepared == nullptr) continue;  // a comment
      const bool last = is_blank(rest);
      if (Result<> bound = bind_all(*prepared, last ? statement.values : std::vector<SqlValue>()); !bound) {
        return std::move(bound).error();
      }
      result.rows.clear();
      if (Result<> done = step(*prepared, result); !done) return std::move(done).error();
      ran = true;
    }
    if (!ran) return d1_error("SQL code did not contain a statement.");
    result.changes = static_cast<std::uint64_t>(sqlite3_total_changes64(database_) - changed);
    result.last_row_id = sqlite3_last_insert_rowid(database_);
    return result;
  }

  Result<> bind_all(sqlite3_stmt& prepared, const std::vector<SqlValue>& values) {
    if (static_cast<std::size_t>(sqlite3_bind_parameter_count(&prepared)) != values.size()) {
      return d1_error("Wrong number of parameter bindings for SQL query.");
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (bind_value(&prepared, static_cast<int>(i) + 1, values[i]) != SQLITE_OK) return failed();
    }
    return {};
  }

  Result<> step(sqlite3_stmt& prepared, SqlResult& result) {
    const ColumnPlaces columns(&prepared);
    for (;;) {
      const int code = sqlite3_step(&prepared);
      if (code == SQLITE_DONE) return {};
      if (code != SQLITE_ROW) return failed();
      result.rows.push_back(columns.row(&prepared));
      bytes_ += row_bytes(result.rows.back());
      if (bytes_ > options_.result_bytes_max) {
        return Error(Errc::limit_exceeded, "D1_ERROR: a result of more than " +
                                               std::to_string(options_.result_bytes_max) + " bytes");
      }
    }
  }

  static int progress(void* self) {
    auto& connection = *static_cast<Connection*>(self);
    connection.instructions_ += instructions_each;
    return connection.instructions_ > connection.options_.instructions_max && !connection.own_ ? 1 : 0;
  }

  static int authorize(void* self, int action, const char* first, const char* second, const char*,
                       const char*) {
    if (static_cast<Connection*>(self)->own_) return SQLITE_OK;
    switch (action) {
      case SQLITE_TRANSACTION:
      case SQLITE_SAVEPOINT:
      case SQLITE_ATTACH:
      case SQLITE_DETACH: return SQLITE_DENY;
      case SQLITE_PRAGMA:
        return std::ranges::find(allowed_pragmas, lower(text_or_empty(first))) == allowed_pragmas.end()
                   ? SQLITE_DENY
                   : SQLITE_OK;
      case SQLITE_FUNCTION:
        return begins_in_any_case(second, "load_extension") || begins_in_any_case(second, "sqlite_")
                   ? SQLITE_DENY
                   : SQLITE_OK;
      default:
        return begins_in_any_case(first, "_cf_") || begins_in_any_case(second, "_cf_") ? SQLITE_DENY
                                                                                       : SQLITE_OK;
    }
  }

  const SqliteDatabaseOptions options_;
  sqlite3* database_ = nullptr;
  bool own_ = false;                // a statement of ours runs
  std::uint64_t instructions_ = 0;  // of this call
  std::size_t bytes_ = 0;           // of its results
};

SqliteDatabase::SqliteDatabase(std::unique_ptr<Connection> connection, SqliteDatabaseOptions options)
    : connection_(std::move(connection)), options_(options) {}
SqliteDatabase::~SqliteDatabase() = default;

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const std::string& path,
                                                             SqliteDatabaseOptions options) {
  auto connection = std::make_unique<Connection>(options);
  if (Result<> opened = connection->open(path); !opened) return std::move(opened).error();
  return std::unique_ptr<SqliteDatabase>(new SqliteDatabase(std::move(connection), options));
}

Result<> SqliteDatabase::run_script(const std::string& sql) {
  std::vector<SqlStatement> one;
  one.emplace_back(sql);
  const Result<std::vector<SqlResult>> done = connection_->transact(one);
  if (!done) return done.error();
  return {};
}

Task<std::vector<SqlResult>> SqliteDatabase::execute(std::vector<SqlStatement> statements) {
  co_await detail::simulated_call(options_.latency, options_.fail_one_in, "the database is overloaded");
  Result<std::vector<SqlResult>> results = connection_->transact(statements);
  if (!results) co_return std::move(results).error();
  Reactor& reactor = co_await this_reactor;
  if (reactor.random().one_in(options_.lose_one_in))
    co_return Error(Errc::reset, "D1_ERROR: connection lost");
  co_return *std::move(results);
}

}  // namespace escapement
