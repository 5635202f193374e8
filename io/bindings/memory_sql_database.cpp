#include <escapement/io/bindings/memory_sql_database.h>

#include <escapement/io/bindings/detail/simulated_call.h>

namespace escapement {

namespace {

std::string with_single_spaces(std::string_view sql) {
  std::string text;
  for (const char character : sql) {
    const bool space = character == ' ' || character == '\n' || character == '\t' || character == '\r';
    if (!space) text += character;
    if (space && !text.empty() && text.back() != ' ') text += ' ';
  }
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

void MemorySqlDatabase::answer(std::string_view sql, Answer answer) {
  answers_.insert_or_assign(with_single_spaces(sql), std::move(answer));
}

Task<std::vector<SqlResult>> MemorySqlDatabase::execute(std::vector<SqlStatement> statements) {
  co_await detail::simulated_call(options_.latency, options_.fail_one_in, "the database is overloaded");
  std::vector<SqlResult> results;
  for (SqlStatement& statement : statements) {
    const auto at = answers_.find(with_single_spaces(statement.text));
    if (at == answers_.end()) {
      co_return Error(Errc::invalid_argument, "no answer is set for the statement: " + statement.text);
    }
    Result<SqlResult> result = at->second(statement.values);
    ran_.push_back(std::move(statement));
    if (!result) co_return std::move(result).error();
    results.push_back(*std::move(result));
  }
  co_return std::move(results);
}

}  // namespace escapement
