#include "github/github.h"

#include <utility>

#include "github/base64.h"

namespace escapement::github {

namespace {

using http::percent_encoded;

// Members, or a value of nothing where one is missing or of another type: GitHub adds and removes members,
// and a program without exceptions must not end because of that.
std::string text(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::int64_t integer(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

bool truth(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_boolean() && found->get<bool>();
}

Json member(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() ? *found : Json();
}

std::vector<std::string> names(const Json& array) {
  std::vector<std::string> all;
  for (const Json& item : array)
    all.push_back(item.is_string() ? item.get<std::string>() : text(item, "name"));
  return all;
}

std::string repository_path(const std::string& owner, const std::string& name) {
  return "repos/" + percent_encoded(owner) + '/' + percent_encoded(name);
}

// A path in a repository, whose slashes stay.
std::string content_path(const std::string& owner, const std::string& name, const std::string& path) {
  std::string encoded = percent_encoded(path);
  for (std::size_t at = 0; (at = encoded.find("%2F", at)) != encoded.npos; ++at) encoded.replace(at, 3, "/");
  return repository_path(owner, name) + "/contents/" + encoded;
}

Errc kind_of(const std::string& type, const std::string& message) {
  if (type == "RATE_LIMITED" || message.starts_with("Something went wrong")) return Errc::unavailable;
  if (type == "NOT_FOUND") return Errc::not_found;
  return type == "FORBIDDEN" ? Errc::permission_denied : Errc::invalid_argument;
}

// Adds the fields that GitHub wants in each request, unless the caller has said otherwise.
struct GitHubHeaders {
  Task<http::Response> operator()(http::Request request, const http::Service& next) const {
    for (const auto& [name, value] :
         {std::pair{"User-Agent", "escapement"}, std::pair{"Accept", "application/vnd.github+json"},
          std::pair{"X-GitHub-Api-Version", "2022-11-28"}}) {
      if (!request.headers.has(name)) request.headers.set(name, value);
    }
    return next(std::move(request));
  }
};

constexpr std::size_t page_bytes_max = 16 * MiB;

}  // namespace

Repository Repository::from(const Json& json) {
  Repository repository;
  repository.id = integer(json, "id");
  repository.full_name = text(json, "full_name");
  repository.description = text(json, "description");
  repository.default_branch = text(json, "default_branch");
  repository.url = text(json, "html_url");
  repository.is_private = truth(json, "private");
  repository.stars = integer(json, "stargazers_count");
  return repository;
}

Issue Issue::from(const Json& json) {
  Issue issue;
  issue.number = integer(json, "number");
  issue.title = text(json, "title");
  issue.body = text(json, "body");
  issue.state = text(json, "state");
  issue.author = text(member(json, "user"), "login");
  issue.labels = names(member(json, "labels"));
  issue.is_pull_request = json.contains("pull_request");
  issue.url = text(json, "html_url");
  return issue;
}

Release Release::from(const Json& json) {
  Release release;
  release.id = integer(json, "id");
  release.tag = text(json, "tag_name");
  release.name = text(json, "name");
  release.is_draft = truth(json, "draft");
  release.is_prerelease = truth(json, "prerelease");
  release.url = text(json, "html_url");
  return release;
}

Asset Asset::from(const Json& json) {
  Asset asset;
  asset.id = integer(json, "id");
  asset.name = text(json, "name");
  asset.content_type = text(json, "content_type");
  asset.size = integer(json, "size");
  asset.download_url = text(json, "browser_download_url");
  return asset;
}

Content Content::from(const Json& json) {
  Content content;
  content.type = text(json, "type");
  content.name = text(json, "name");
  content.path = text(json, "path");
  content.sha = text(json, "sha");
  content.size = integer(json, "size");
  if (text(json, "encoding") == "base64") content.bytes = from_base64(text(json, "content"));
  return content;
}

RateLimit RateLimit::from(const Json& json) {
  const Json core = member(member(json, "resources"), "core");
  RateLimit limit;
  limit.limit = integer(core, "limit");
  limit.remaining = integer(core, "remaining");
  limit.reset = integer(core, "reset");
  return limit;
}

std::string next_page(const http::Headers& headers) {
  std::string_view links = headers.get_or("Link", "");
  while (!links.empty()) {
    const std::size_t open = links.find('<');
    const std::size_t close = links.find('>', open);
    if (open == links.npos || close == links.npos) return {};
    const std::string_view url = links.substr(open + 1, close - open - 1);
    links.remove_prefix(close + 1);
    const std::size_t end = std::min(links.find(",", 0), links.size());
    const std::string_view relation = http::list_parameter(links.substr(0, end), "rel");
    if (relation == "next") return std::string(url);
    links.remove_prefix(end);
  }
  return {};
}

GitHub::GitHub(http::Service api, std::string base)
    : calls_(http::layered(GitHubHeaders{}, std::move(api)), base + '/') {}

template <class T>
Generator<T> GitHub::pages(http::Calls calls, std::string first, std::string items) {
  std::string next = std::move(first);
  while (!next.empty()) {
    http::Response response = co_await calls.get(next).send();
    if (response.status != 200) co_await http::fail_by_status("GET " + next, std::move(response));
    const std::string page = co_await response.body.text(page_bytes_max);
    const Json json = co_await http::parse_json(page);
    next = next_page(response.headers);
    const Json array = items.empty() ? json : member(json, items.c_str());
    for (const Json& item : array) co_yield T::from(item);
  }
}

Task<Repository> GitHub::repository(std::string owner, std::string name) const {
  const Json json = co_await calls_.get(repository_path(owner, name)).json();
  co_return Repository::from(json);
}

Generator<Issue> GitHub::issues(std::string owner, std::string repository, int per_page) const {
  const std::string path =
      repository_path(owner, repository) + "/issues?per_page=" + std::to_string(per_page);
  return pages<Issue>(calls_, path, {});
}

Task<Issue> GitHub::create_issue(std::string owner, std::string repository, NewIssue issue) const {
  Json json{{"title", issue.title}};
  if (!issue.body.empty()) json["body"] = issue.body;
  if (!issue.labels.empty()) json["labels"] = issue.labels;
  const std::string path = repository_path(owner, repository) + "/issues";
  const Json made = co_await calls_.post_json(path, json).json();
  co_return Issue::from(made);
}

Task<std::vector<std::string>> GitHub::add_labels(std::string owner, std::string repository,
                                                  std::int64_t number,
                                                  std::vector<std::string> labels) const {
  const std::string path =
      repository_path(owner, repository) + "/issues/" + std::to_string(number) + "/labels";
  const Json json{{"labels", labels}};
  const Json all = co_await calls_.post_json(path, json).json();
  co_return names(all);
}

Generator<Issue> GitHub::search_issues(std::string query) const {
  return pages<Issue>(calls_, "search/issues?q=" + percent_encoded(query), "items");
}

Generator<Release> GitHub::releases(std::string owner, std::string repository) const {
  return pages<Release>(calls_, repository_path(owner, repository) + "/releases", {});
}

Task<Release> GitHub::release_by_tag(std::string owner, std::string repository, std::string tag) const {
  const std::string path = repository_path(owner, repository) + "/releases/tags/" + percent_encoded(tag);
  const Json json = co_await calls_.get(path).json();
  co_return Release::from(json);
}

Generator<Asset> GitHub::assets(std::string owner, std::string repository, std::int64_t release) const {
  const std::string path =
      repository_path(owner, repository) + "/releases/" + std::to_string(release) + "/assets";
  return pages<Asset>(calls_, path, {});
}

Task<Content> GitHub::file(std::string owner, std::string repository, std::string path,
                           std::string ref) const {
  http::Call call = calls_.get(content_path(owner, repository, path));
  if (!ref.empty()) call.query("ref", ref);
  const Json json = co_await call.json();
  if (json.is_array()) co_return Error(Errc::invalid_argument, path + " is a folder");
  co_return Content::from(json);
}

Task<std::string> GitHub::file_bytes(std::string owner, std::string repository, std::string path,
                                     std::string ref) const {
  http::Call call = calls_.get(content_path(owner, repository, path));
  call.header("Accept", "application/vnd.github.raw+json");
  if (!ref.empty()) call.query("ref", ref);
  std::string bytes = co_await call.text();
  co_return std::move(bytes);
}

Generator<Content> GitHub::folder(std::string owner, std::string repository, std::string path) const {
  return pages<Content>(calls_, content_path(owner, repository, path), {});
}

Task<std::string> GitHub::write_file(std::string owner, std::string repository, std::string path,
                                     std::string bytes, std::string message, std::string sha) const {
  Json json{{"message", message}, {"content", to_base64(bytes)}};
  if (!sha.empty()) json["sha"] = sha;
  const std::string where = content_path(owner, repository, path);
  const Json made = co_await calls_.put_json(where, json).json();
  co_return text(member(made, "commit"), "sha");
}

Task<RateLimit> GitHub::rate_limit() const {
  const Json json = co_await calls_.get("rate_limit").json();
  co_return RateLimit::from(json);
}

Task<Json> GitHub::graphql(std::string query, Json variables) const {
  const Json json{{"query", query}, {"variables", variables}};
  const Json answer = co_await calls_.post_json("graphql", json).json();
  const Json errors = member(answer, "errors");
  if (errors.is_array() && !errors.empty()) {
    const std::string message = text(errors.front(), "message");
    co_return Error(kind_of(text(errors.front(), "type"), message), "GraphQL: " + message);
  }
  co_return member(answer, "data");
}

}  // namespace escapement::github
