#include "github/github.h"

#include <set>
#include <utility>

#include <escapement/core/reactor.h>

#include "github/base64.h"
#include "github/link_header.h"

namespace escapement::github {

namespace {

using http::Method;

constexpr std::size_t body_bytes_max = 16 * MiB;
constexpr std::size_t error_bytes_max = 64 * KiB;
constexpr std::size_t pages_max = 10'000;

// Enterprise servers have GraphQL beside the REST API's root.
std::string graphql_url(std::string base) {
  if (base.ends_with("/api/v3")) base.resize(base.size() - 3);
  return base + "/graphql";
}

std::string without_last_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

Ask with_json(Method method, const Path& path, const Json& json) {
  Ask ask(std::move(method), path);
  ask.body = http::json_text(json);
  ask.content_type = "application/json";
  return ask;
}

// Sets the members that are not empty.
Json changes(std::initializer_list<std::pair<const char*, std::string>> members) {
  Json json = Json::object();
  for (const auto& [name, value] : members) {
    if (!value.empty()) json[name] = value;
  }
  return json;
}

std::string what(const Ask& ask, const std::string& url) {
  return std::string(ask.method.text()) + ' ' + url;
}

}  // namespace

// Shared by calls and generators.
struct GitHub::Api {
  Api(http::Service api, http::Service files, std::string api_base, std::string files_base)
      : service(std::move(api)),
        uploads(std::move(files)),
        base(std::move(api_base)),
        uploads_base(std::move(files_base)) {}

  http::Service service;
  http::Service uploads;
  std::string base;
  std::string uploads_base;
  std::function<void(const ApiError&)> observer = {};
};

// A page of a list.
struct GitHub::Page {
  Page(Json j, std::string items) : json(std::move(j)), member(std::move(items)) {}
  // Returns the list; null if there is none.
  const Json* list() const {
    const Json* const found = member.empty() ? &json : find_member(json, member.c_str());
    return found != nullptr && found->is_array() ? found : nullptr;
  }

