#include <escapement/io/bindings/sql_database.h>

#include <algorithm>
#include <cmath>

namespace escapement {

namespace {

Result<> check_value(const SqlValue& value) {
  std::size_t bytes = 0;
  if (const std::string* const text = value.text()) bytes = text->size();
  if (const SqlBlob* const blob = value.blob()) bytes = blob->bytes.size();
  if (bytes > SqlDatabase::value_bytes_max) {
    return Error(Errc::limit_exceeded, "an SQL value of " + std::to_string(bytes) + " bytes");
  }
  if (const double* const real = value.real(); real != nullptr && !std::isfinite(*real)) {
    return Error(Errc::invalid_argument, "an SQL value is not a finite number");
  }
  const std::int64_t* const integer = value.integer();
  if (integer != nullptr && (*integer > SqlDatabase::integer_max || *integer < -SqlDatabase::integer_max)) {
    return Error(Errc::invalid_argument, "the integer " + std::to_string(*integer) + " is beyond 2^53");
  }
  return {};
}

}  // namespace

const SqlValue* SqlRow::find(std::string_view column) const {
  const auto at = std::ranges::find(*columns_, column);
  const std::size_t place = static_cast<std::size_t>(at - columns_->begin());
  return place < values_.size() ? &values_[place] : nullptr;
}

Error SqlRow::cannot(std::string_view column, std::string_view type) const {
  const SqlValue* const value = find(column);
  std::string text = "the column " + std::string(column);
  if (value == nullptr) return Error(Errc::invalid_argument, "there is no column " + std::string(column));
  text += value->is_null() ? " is NULL, not " : " is not ";
  return Error(Errc::invalid_argument, text + std::string(type));
}

Result<> SqlRow::take(std::string_view column, std::int64_t& to) const {
  const SqlValue* const value = find(column);
  if (value != nullptr && value->integer() != nullptr) {
    to = *value->integer();
    return {};
  }
  const double* const real = value == nullptr ? nullptr : value->real();
  if (real == nullptr || std::trunc(*real) != *real || std::abs(*real) > SqlDatabase::integer_max) {
    return cannot(column, "INTEGER");
  }
  to = static_cast<std::int64_t>(*real);
  return {};
}

Result<> SqlRow::take(std::string_view column, double& to) const {
  const SqlValue* const value = find(column);
  if (value != nullptr && value->real() != nullptr) {
    to = *value->real();
    return {};
  }
  if (value == nullptr || value->integer() == nullptr) return cannot(column, "REAL");
  to = static_cast<double>(*value->integer());
  return {};
}

Result<> SqlRow::take(std::string_view column, bool& to) const {
  std::int64_t integer = 0;
  if (Result<> taken = take(column, integer); !taken) return taken;
  to = integer != 0;
  return {};
}

Result<> SqlRow::take(std::string_view column, std::string& to) const {
  const SqlValue* const value = find(column);
  if (value == nullptr || value->text() == nullptr) return cannot(column, "TEXT");
  to = *value->text();
  return {};
}

Result<> SqlRow::take(std::string_view column, SqlBlob& to) const {
  const SqlValue* const value = find(column);
  if (value == nullptr || value->blob() == nullptr) return cannot(column, "BLOB");
  to = *value->blob();
  return {};
}

SqlResult SqlResult::of(std::vector<std::string> columns, std::vector<std::vector<SqlValue>> rows) {
  SqlResult result;
  const SqlRow::Columns names = std::make_shared<const std::vector<std::string>>(std::move(columns));
  for (std::vector<SqlValue>& row : rows) result.rows.emplace_back(names, std::move(row));
  return result;
}

Result<> SqlDatabase::check(const std::vector<SqlStatement>& statements) {
  for (const SqlStatement& statement : statements) {
    if (statement.text.size() > statement_bytes_max) {
      return Error(Errc::limit_exceeded,
                   "an SQL statement of " + std::to_string(statement.text.size()) + " bytes");
    }
    if (statement.values.size() > values_max) {
      return Error(Errc::limit_exceeded,
                   "an SQL statement with " + std::to_string(statement.values.size()) + " values");
    }
    for (const SqlValue& value : statement.values) {
      if (Result<> checked = check_value(value); !checked) return checked;
    }
  }
  return {};
}

Task<std::vector<SqlResult>> SqlDatabase::batch(std::vector<SqlStatement> statements) {
  co_await check(statements);
  std::vector<SqlResult> results;
  if (statements.empty()) co_return std::move(results);
  results = co_await execute(std::move(statements));
  co_return std::move(results);
}

Task<SqlResult> SqlDatabase::all(SqlStatement statement) {
  std::vector<SqlStatement> one;
  one.push_back(std::move(statement));
  std::vector<SqlResult> results = co_await batch(std::move(one));
  co_return std::move(results.front());
}

Task<std::optional<SqlRow>> SqlDatabase::first(SqlStatement statement) {
  SqlResult result = co_await all(std::move(statement));
  if (result.rows.empty()) co_return std::nullopt;
  co_return std::move(result.rows.front());
}

ESC_CORO_WRAPPER Task<SqlResult> SqlDatabase::run(SqlStatement statement) {
  return all(std::move(statement));
}

}  // namespace escapement
