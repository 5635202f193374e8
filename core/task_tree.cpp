#include <escapement/core/task_tree.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace escapement {

namespace detail {

namespace {

// Returns the position of the parenthesis that the last character of `text` closes, or npos.
std::size_t opening(std::string_view text) {
  int depth = 0;
  for (std::size_t i = text.size(); i-- > 0;) {
    if (text[i] == ')') ++depth;
    if (text[i] == '(' && --depth == 0) return i;
  }
  return text.npos;
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size()) {
    text.replace(at, what.size(), by);
  }
}

// Returns the part after the last space that stands outside of brackets: the result's type stands before it.
std::string_view without_result(std::string_view text) {
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '<' || c == '(' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == '}') --depth;
    if (c == ' ' && depth == 0) begin = i + 1;
  }
  return text.substr(begin);
}

}  // namespace

std::string short_function_name(std::string_view pretty) {
  pretty = pretty.substr(0, std::min(pretty.find(" [with "), pretty.find(" [")));
  for (std::string_view qualifier : {" const", " &&", " noexcept"}) {
    if (pretty.ends_with(qualifier)) pretty.remove_suffix(qualifier.size());
  }
  if (pretty.ends_with(')')) {
    const std::size_t parameters = opening(pretty);
    if (parameters != pretty.npos && parameters > 0) pretty = pretty.substr(0, parameters);
  }
  std::string text(pretty);
  replace_all(text, "(anonymous class)", "<lambda>");  // clang
  replace_all(text, "(anonymous namespace)::", "");
  replace_all(text, "{anonymous}::", "");
  text = without_result(text);
  constexpr std::string_view call = "::operator()";
  if (text.ends_with(call)) text.resize(text.size() - call.size());
  const std::size_t lambda = text.rfind("<lambda(");  // g++ shows the lambda's parameters
  if (lambda != text.npos && text.ends_with('>')) text.replace(lambda, text.npos, "<lambda>");
  return text;
}

}  // namespace detail

namespace {

// Formats "250 us", "3.2 ms", "12.4 s", "5 min", "3 h".
std::string text_of(Duration length) {
  char text[32];
  const double seconds = length.seconds();
  if (seconds < 1e-3) {
    std::snprintf(text, sizeof text, "%.0f us", seconds * 1e6);
  } else if (seconds < 1) {
    std::snprintf(text, sizeof text, "%.1f ms", seconds * 1e3);
  } else if (seconds < 600) {
    std::snprintf(text, sizeof text, "%.1f s", seconds);
  } else if (seconds < 36000) {
    std::snprintf(text, sizeof text, "%.0f min", seconds / 60);
  } else {
    std::snprintf(text, sizeof text, "%.1f h", seconds / 3600);
  }
  return text;
}

using Row = std::array<std::string, 4>;

void add_rows(const std::vector<TaskNode>& tree, std::size_t depth, std::vector<Row>& rows) {
  for (const TaskNode& node : tree) {
    Row& row = rows.emplace_back();
    row[0] = std::string(depth * 2, ' ') + node.name;
    row[1] = node.waits_for;
    if (!node.file.empty()) {
      row[2] = text_of(node.waiting);
      row[3] = node.file + ':' + std::to_string(node.line);
    }
    add_rows(node.tasks, depth + 1, rows);
  }
}

void append_json_text(std::string& json, std::string_view text) {
  json += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    if (static_cast<unsigned char>(c) >= ' ') json += c;
  }
  json += '"';
}

void append_json(std::string& json, const TaskNode& node) {
  char seconds[40];
  std::snprintf(seconds, sizeof seconds, "%.9g", node.waiting.seconds());
  append_json_text(json += "{\"name\":", node.name);
  append_json_text(json += ",\"waits_for\":", node.waits_for);
  json.append(",\"seconds\":").append(seconds);
  append_json_text(json += ",\"file\":", node.file);
  json.append(",\"line\":").append(std::to_string(node.line));
  json.append(",\"tasks\":").append(to_json(node.tasks)).append("}");
}

}  // namespace

std::string to_text(const std::vector<TaskNode>& tree) {
  if (!task_tree_built) return "no task tree: it exists in builds with the CMake option ESC_TASK_TREE\n";
  std::vector<Row> rows{{"task", "waits for", "for", "at"}};
  add_rows(tree, 0, rows);
  std::string text;
  std::array<std::size_t, 4> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      line.append(widths[i] - row[i].size() + 3, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string to_json(const std::vector<TaskNode>& tree) {
  std::string json = "[";
  for (const TaskNode& node : tree) {
    if (json.size() > 1) json += ',';
    append_json(json, node);
  }
  return json + ']';
}

}  // namespace escapement
