#include <fstream>

#include <nlohmann/json.hpp>

#include "tools/timers/text.h"

namespace escapement::lateness {

namespace {

nlohmann::json to_json(const Row& row) {
  const Summary& s = row.summary;
  nlohmann::json json = {{"where", row.where},
                         {"contender", row.contender},
                         {"kind", name(row.kind)},
                         {"target_ms", row.target_ms},
                         {"count", s.count},
                         {"early", s.early},
                         {"late_us",
                          {{"min", s.min},
                           {"p50", s.p50},
                           {"p90", s.p90},
                           {"p99", s.p99},
                           {"p99.9", s.p999},
                           {"max", s.max},
                           {"p50_between", s.p50_between},
                           {"p99_between", s.p99_between}}},
                         {"buckets", s.buckets.counts}};
  if (s.cpu >= 0) json["cpu_us"] = s.cpu;
  return json;
}

// Either a summary as above, or the samples themselves: "samples_us".
Summary summary_of(const nlohmann::json& json) {
  if (json.contains("samples_us")) {
    std::vector<Duration> late;
    for (const double us : json.at("samples_us").get<std::vector<double>>()) {
      late.push_back(std::chrono::duration<double, std::micro>(us));
    }
    return summarize(late, -1ns);
  }
  Summary s;
  json.at("count").get_to(s.count);
  json.at("early").get_to(s.early);
  const nlohmann::json& late = json.at("late_us");
  late.at("min").get_to(s.min);
  late.at("p50").get_to(s.p50);
  late.at("p90").get_to(s.p90);
  late.at("p99").get_to(s.p99);
  late.at("p99.9").get_to(s.p999);
  late.at("max").get_to(s.max);
  late.at("p50_between").get_to(s.p50_between);
  late.at("p99_between").get_to(s.p99_between);
  json.at("buckets").get_to(s.buckets.counts);
  s.cpu = json.value("cpu_us", -1.0);
  return s;
}

Row row_of(const nlohmann::json& json) {
  const std::string kind = json.at("kind");
  return {json.at("where"), json.at("contender"),
          kind == "ours"    ? Kind::ours
          : kind == "floor" ? Kind::floor
                            : Kind::peer,
          json.at("target_ms"), summary_of(json)};
}

}  // namespace

std::string to_json(const std::vector<Row>& rows, const std::string& settings) {
  nlohmann::json all = {
      {"machine", machine_text()}, {"settings", settings}, {"rows", nlohmann::json::array()}};
  for (const Row& row : rows) all["rows"].push_back(to_json(row));
  return all.dump(1);
}

std::string merge_json(const std::string& file, std::vector<Row>& rows) {
  std::ifstream in(file);
  if (!in) return "cannot read " + file;
  try {
    const nlohmann::json all = nlohmann::json::parse(in);
    for (const nlohmann::json& row : all.at("rows")) rows.push_back(row_of(row));
  } catch (const nlohmann::json::exception& error) {
    return file + " is not a result of esc-timers: " + error.what();
  }
  return {};
}

}  // namespace escapement::lateness
