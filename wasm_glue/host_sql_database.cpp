#include <escapement/wasm_glue/host_sql_database.h>

#include <cstring>

#include <escapement/core/detail/number.h>
#include <escapement/wasm_glue/detail/host_call.h>

// A list: the binding's name, and for each statement its text, the number of its values, and these: 'n', 'i'
// and digits, 'r' and a double's eight bytes, 't' and text, 'b' and bytes. The outcome is for each statement
// its changes, the last row, rows read and written, the numbers of columns and rows, the columns' names, and
// all values.
extern "C" {
[[clang::import_module("escapement_d1"), clang::import_name("execute")]]
void esc_d1_execute(int id, const char* arguments, std::size_t length);
}

namespace escapement::wasm {

namespace {

std::string written(const SqlValue& value) {
  if (value.integer() != nullptr) return 'i' + std::to_string(*value.integer());
  if (value.text() != nullptr) return 't' + *value.text();
  if (value.blob() != nullptr) return 'b' + value.blob()->bytes;
  if (value.real() == nullptr) return "n";
  std::string bytes(1 + sizeof(double), 'r');
  std::memcpy(bytes.data() + 1, value.real(), sizeof(double));  // little-endian, as all of wasm
  return bytes;
}

SqlValue parsed(std::string_view text) {
  const char kind = text.empty() ? 'n' : text.front();
  text.remove_prefix(text.empty() ? 0 : 1);
  if (kind == 'i') return SqlValue(parse_number<std::int64_t>(text).value_or(0));
  if (kind == 't') return SqlValue(text);
  if (kind == 'b') return SqlValue(SqlBlob(std::string(text)));
  if (kind != 'r' || text.size() != sizeof(double)) return SqlValue();
  double real = 0;
  std::memcpy(&real, text.data(), sizeof(double));
  return SqlValue(real);
}

std::int64_t take_number(Unpacked& fields) { return parse_number<std::int64_t>(fields.text()).value_or(0); }

SqlResult take_result(Unpacked& fields) {
  SqlResult result;
  result.changes = static_cast<std::uint64_t>(take_number(fields));
  result.last_row_id = take_number(fields);
  result.rows_read = static_cast<std::uint64_t>(take_number(fields));
  result.rows_written = static_cast<std::uint64_t>(take_number(fields));
  const std::int64_t width = take_number(fields);
  const std::int64_t rows = take_number(fields);
  auto columns = std::make_shared<std::vector<std::string>>();
  for (std::int64_t i = 0; i < width; ++i) columns->push_back(fields.text());
  const SqlRow::Columns names = std::move(columns);
  for (std::int64_t row = 0; row < rows && !fields.empty(); ++row) {
    std::vector<SqlValue> values;
    for (std::int64_t i = 0; i < width; ++i) values.push_back(parsed(fields.next().value_or("n")));
    result.rows.emplace_back(names, std::move(values));
  }
  return result;
}

}  // namespace

Task<std::vector<SqlResult>> HostSqlDatabase::execute(std::vector<SqlStatement> statements) {
  Packed arguments;
  arguments.add(name_);
  for (const SqlStatement& statement : statements) {
    arguments.add(statement.text).add_number(static_cast<std::int64_t>(statement.values.size()));
    for (const SqlValue& value : statement.values) arguments.add(written(value));
  }
  HostOutcome outcome = co_await host_call(esc_d1_execute, std::move(arguments), timeout_);
  Unpacked fields(outcome.bytes);
  std::vector<SqlResult> results;
  for (std::size_t i = 0; i < statements.size(); ++i) results.push_back(take_result(fields));
  co_return std::move(results);
}

}  // namespace escapement::wasm
