#include "tools/fetch/write_out.h"

#include <nlohmann/json.hpp>

#include <functional>
#include <map>

#include <escapement/core/detail/ascii.h>
#include <escapement/core/detail/number.h>

namespace escapement {

namespace {

using Variables = std::map<std::string, nlohmann::json>;

double seconds_until(const Story& story, Instant at) {
  return at == Instant::never() || story.began == Instant::never() ? 0
                                                                   : (at - story.began).milliseconds() / 1000;
}

std::string text_of(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6f", seconds);
  return text;
}

// Splits "10.0.0.1:80" and "[::1]:80".
void add_peer(Variables& variables, const std::string& peer) {
  const std::size_t colon = peer.rfind(':');
  if (colon == peer.npos) return;
  std::string host = peer.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  variables["remote_ip"] = host;
  variables["remote_port"] = peer.substr(colon + 1);
}

std::uint64_t speed(std::uint64_t bytes, double seconds) {
  return seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds) : 0;
}

Variables variables_of(const Story& story, int exit_code, const std::string& message) {
  Variables variables;
  char status[8];
  std::snprintf(status, sizeof status, "%03d", story.status);
  variables["http_code"] = variables["response_code"] = status;
  variables["http_version"] = story.status == 0 ? "0" : "1.1";
  variables["content_type"] = story.headers.get_or("content-type", "");
  variables["errormsg"] = message;
  variables["http_connect"] = "000";
  variables["referer"] = story.referer;
  variables["ssl_verify_result"] = 0;
  variables["proxy_ssl_verify_result"] = 0;
  variables["remote_ip"] = "";
  variables["remote_port"] = "0";
  variables["exitcode"] = exit_code;
  variables["filename_effective"] = story.file;
  variables["method"] = story.method;
  variables["num_headers"] = story.headers.size();
  variables["num_redirects"] = story.redirects;
  variables["num_retries"] = story.retries;
  variables["redirect_url"] = story.redirect_url;
  variables["scheme"] = story.scheme == "https" ? "HTTPS" : story.scheme == "http" ? "HTTP" : "";
  variables["size_download"] = story.bytes;
  variables["size_header"] = story.head_bytes;
  variables["size_upload"] = story.uploaded;
  variables["url"] = story.url;
  variables["url_effective"] = story.effective_url.empty() ? story.url : story.effective_url;
  variables["urlnum"] = story.number;
  std::size_t connections = 0;
  for (const Attempt& attempt : story.attempts) connections += attempt.connected != Instant::never() ? 1 : 0;
  variables["num_connects"] = connections;
  double connected = 0;
  double encrypted = 0;
  double pretransfer = 0;
  double redirects = 0;
  if (!story.attempts.empty()) {
    const Attempt& last = story.attempts.back();
    connected = seconds_until(story, last.connected);
    encrypted = seconds_until(story, last.encrypted);
    pretransfer = std::max({connected, encrypted, seconds_until(story, last.began)});
    if (story.redirects > 0) redirects = seconds_until(story, last.began);
    for (const Attempt& attempt : story.attempts) {
      if (!attempt.peer.empty()) add_peer(variables, attempt.peer);
    }
  }
  const double total = seconds_until(story, story.ended);
  variables["time_namelookup"] = text_of(connected);  // part of connecting
  variables["time_connect"] = text_of(connected);
  variables["time_appconnect"] = text_of(encrypted);
  variables["time_pretransfer"] = text_of(pretransfer);
  variables["time_starttransfer"] = text_of(seconds_until(story, story.body_began));
  variables["time_redirect"] = text_of(redirects);
  variables["time_total"] = text_of(total);
  variables["speed_download"] = speed(story.bytes, total);
  variables["speed_upload"] = speed(story.uploaded, total);
  return variables;
}

// As curl's: numbers where the text has digits, and null for what there is not.
std::string json_of(Variables variables) {
  for (auto& [name, value] : variables) {
    if (!value.is_string()) continue;
    const std::string text = value.get<std::string>();
    if (name.starts_with("time_")) {
      value = parse_number<double>(text).value_or(0);
    } else if (name == "http_code" || name == "response_code" || name == "http_connect" ||
               name == "remote_port") {
      value = parse_number<int>(text).value_or(0);
    } else if (text.empty() && name != "remote_ip") {
      value = nullptr;
    }
  }
  return nlohmann::json(variables).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string headers_as_json(const http::Headers& headers) {
  nlohmann::json object = nlohmann::json::object();
  for (const http::Headers::Field& field : headers) object[lower(field.name)].push_back(field.value);
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

char escaped(char c) { return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : '\0'; }

}  // namespace

WrittenOut write_out(const std::string& format, const Story& story, int exit_code,
                     const std::string& message) {
  const Variables variables = variables_of(story, exit_code, message);
  WrittenOut written;
  std::string* to = &written.out;
  for (std::size_t at = 0; at < format.size(); ++at) {
    const char next = at + 1 < format.size() ? format[at + 1] : '\0';
    if (format[at] == '\\' && escaped(next) != '\0') {
      *to += escaped(next);
      ++at;
      continue;
    }
    if (format[at] == '%' && next == '%') {
      *to += '%';
      ++at;
      continue;
    }
    const bool header = format.compare(at, 8, "%header{") == 0;
    const std::size_t begin = at + (header ? 8 : 2);
    const std::size_t end =
        header || (format[at] == '%' && next == '{') ? format.find('}', begin) : format.npos;
    if (end == format.npos) {
      *to += format[at];
      if (format[at] == '%' && next != '\0') *to += format[++at];  // as curl does, also for "%\n"
      continue;
    }
    const std::string name = format.substr(begin, end - begin);
    at = end;
    if (header) {
      *to += story.headers.get_or(name, "");
    } else if (name == "stdout" || name == "stderr") {
      to = name == "stdout" ? &written.out : &written.err;
    } else if (name == "onerror") {
      if (exit_code == 0) break;
    } else if (name == "json") {
      *to += json_of(variables);
    } else if (name == "header_json") {
      *to += headers_as_json(story.headers);
    } else if (const auto found = variables.find(name); found != variables.end()) {
      *to += found->second.is_string() ? found->second.get<std::string>() : found->second.dump();
    }
  }
  return written;
}

}  // namespace escapement