  Json json;
  std::string member;       // that has the list; empty: the response is it
  bool incomplete = false;  // a search that ran out of time
  std::string next;         // the URL of the next page; empty: this is the last one
};

GitHub::GitHub(http::Service client, Settings settings) {
  const http::Service cached = http::layered(settings.cache, std::move(client));
  http::GitHubOptions files = settings.stack;
  files.base = settings.uploads;
  files.attempt = settings.upload;
  api_ = std::make_shared<Api>(http::github(cached, settings.stack), http::github(cached, files),
                               without_last_slash(settings.stack.base), without_last_slash(files.base));
}

GitHub GitHub::observed(std::function<void(const ApiError&)> observer) const {
  auto api = std::make_shared<Api>(*api_);
  api->observer = std::move(observer);
  return GitHub(SharedApi(std::move(api)));
}

Path GitHub::path(std::string_view fixed) const { return Path(api_->base, fixed); }

Path GitHub::in(std::string_view owner, std::string_view repository, std::string_view fixed) const {
  Path path = Path(api_->base, "repos").name(owner).name(repository);
  return fixed.empty() ? path : path.then(fixed);
}

Task<http::Response> GitHub::send(SharedApi api, Ask ask) {
  const std::string url = co_await std::move(ask.url);
  http::Url parsed = co_await http::Url::parse(url);
  http::Request request(ask.method, std::move(parsed), http::Headers(), std::move(ask.body));
  if (!ask.accept.empty()) request.headers.set("Accept", ask.accept);
  if (!ask.content_type.empty()) request.headers.set("Content-Type", ask.content_type);
  // GitHub knows no such field. It tells the layers that twice has the effect of once.
  if (ask.may_repeat) request.headers.set("Idempotency-Key", "\"reads\"");
  const http::Service& service = ask.uploads ? api->uploads : api->service;
  http::Response response = co_await service(std::move(request));
  if (response.status >= 200 && response.status <= 299) co_return std::move(response);
  Reactor& reactor = co_await this_reactor;
  Result<std::string> body = co_await response.body.text(error_bytes_max).result();
  const SystemTime now = reactor.backend().system_now();
  const ApiError error = ApiError::read(response.status, response.headers, body ? *body : std::string(), now);
  if (api->observer) api->observer(error);
  co_return error.as_error(what(ask, url));
}

Task<std::string> GitHub::text(SharedApi api, Ask ask) {
  http::Response response = co_await send(std::move(api), std::move(ask));
  std::string text = co_await response.body.text(body_bytes_max);
  co_return std::move(text);
}

Task<Json> GitHub::json(SharedApi api, Ask ask) {
  const std::string name = what(ask, ask.url ? *ask.url : std::string());
  const std::string body = co_await text(std::move(api), std::move(ask));
  Result<Json> json = http::parse_json(body);
  if (!json) co_return std::move(json).error().context(name);
  co_return *std::move(json);
}

Task<> GitHub::nothing(SharedApi api, Ask ask) {
  const std::string ignored = co_await text(std::move(api), std::move(ask));
}

template <class T>
Task<T> GitHub::typed(SharedApi api, Ask ask) {
  const std::string name = what(ask, ask.url ? *ask.url : std::string());
  const Json json = co_await GitHub::json(std::move(api), std::move(ask));
  Result<T> value = T::from(json);
  if (!value) co_return std::move(value).error().context(name);
  co_return *std::move(value);
}

Task<std::vector<std::string>> GitHub::names(SharedApi api, Ask ask) {
  const std::string name = what(ask, ask.url ? *ask.url : std::string());
  const Json json = co_await GitHub::json(std::move(api), std::move(ask));
  if (!json.is_array()) co_return Error(Errc::bad_message, name + ": the response is no list");
  std::vector<std::string> all;
  for (const Json& item : json) {
    Fields fields(item);
    Result<std::string> one = fields.checked(fields.text("name"));
    if (!one) co_return std::move(one).error().context(name);
    all.push_back(*std::move(one));
  }
  co_return std::move(all);
}

Task<std::string> GitHub::commit(SharedApi api, Ask ask) {
  const std::string name = what(ask, ask.url ? *ask.url : std::string());
  const Json json = co_await GitHub::json(std::move(api), std::move(ask));
  std::string sha = Fields(json).text_in("commit", "sha");
  if (sha.empty()) co_return Error(Errc::bad_message, name + ": the response has no commit");
  co_return std::move(sha);
}

Task<GitHub::Page> GitHub::page(SharedApi api, std::string url, std::string items) {
  const http::Url here = co_await http::Url::parse(url);
  http::Response response = co_await send(std::move(api), Ask(Method::get(), url));
  const std::string body = co_await response.body.text(body_bytes_max);
  Result<Json> json = http::parse_json(body);
  if (!json) co_return std::move(json).error().context("GET " + url);
  Page page(*std::move(json), std::move(items));
  if (page.list() == nullptr) co_return Error(Errc::bad_message, "GET " + url + ": the response has no list");
  page.incomplete = Fields(page.json).flag("incomplete_results");
  const std::string link = next_page(response.headers);
  if (link.empty()) co_return std::move(page);
  Result<http::Url> next = here.resolve(link);
  if (!next || next->origin() != here.origin()) {
    co_return Error(Errc::bad_message, "GET " + url + ": the next page is not of GitHub: " + link);
  }
  page.next = next->text();
  co_return std::move(page);
}

template <class T>
Generator<T> GitHub::pages(SharedApi api, Result<std::string> first, std::string items) {
  std::string url = co_await std::move(first);
  std::set<std::string> seen;
  bool incomplete = false;
  while (!url.empty()) {
    if (!seen.insert(url).second)
      co_await Error(Errc::bad_message, "GET " + url + ": the pages go round in a circle");
    if (seen.size() > pages_max)
      co_await Error(Errc::limit_exceeded, "GET " + url + ": more than 10,000 pages");
    const Page page = co_await GitHub::page(api, url, items);
    for (const Json& item : *page.list()) {
      Result<T> value = T::from(item);
      if (!value) co_await std::move(value).error().context("GET " + url);
      co_yield *std::move(value);
    }
    incomplete = incomplete || page.incomplete;
    url = page.next;
  }
  if (incomplete)
    co_await Error(Errc::unavailable, "the search ran out of time at GitHub: there may be more");
}

Task<Repository> GitHub::repository(std::string owner, std::string name) const {
  return typed<Repository>(api_, Ask(Method::get(), in(owner, name, "")));
}

Generator<Repository> GitHub::repositories(std::string organisation) const {
  return pages<Repository>(api_,
                           path("orgs").name(organisation).then("repos").query("per_page", "100").url());
}

Task<Issue> GitHub::issue(std::string owner, std::string repository, std::int64_t number) const {
  return typed<Issue>(api_, Ask(Method::get(), in(owner, repository, "issues").number(number)));
}

Generator<Issue> GitHub::issues(std::string owner, std::string repository, IssueFilter filter) const {
  Path path = in(owner, repository, "issues");
  if (filter.state != "open") path.query("state", filter.state);
  path.query("labels", filter.labels).query("per_page", std::to_string(filter.per_page));
  return pages<Issue>(api_, path.url());
}

Task<Issue> GitHub::create_issue(std::string owner, std::string repository, NewIssue issue) const {
  Json json = changes({{"title", issue.title}, {"body", issue.body}});
  if (!issue.labels.empty()) json["labels"] = issue.labels;
  return typed<Issue>(api_, with_json(Method::post(), in(owner, repository, "issues"), json));
}

Task<Issue> GitHub::change_issue(std::string owner, std::string repository, std::int64_t number,
                                 IssueChange change) const {
  const Json json = changes({{"title", change.title}, {"body", change.body}, {"state", change.state}});
  return typed<Issue>(api_, with_json(Method::patch(), in(owner, repository, "issues").number(number), json));
}

Generator<Comment> GitHub::comments(std::string owner, std::string repository, std::int64_t number) const {
  Path path = in(owner, repository, "issues").number(number).then("comments");
  return pages<Comment>(api_, path.query("per_page", "100").url());
}

Task<Comment> GitHub::comment(std::string owner, std::string repository, std::int64_t number,
                              std::string body) const {
  const Path path = in(owner, repository, "issues").number(number).then("comments");
  return typed<Comment>(api_, with_json(Method::post(), path, Json{{"body", body}}));
}

Task<std::vector<std::string>> GitHub::add_labels(std::string owner, std::string repository,
                                                  std::int64_t number,
                                                  std::vector<std::string> labels) const {
  const Path path = in(owner, repository, "issues").number(number).then("labels");
  return names(api_, with_json(Method::post(), path, Json{{"labels", labels}}));
}

Task<> GitHub::create_label(std::string owner, std::string repository, std::string name,
                            std::string color) const {
  const Json json{{"name", name}, {"color", color}};
  return nothing(api_, with_json(Method::post(), in(owner, repository, "labels"), json));
}

Generator<Issue> GitHub::search_issues(std::string query) const {
  return pages<Issue>(api_, path("search/issues").query("q", query).url(), "items");
}

Generator<Repository> GitHub::search_repositories(std::string query) const {
  return pages<Repository>(api_, path("search/repositories").query("q", query).url(), "items");
}

Generator<CodeMatch> GitHub::search_code(std::string query) const {
  return pages<CodeMatch>(api_, path("search/code").query("q", query).url(), "items");
}

Generator<Release> GitHub::releases(std::string owner, std::string repository) const {
  return pages<Release>(api_, in(owner, repository, "releases").url());
}

Task<Release> GitHub::latest_release(std::string owner, std::string repository) const {
  return typed<Release>(api_, Ask(Method::get(), in(owner, repository, "releases/latest")));
}

Task<Release> GitHub::release_by_tag(std::string owner, std::string repository, std::string tag) const {
  return typed<Release>(api_, Ask(Method::get(), in(owner, repository, "releases/tags").name(tag)));
}

Task<Release> GitHub::create_release(std::string owner, std::string repository, NewRelease release) const {
  Json json = changes({{"tag_name", release.tag}, {"name", release.name}, {"body", release.body}});
  json["draft"] = release.is_draft;
  json["prerelease"] = release.is_prerelease;
  return typed<Release>(api_, with_json(Method::post(), in(owner, repository, "releases"), json));
}

Generator<Asset> GitHub::assets(std::string owner, std::string repository, std::int64_t release) const {
  return pages<Asset>(api_, in(owner, repository, "releases").number(release).then("assets").url());
}

Task<http::Response> GitHub::asset_bytes(std::string owner, std::string repository,
                                         std::int64_t asset) const {
  Ask ask(Method::get(), in(owner, repository, "releases/assets").number(asset));
  ask.accept = "application/octet-stream";
  return send(api_, std::move(ask));
}

Task<Asset> GitHub::upload_asset(std::string owner, std::string repository, std::int64_t release,
                                 std::string name, std::string content_type, http::Body body) const {
  Path path = Path(api_->uploads_base, "repos").name(owner).name(repository).then("releases");
  Ask ask(Method::post(), path.number(release).then("assets").query("name", name));
  ask.body = std::move(body);
  ask.content_type = std::move(content_type);
  ask.uploads = true;
  return typed<Asset>(api_, std::move(ask));
}

Task<> GitHub::delete_asset(std::string owner, std::string repository, std::int64_t asset) const {
  return nothing(api_, Ask(Method::delete_(), in(owner, repository, "releases/assets").number(asset)));
}

Task<Content> GitHub::file(std::string owner, std::string repository, std::string path,
                           std::string ref) const {
  return typed<Content>(api_,
                        Ask(Method::get(), in(owner, repository, "contents").file(path).query("ref", ref)));
}

Task<std::string> GitHub::file_bytes(std::string owner, std::string repository, std::string path,
                                     std::string ref) const {
  Ask ask(Method::get(), in(owner, repository, "contents").file(path).query("ref", ref));
  ask.accept = "application/vnd.github.raw+json";
  return text(api_, std::move(ask));
}

Generator<Content> GitHub::folder(std::string owner, std::string repository, std::string path) const {
  return pages<Content>(api_, in(owner, repository, "contents").file(path).url());
}

Task<std::string> GitHub::write_file(std::string owner, std::string repository, FileChange change) const {
  Json json = changes({{"message", change.message}, {"sha", change.sha}, {"branch", change.branch}});
  json["content"] = to_base64(change.bytes);
  return commit(api_, with_json(Method::put(), in(owner, repository, "contents").file(change.path), json));
}

Task<std::string> GitHub::delete_file(std::string owner, std::string repository, FileChange change) const {
  const Json json = changes({{"message", change.message}, {"sha", change.sha}, {"branch", change.branch}});
  return commit(api_,
                with_json(Method::delete_(), in(owner, repository, "contents").file(change.path), json));
}

Task<RateLimits> GitHub::rate_limits() const {
  return typed<RateLimits>(api_, Ask(Method::get(), path("rate_limit")));
}

Task<GraphQlAnswer> GitHub::answer(SharedApi api, Ask ask) {
  Json json = co_await GitHub::json(std::move(api), std::move(ask));
  co_return GraphQlAnswer::from(std::move(json));
}

Task<Json> GitHub::whole(Task<GraphQlAnswer> answering) {
  GraphQlAnswer answer = co_await std::move(answering);
  co_return std::move(answer).whole();
}

Task<GraphQlAnswer> GitHub::graphql_answer(std::string query, Json variables) const {
  Ask ask(Method::post(), graphql_url(api_->base));
  ask.may_repeat = only_reads(query);
  ask.body = http::json_text(Json{{"query", std::move(query)}, {"variables", std::move(variables)}});
  ask.content_type = "application/json";
  return answer(api_, std::move(ask));
}

Task<Json> GitHub::graphql(std::string query, Json variables) const {
  return whole(graphql_answer(std::move(query), std::move(variables)));
}

}  // namespace escapement::github
