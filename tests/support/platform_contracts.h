// The promises of SqlDatabase, ResponseCache and JsonValues, as tasks that run natively, in simulations and
// in workerd. Each yields the first expectation that does not hold; empty: all do.

#pragma once

#include <limits>
#include <string>

#include <escapement/io/bindings/json_values.h>
#include <escapement/io/bindings/response_cache.h>
#include <escapement/io/bindings/sql_database.h>

#include "support/binding_contracts.h"

namespace escapement::test {

// D1's values: numbers are JavaScript's, and columns the properties of an object.
inline Task<std::string> sql_values_contract(SqlDatabase& database) {
  const SqlStatement types("SELECT typeof(?1) AS type, ?1 AS value, ?1 || '' AS text");
  std::optional<SqlRow> row = co_await database.first(types.bind(1));
  ESC_EXPECT(row && (*row)[0] == SqlValue("real") && (*row)[1] == SqlValue(1) &&
             (*row)[2] == SqlValue("1.0"));
  row = co_await database.first(types.bind(SqlBlob()));
  ESC_EXPECT(row && (*row)[0] == SqlValue("blob") && (*row)[1] == SqlValue(SqlBlob()));
  row = co_await database.first(types.bind(nullptr));
  ESC_EXPECT(row && (*row)[0] == SqlValue("null") && (*row)[1].is_null() && (*row)[2].is_null());
  row = co_await database.first(types.bind(std::string("a\0b", 3)));
  ESC_EXPECT(row && (*row)[0] == SqlValue("text") && (*row)[1] == SqlValue(std::string("a\0b", 3)));
  row = co_await database.first(
      "SELECT 2.0, 9e999, -9e999, 9223372036854775807, -9007199254740992, -0.0, 1e300");
  ESC_EXPECT(row && (*row)[0] == SqlValue(2) && (*row)[1].is_null() && (*row)[2].is_null());
  ESC_EXPECT((*row)[3] == SqlValue(9223372036854775807.0) && (*row)[4] == SqlValue(-9007199254740992.0));
  ESC_EXPECT((*row)[5] == SqlValue(0) && (*row)[6] == SqlValue(1e300));
  row = co_await database.first("SELECT 1 AS a, 2 AS b, 3 AS a, 4 AS '10', 5 AS '2', 6 AS '01'");
  const std::vector<std::string> names{"2", "10", "a", "b", "01"};
  ESC_EXPECT(row && row->columns() == names && (*row)[2] == SqlValue(3) && (*row)[4] == SqlValue(6));
  row = co_await database.first("SELECT CAST(x'80ff41' AS TEXT), CAST(x'e28241e282ac' AS TEXT)");
  ESC_EXPECT(row && (*row)[0] == SqlValue("\xef\xbf\xbd\xef\xbf\xbd"
                                          "A"));
  ESC_EXPECT((*row)[1] == SqlValue("\xef\xbf\xbd"
                                   "A\xe2\x82\xac"));
  co_return std::string();
}

// D1's counts, its words, and its refusals. `database` must have the table of sql_contract.
inline Task<std::string> sql_statements_contract(SqlDatabase& database) {
  SqlResult done = co_await database.run(
      "CREATE TABLE pets (id INTEGER PRIMARY KEY, owner REFERENCES people (id), legs, CHECK (legs <> 3))");
  ESC_EXPECT(done.changes == 0);
  done = co_await database.all("INSERT INTO pets (legs) VALUES (4) RETURNING id, legs");
  ESC_EXPECT(done.rows.size() == 1 && done.rows[0][0] == SqlValue(1) && done.changes == 1 &&
             done.last_row_id == 1);
  done = co_await database.all("SELECT id FROM pets WHERE id = 99");
  ESC_EXPECT(done.rows.empty() && done.changes == 0 && done.last_row_id == 1);
  done = co_await database.run("UPDATE pets SET legs = 2 WHERE id = 99");
  ESC_EXPECT(done.changes == 0);
  done = co_await database.run("INSERT INTO pets (id) VALUES (1) ON CONFLICT DO NOTHING");
  ESC_EXPECT(done.changes == 0);
  done = co_await database.all("SELECT 1 AS first; SELECT 2 AS second;  ");
  ESC_EXPECT(done.rows.size() == 1 && done.rows[0].columns()[0] == "second");

  const auto words = [&database](const char* sql) -> Task<std::string> {
    Result<SqlResult> failed = co_await database.run(sql).result();
    co_return failed ? "it ran" : to_string(failed.error());
  };
  std::string text = co_await words("INSERT INTO people (name) VALUES ('Ada')");
  ESC_EXPECT(text ==
             "invalid_argument: D1_ERROR: UNIQUE constraint failed: people.name: SQLITE_CONSTRAINT "
             "(extended: SQLITE_CONSTRAINT_UNIQUE)");
  text = co_await words("INSERT INTO pets (owner) VALUES (99)");
  ESC_EXPECT(text ==
             "invalid_argument: D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT "
             "(extended: SQLITE_CONSTRAINT_FOREIGNKEY)");
  text = co_await words("SELECT nope FROM pets");
  ESC_EXPECT(text == "invalid_argument: D1_ERROR: no such column: nope at offset 7: SQLITE_ERROR");
  text = co_await words("INSERT INTO pets (id) VALUES ('text')");
  ESC_EXPECT(text == "invalid_argument: D1_ERROR: datatype mismatch: SQLITE_MISMATCH");
  text = co_await words("");
  ESC_EXPECT(text == "invalid_argument: D1_ERROR: No SQL statements detected.");
  text = co_await words("SELECT ?1");
  ESC_EXPECT(text == "invalid_argument: D1_ERROR: Wrong number of parameter bindings for SQL query.");
  for (const char* const sql :
       {"BEGIN", "ROLLBACK", "SAVEPOINT here", "ATTACH 'other' AS other", "VACUUM", "PRAGMA user_version",
        "CREATE TABLE _cf_own (a)", "SELECT load_extension('x')", "SELECT sqlite_version()",
        "SELECT 'a' LIKE 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'", "-- a comment",
        "SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL "
        "SELECT 6"}) {
    Result<SqlResult> failed = co_await database.run(sql).result();
    if (failed || failed.error() != Errc::invalid_argument) co_return std::string("not refused: ") + sql;
  }
  done = co_await database.all("PRAGMA table_info(pets)");
  ESC_EXPECT(done.rows.size() == 3);
  co_return std::string();
}

// `database` must be empty, and understand SQL.
inline Task<std::string> sql_contract(SqlDatabase& database) {
  SqlResult done = co_await database.run(
      "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
      "height REAL, photo BLOB, more)");
  ESC_EXPECT(done.rows.empty());
  const SqlStatement insert("INSERT INTO people (name, height, photo, more) VALUES (?1, ?2, ?3, ?4)");
  const std::string bytes("zero\0 and \xff", 11);
  const SqlBlob photo(bytes);
  done = co_await database.run(insert.bind("Ada", 1.75, photo, nullptr));
  ESC_EXPECT(done.changes == 1 && done.last_row_id == 1);
  done = co_await database.run(insert.bind(std::string("Gr\xc3\xa4"
                                                       "ce"),
                                           0.1, SqlBlob(), SqlDatabase::integer_max));
  ESC_EXPECT(done.changes == 1 && done.last_row_id == 2);

  const SqlStatement by_id("SELECT id, name, height, photo, more FROM people WHERE id = ?1");
  std::optional<SqlRow> row = co_await database.first(by_id.bind(1));
  ESC_EXPECT(row && row->size() == 5 && row->columns()[1] == "name");
  ESC_EXPECT((*row)[0] == SqlValue(1) && *row->find("name") == SqlValue("Ada"));
  ESC_EXPECT(*row->find("height") == SqlValue(1.75) && *row->find("photo") == SqlValue(photo));
  ESC_EXPECT(row->find("more")->is_null() && row->find("other") == nullptr);
  Result<std::int64_t> integer = row->get<std::int64_t>("id");
  ESC_EXPECT(integer && *integer == 1);
  integer = row->get<std::int64_t>("name");
  ESC_EXPECT(!integer && integer.error() == Errc::invalid_argument);
  integer = row->get<std::int64_t>("other");
  ESC_EXPECT(!integer && integer.error() == Errc::invalid_argument);
  Result<double> real = row->get<double>("height");
  ESC_EXPECT(real && *real == 1.75);
  Result<std::optional<double>> none = row->get<std::optional<double>>("more");
  ESC_EXPECT(none && !*none);
  row = co_await database.first(by_id.bind(2));
  ESC_EXPECT(row && *row->find("height") == SqlValue(0.1) &&
             *row->find("more") == SqlValue(SqlDatabase::integer_max));
  ESC_EXPECT(*row->find("name") == SqlValue("Gr\xc3\xa4"
                                            "ce") &&
             row->find("photo")->blob() != nullptr);
  row = co_await database.first(by_id.bind(3));
  ESC_EXPECT(!row);

  SqlResult all = co_await database.all("SELECT name FROM people ORDER BY id DESC");
  ESC_EXPECT(all.rows.size() == 2 && all.rows[1][0] == SqlValue("Ada"));
  done = co_await database.run("UPDATE people SET more = 'text'");
  ESC_EXPECT(done.changes == 2);

  // A batch takes place as a whole.
  std::vector<SqlStatement> both;
  both.push_back(insert.bind("Alan", true, nullptr, nullptr));
  both.push_back("SELECT COUNT(*) AS count FROM people");
  std::vector<SqlResult> results = co_await database.batch(both);
  ESC_EXPECT(results.size() == 2 && results[0].changes == 1 &&
             *results[1].rows[0].find("count") == SqlValue(3));
  both.clear();
  both.push_back(insert.bind("Edsger", 2, nullptr, nullptr));
  both.push_back(insert.bind("Ada", 2, nullptr, nullptr));
  Result<std::vector<SqlResult>> broken = co_await database.batch(both).result();
  ESC_EXPECT(!broken && broken.error() == Errc::invalid_argument);
  row = co_await database.first("SELECT COUNT(*) AS count FROM people");
  ESC_EXPECT(*row->find("count") == SqlValue(3));
  both.clear();
  results = co_await database.batch(both);
  ESC_EXPECT(results.empty());

  Result<SqlResult> bad = co_await database.run("SELEKT 1").result();
  ESC_EXPECT(!bad && bad.error() == Errc::invalid_argument);
  bad = co_await database.run("SELECT * FROM nowhere").result();
  ESC_EXPECT(!bad && bad.error() == Errc::invalid_argument);
  bad = co_await database.run(by_id.bind(1, 2)).result();
  ESC_EXPECT(!bad && bad.error() == Errc::invalid_argument);
  bad = co_await database.run(by_id.bind(std::numeric_limits<std::int64_t>::max())).result();
  ESC_EXPECT(!bad && bad.error() == Errc::invalid_argument);
  for (const double real : {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                            std::numeric_limits<double>::quiet_NaN()}) {
    bad = co_await database.run(by_id.bind(real)).result();
    ESC_EXPECT(!bad && bad.error() == Errc::invalid_argument);
  }
  // Not told by what the SQL says.
  bad = co_await database.run("SELECT * FROM [internal error timeout]").result();
  ESC_EXPECT(!bad && bad.error() == Errc::invalid_argument);
  bad = co_await database.run(by_id.bind(std::string(SqlDatabase::value_bytes_max + 1, 'x'))).result();
  ESC_EXPECT(!bad && bad.error() == Errc::limit_exceeded);
  bad = co_await database.run(std::string(SqlDatabase::statement_bytes_max + 1, ' ')).result();
  ESC_EXPECT(!bad && bad.error() == Errc::limit_exceeded);
  SqlStatement many("SELECT 1");
  many.values.resize(SqlDatabase::values_max + 1);
  bad = co_await database.run(many).result();
  ESC_EXPECT(!bad && bad.error() == Errc::limit_exceeded);
  std::string wrong = co_await sql_values_contract(database);
  if (!wrong.empty()) co_return std::move(wrong);
  wrong = co_await sql_statements_contract(database);
  co_return std::move(wrong);
}

inline http::Url url_of(std::string_view text) { return *http::Url::parse(text); }

inline http::Headers field(std::string name, std::string value) {
  http::Headers headers;
  headers.add(std::move(name), std::move(value));
  return headers;
}

inline http::Response fresh(std::string body, std::string_view control = "max-age=60") {
  http::Response response(200, std::move(body));
  response.headers.set("Cache-Control", control);
  return response;
}

inline Task<std::string> kept_in(ResponseCache& cache, http::Url url) {
  std::optional<http::Response> response = co_await cache.match(std::move(url));
  if (!response) co_return std::string("nothing");
  std::string text = co_await response->body.text(1 * MiB);
  co_return std::to_string(response->status) + ' ' + text;
}

// `cache` must be empty. Takes no time.
inline Task<std::string> cache_contract(ResponseCache& cache) {
  const http::Url page = url_of("http://cached.example/page?a=1");
  std::string kept = co_await kept_in(cache, page);
  ESC_EXPECT(kept == "nothing");
  http::Response response = fresh("0123456789");
  response.headers.set("ETag", "\"one\"");
  response.headers.set("Last-Modified", "Tue, 24 Nov 2026 09:00:00 GMT");
  response.headers.set("X-Own", "kept");
  co_await cache.put(page, std::move(response));
  std::optional<http::Response> found = co_await cache.match(page);
  ESC_EXPECT(found && found->status == 200 && found->headers.get_or("x-own", "") == "kept");
  std::string text = co_await found->body.text(100);
  ESC_EXPECT(text == "0123456789");
  kept = co_await kept_in(cache, url_of("http://cached.example/page?a=2"));
  ESC_EXPECT(kept == "nothing");

  found = co_await cache.match(page, field("Range", "bytes=2-4"));
  ESC_EXPECT(found && found->status == 206 && found->headers.get_or("content-range", "") == "bytes 2-4/10");
  text = co_await found->body.text(100);
  ESC_EXPECT(text == "234");
  found = co_await cache.match(page, field("If-None-Match", "\"two\", \"one\""));
  ESC_EXPECT(found && found->status == 304);
  found = co_await cache.match(page, field("If-None-Match", "\"two\""));
  ESC_EXPECT(found && found->status == 200);
  found = co_await cache.match(page, field("If-Modified-Since", "Tue, 24 Nov 2026 09:00:00 GMT"));
  ESC_EXPECT(found && found->status == 304);
  found = co_await cache.match(page, field("If-Modified-Since", "Tue, 24 Nov 2026 08:59:59 GMT"));
  ESC_EXPECT(found && found->status == 200);

  co_await cache.put(page, fresh("another"));
  kept = co_await kept_in(cache, page);
  ESC_EXPECT(kept == "200 another");
  const http::Url other = url_of("http://cached.example/other");
  co_await cache.put(other, fresh("s", "s-maxage=60, max-age=0"));
  kept = co_await kept_in(cache, other);
  ESC_EXPECT(kept == "200 s");
  bool removed = co_await cache.remove(other);
  ESC_EXPECT(removed);
  removed = co_await cache.remove(other);
  ESC_EXPECT(!removed);
  kept = co_await kept_in(cache, other);
  ESC_EXPECT(kept == "nothing");

  co_await cache.put(other, fresh("no", "no-store"));
  kept = co_await kept_in(cache, other);
  ESC_EXPECT(kept == "nothing");
  co_await cache.put(other, fresh("no", "private, max-age=60"));
  kept = co_await kept_in(cache, other);
  ESC_EXPECT(kept == "nothing");
  response = fresh("no");
  response.headers.set("Set-Cookie", "a=b");
  co_await cache.put(other, std::move(response));
  kept = co_await kept_in(cache, other);
  ESC_EXPECT(kept == "nothing");
  response = fresh("no");
  response.status = 206;
  Result<> put = co_await cache.put(other, std::move(response)).result();
  ESC_EXPECT(!put && put.error() == Errc::invalid_argument);
  response = fresh("no");
  response.headers.set("Vary", "*");
  put = co_await cache.put(other, std::move(response)).result();
  ESC_EXPECT(!put && put.error() == Errc::invalid_argument);

  // Fields that may not be sent are refused, and cost nothing else.
  const http::Headers wrong[] = {field("X-Own", "a\nX-Other: b"), field("bad name", "a")};
  for (const http::Headers& headers : wrong) {
    response = fresh("no");
    headers.each([&response](std::string_view name, std::string_view value) {
      response.headers.add(std::string(name), std::string(value));
    });
    put = co_await cache.put(page, std::move(response)).result();
    ESC_EXPECT(!put && put.error() == Errc::invalid_argument);
    Result<std::optional<http::Response>> matched = co_await cache.match(page, headers).result();
    ESC_EXPECT(!matched && matched.error() == Errc::invalid_argument);
  }
  response = fresh("no");
  response.status = 600;
  put = co_await cache.put(page, std::move(response)).result();
  ESC_EXPECT(!put && put.error() == Errc::invalid_argument);
  kept = co_await kept_in(cache, page);
  ESC_EXPECT(kept == "200 another");
  co_return std::string();
}

inline constexpr std::string_view json_document =
    R"({"limits": {"max": 5, "a/b~c": -1.5e1, "on": true}, "names": ["a", "b\n\u00e4\ud83d\ude00"], "none": null})";

// `values` must be those of `json_document`.
inline std::string json_contract(const JsonValues& values) {
  const auto holds = [&values]() -> std::string {
#define ESC_JSON(condition) \
  if (!(condition)) return #condition
    ESC_JSON(values.number("/limits/max") == 5);
    ESC_JSON(values.number("/limits/a~1b~0c") == -15);
    ESC_JSON(values.boolean("/limits/on") == true);
    ESC_JSON(!values.boolean("/limits/max") && !values.number("/limits/on") && !values.text("/limits/max"));
    ESC_JSON(values.text("/names/0") == "a");
    ESC_JSON(values.text("/names/1") == "b\n\xc3\xa4\xf0\x9f\x98\x80");
    ESC_JSON(values.json("/names/0") == "\"a\"");
    ESC_JSON(values.json("/none") == "null");
    for (const char* const missing : {"/names/2", "/names/00", "/names/-", "/names/length", "/nothing",
                                      "/none/x", "limits", "/limits/max/0", "/", "/constructor"}) {
      ESC_JSON(!values.at(missing));
    }
    ESC_JSON(values.json("").has_value());
#undef ESC_JSON
    return {};
  };
  return holds();
}

}  // namespace escapement::test
