#include "tools/timers/page.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tools/timers/picture.h"
#include "tools/timers/text.h"

namespace escapement::lateness {

namespace {

constexpr std::string_view begin_mark = "<!-- timers: ";
constexpr std::string_view mark_end = " -->\n";
constexpr std::string_view end_mark = "<!-- end -->";

// Returns a table with "p50 / p99" of each contender at each target, marking early timers.
std::string markdown_table(const std::vector<Row>& rows) {
  std::vector<double> targets;
  std::vector<std::string> contenders;
  const auto add = [](auto& list, const auto& value) {
    if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
  };
  for (const Row& row : rows) {
    add(targets, row.target_ms);
    add(contenders, row.contender);
  }
  std::string head = "| p50 / p99 late, us |";
  std::string rule = "|---|";
  for (double target : targets) {
    head += " " + target_text(target) + " |";
    rule += "---|";
  }
  std::string text = head + " early |\n" + rule + "---|\n";
  for (const std::string& contender : contenders) {
    std::string line = "| " + contender + " |";
    long early = 0;
    long count = 0;
    for (double target : targets) {
      const auto at = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
        return row.contender == contender && row.target_ms == target;
      });
      if (at == rows.end()) {
        line += " - |";
        continue;
      }
      line += " " + microseconds_text(at->summary.p50) + " / " + microseconds_text(at->summary.p99) + " |";
      early += at->summary.early;
      count += at->summary.count;
    }
    text += line + " " + std::to_string(early) + " of " + std::to_string(count) + " |\n";
  }
  return text;
}

std::string file_name(const std::string& page, const std::string& where) {
  std::string name = std::filesystem::path(page).stem().string() + "-";
  for (char c : where)
    name += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::tolower(c)) : '-';
  return name + ".svg";
}

std::string section(const std::string& page, const std::string& where, const std::vector<Row>& rows) {
  std::string text;
  for (const std::string& place : places(rows)) {
    if (!place.starts_with(where)) continue;
    const std::vector<Row> here = rows_of(rows, place);
    const std::string picture = file_name(page, place);
    std::ofstream(std::filesystem::path(page).parent_path() / "pictures" / picture)
        << picture_svg(place, here);
    text += "![" + place + ": how late timers fire](pictures/" + picture + ")\n\n" + markdown_table(here);
  }
  return text;
}

}  // namespace

std::string update_page(const std::string& page, const std::vector<Row>& rows, const std::string& settings) {
  std::ifstream in(page);
  if (!in) return "cannot read " + page;
  const std::string old{std::istreambuf_iterator<char>(in), {}};
  std::string text;
  std::size_t done = 0;
  for (;;) {
    const std::size_t begin = old.find(begin_mark, done);
    const std::size_t named = begin + begin_mark.size();
    const std::size_t body = begin == old.npos ? old.npos : old.find(mark_end, named);
    if (body == old.npos) break;
    const std::string where = old.substr(named, body - named);
    const std::size_t end = old.find(end_mark, body);
    if (end == old.npos) return page + ": \"" + where + "\" has no " + std::string(end_mark);
    std::string made =
        where == "machine" ? machine_text() + ". " + settings + "\n" : section(page, where, rows);
    if (made.empty())
      made = old.substr(body + mark_end.size(), end - body - mark_end.size());  // not in this run
    text += old.substr(done, body + mark_end.size() - done) + made;
    done = end;
  }
  std::ofstream out(page);
  out << text << old.substr(done);
  return out.flush() ? "" : "cannot write " + page;
}

}  // namespace escapement::lateness
