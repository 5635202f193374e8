// SqlDatabase: an SQL database whose statements have typed values (D1).
//
//     const SqlStatement insert("INSERT INTO people (name, age) VALUES (?1, ?2)");
//     SqlResult done = co_await database.run(insert.bind("Ada", 36));
//     const SqlStatement select("SELECT name FROM people WHERE age > ?1");
//     std::optional<SqlRow> row = co_await database.first(select.bind(30));
//     std::string name = co_await row->get<std::string>("name");
//
// A Worker's is wasm_glue/host_sql_database.h; natively and in simulations it is MemorySqlDatabase
// (memory_sql_database.h), which answers the statements that a test expects.
//
// Source: https://developers.cloudflare.com/d1/worker-api/

#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <escapement/core/task.h>

namespace escapement {

// Bytes, as a value that is not text.
class SqlBlob {
 public:
  SqlBlob() = default;
  explicit SqlBlob(std::string b) : bytes(std::move(b)) {}
  bool operator==(const SqlBlob&) const = default;
  std::string bytes;  // any
};

// A value of SQLite's types: NULL, INTEGER, REAL, TEXT, BLOB.
class SqlValue {
 public:
  // The types, in SQLite's words.
  using Variant = std::variant<std::monostate, std::int64_t, double, std::string, SqlBlob>;

  SqlValue() = default;
  SqlValue(std::nullptr_t) {}
  // Makes an INTEGER; of a bool 1 or 0.
  template <std::integral T>
    requires(sizeof(T) < sizeof(std::int64_t) || std::signed_integral<T>)
  SqlValue(T integer) : value_(static_cast<std::int64_t>(integer)) {}
  SqlValue(double real) : value_(real) {}
  SqlValue(std::string text) : value_(std::move(text)) {}
  SqlValue(std::string_view text) : value_(std::string(text)) {}
  SqlValue(const char* text) : value_(std::string(text)) {}
  SqlValue(SqlBlob blob) : value_(std::move(blob)) {}
  // Makes a value of what is there, else NULL.
  template <class T>
  SqlValue(std::optional<T> value) {
    if (value) *this = SqlValue(*std::move(value));
  }
  bool operator==(const SqlValue&) const = default;

  // Returns whether it is NULL.
  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  // Return the value if it is of that type, else null.
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value_); }
  const double* real() const { return std::get_if<double>(&value_); }
  const std::string* text() const { return std::get_if<std::string>(&value_); }
  const SqlBlob* blob() const { return std::get_if<SqlBlob>(&value_); }
  const Variant& variant() const { return value_; }

 private:
  Variant value_;
};

// One row of a result: values under the names of their columns.
class SqlRow {
 public:
  // The names of the columns, which the rows of a result share.
  using Columns = std::shared_ptr<const std::vector<std::string>>;
  // Makes a row of as many values as there are columns.
  SqlRow(Columns columns, std::vector<SqlValue> values)
      : columns_(std::move(columns)), values_(std::move(values)) {}

  // Return the number of columns, and their names.
  std::size_t size() const { return values_.size(); }
  const std::vector<std::string>& columns() const { return *columns_; }
  // Returns the value at a place; `place` must be less than size().
  const SqlValue& operator[](std::size_t place) const { return values_[place]; }
  // Returns the value of the first column of that name, or null if there is none.
  const SqlValue* find(std::string_view column) const;

  // Returns the value of a column as T: std::int64_t, double, bool, std::string, SqlBlob, or an optional of
  // one of them, which is empty for NULL. A double takes an INTEGER too, and a std::int64_t a REAL without a
  // fraction. Fails with invalid_argument, naming the column, for a column that is not there and for a value
  // of another type.
  template <class T>
  Result<T> get(std::string_view column) const {
    T value{};
    if (Result<> taken = take(column, value); !taken) return std::move(taken).error();
    return value;
  }

 private:
  Result<> take(std::string_view column, std::int64_t& to) const;
  Result<> take(std::string_view column, double& to) const;
  Result<> take(std::string_view column, bool& to) const;
  Result<> take(std::string_view column, std::string& to) const;
  Result<> take(std::string_view column, SqlBlob& to) const;
  template <class T>
  Result<> take(std::string_view column, std::optional<T>& to) const {
    const SqlValue* const value = find(column);
    if (value != nullptr && value->is_null()) return {};
    return take(column, to.emplace());
  }
  Error cannot(std::string_view column, std::string_view type) const;

  Columns columns_;
  std::vector<SqlValue> values_;
};

// The outcome of a statement.
class SqlResult {
 public:
  std::vector<SqlRow> rows;        // as the statement orders them; empty for one that only changes
  std::uint64_t changes = 0;       // rows that an INSERT, UPDATE or DELETE has changed
  std::int64_t last_row_id = 0;    // of the last INSERT
  std::uint64_t rows_read = 0;     // that the database has looked at, as it is billed; 0: it does not say
  std::uint64_t rows_written = 0;  // in tables and indexes; 0: it does not say

  // Makes a result of rows, for a test: `SqlResult::of({"id", "name"}, {{1, "Ada"}, {2, "Grace"}})`.
  static SqlResult of(std::vector<std::string> columns, std::vector<std::vector<SqlValue>> rows);
};

// A statement and the values of its parameters ?1, ?2, ...
class SqlStatement {
 public:
  // Makes a statement without values.
  SqlStatement(std::string sql) : text(std::move(sql)) {}
  SqlStatement(const char* sql) : text(sql) {}

  // Returns a copy whose parameters have these values, in their order, in place of those before.
  template <class... V>
  SqlStatement bind(V&&... all) const {
    SqlStatement bound(text);
    bound.values.reserve(sizeof...(all));
    (bound.values.emplace_back(std::forward<V>(all)), ...);
    return bound;
  }

  std::string text;              // one statement of SQL
  std::vector<SqlValue> values;  // of the parameters
};

// Each call is a transaction of its own: it takes place as a whole, or not at all.
//
// Operations fail with invalid_argument (what SQL refuses, with the database's words: a syntax error, a
// missing table, a constraint; the wrong number of values; an integer that a double does not hold exactly;
// infinity and NaN, which D1 would store as NULL),
// limit_exceeded (a statement, a value or a database that is too large), unavailable (overloaded, nothing
// done: try later) and reset (it is unknown whether it took place). To insert what may be there already,
// write `ON CONFLICT DO NOTHING`, and look at `changes`. The database must outlive the tasks.
class SqlDatabase {
 public:
  static constexpr std::size_t statement_bytes_max = 100'000;    // of SQL
  static constexpr std::size_t values_max = 100;                 // of one statement
  static constexpr std::size_t value_bytes_max = 2'000'000;      // of a text or a blob
  static constexpr std::int64_t integer_max = 9007199254740991;  // 2^53 - 1, and as much below zero

  virtual ~SqlDatabase() = default;

  // Runs a statement. Yields all its rows.
  Task<SqlResult> all(SqlStatement statement);
  // Runs a statement. Yields its first row; nullopt if there is none. (Write LIMIT 1: the others are read
  // all the same.)
  Task<std::optional<SqlRow>> first(SqlStatement statement);
  // Runs a statement for its changes.
  Task<SqlResult> run(SqlStatement statement);
  // Runs several statements in order, in one transaction. Yields a result for each.
  Task<std::vector<SqlResult>> batch(std::vector<SqlStatement> statements);

 protected:
  // Runs checked statements in one transaction; there is at least one. Yields as many results.
  virtual Task<std::vector<SqlResult>> execute(std::vector<SqlStatement> statements) = 0;

 private:
  static Result<> check(const std::vector<SqlStatement>& statements);
};

}  // namespace escapement
