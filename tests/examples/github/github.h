// GitHub: a small typed client of GitHub's API, on any Service: a Client natively, a HostFetch in a Worker, a
// mock in a simulation.
//
//     Settings settings;
//     settings.stack.get_token = [token]() -> Task<std::string> { co_return token; };
//     const GitHub github(client, settings);
//     Repository repository = co_await github.repository("octocat", "hello-world");
//     Generator<Issue> issues = github.issues("octocat", "hello-world");
//     while (std::optional<Issue> issue = co_await issues.next()) show(*issue);
//
// GitHub's rules (limits, tokens, redirects, retries) are kept by the library's preset, http::github; this
// knows paths, types and pages. docs/how-to/github.md says how to run it.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <escapement/core/generator.h>
#include <escapement/middleware/presets/github.h>

#include "github/api_error.h"
#include "github/ask.h"
#include "github/etag_cache.h"
#include "github/graphql.h"
#include "github/types.h"

namespace escapement::github {

// The settings of a GitHub.
struct Settings {
  // Those of the preset: the base, the token, the limits that are kept.
  http::GitHubOptions stack = {};
  // Keeps what was read before, to ask for it again by its ETag. Copies share what is kept; it may outlive
  // the client, and in a Worker the request.
  EtagCache cache = EtagCache();
  // The origin that takes the files of releases. For Enterprise "https://HOST/api/uploads".
  std::string uploads = "https://uploads.github.com";
  Duration upload = 10min;  // each attempt to upload a file, to the response head
};

// Every call fails as ApiError::kind says where GitHub refuses it, as the transport does where that fails,
// and with bad_message for a response that is not as documented. Copies share the token, the limits and the
// cache. Belongs to one reactor's thread; in a Worker to one request.
//
// A generator asks for a page when the one before is used up, and not before. It fails with bad_message if a
// page leads to itself, to one that was there already, or to another origin, and with limit_exceeded after
// 10,000 pages.
class GitHub {
 public:
  // Makes calls by `client`, inside of the preset. A `base` that is no URL ends the program (checked).
  explicit GitHub(http::Service client, Settings settings = Settings());

  // Returns a client that is the same, and also passes what GitHub says about refused calls to `observer`,
  // before they fail. It must live as long as the calls.
  //
  //     std::optional<ApiError> why;
  //     const GitHub observed = github.observed([&](const ApiError& error) { why = error; });
  GitHub observed(std::function<void(const ApiError&)> observer) const;

  // Yields a repository; also one that was renamed, by its old name.
  Task<Repository> repository(std::string owner, std::string name) const;
  // Yields the repositories of an organisation.
  Generator<Repository> repositories(std::string organisation) const;

  Task<Issue> issue(std::string owner, std::string repository, std::int64_t number) const;
  // Yields the issues, pull requests included, the newest first.
  Generator<Issue> issues(std::string owner, std::string repository, IssueFilter filter = {}) const;
  Task<Issue> create_issue(std::string owner, std::string repository, NewIssue issue) const;
  Task<Issue> change_issue(std::string owner, std::string repository, std::int64_t number,
                           IssueChange change) const;
  Generator<Comment> comments(std::string owner, std::string repository, std::int64_t number) const;
  Task<Comment> comment(std::string owner, std::string repository, std::int64_t number,
                        std::string body) const;
  // Adds labels to an issue. Yields the names of all that it has then.
  Task<std::vector<std::string>> add_labels(std::string owner, std::string repository, std::int64_t number,
                                            std::vector<std::string> labels) const;
  // Makes a label. `color`: six hex digits.
  Task<> create_label(std::string owner, std::string repository, std::string name, std::string color) const;

  // Yield what GitHub's search finds: "sesame repo:octocat/hello-world"; at most 1000. If GitHub ran out of
  // time for the search, they fail with unavailable after the last one that it has found.
  Generator<Issue> search_issues(std::string query) const;
  Generator<Repository> search_repositories(std::string query) const;
  Generator<CodeMatch> search_code(std::string query) const;

  Generator<Release> releases(std::string owner, std::string repository) const;
  Task<Release> latest_release(std::string owner, std::string repository) const;
  Task<Release> release_by_tag(std::string owner, std::string repository, std::string tag) const;
  Task<Release> create_release(std::string owner, std::string repository, NewRelease release) const;
  Generator<Asset> assets(std::string owner, std::string repository, std::int64_t release) const;
  // Yields the response that brings an asset's bytes. GitHub redirects it to a store of another origin, which
  // does not get the token.
  Task<http::Response> asset_bytes(std::string owner, std::string repository, std::int64_t asset) const;
  // Adds a file to a release. A body that streams is sent once: no layer can repeat it.
  Task<Asset> upload_asset(std::string owner, std::string repository, std::int64_t release, std::string name,
                           std::string content_type, http::Body body) const;
  Task<> delete_asset(std::string owner, std::string repository, std::int64_t asset) const;

  // Reads a file with its bytes. `ref`: a branch, a tag or a commit; empty: the default branch. Fails with
  // invalid_argument for a folder.
  Task<Content> file(std::string owner, std::string repository, std::string path, std::string ref = {}) const;
  // Reads the bytes of a file alone, of at most 16 MiB.
  Task<std::string> file_bytes(std::string owner, std::string repository, std::string path,
                               std::string ref = {}) const;
  Generator<Content> folder(std::string owner, std::string repository, std::string path) const;
  // Write and delete a file in a commit. Yield the commit's sha.
  Task<std::string> write_file(std::string owner, std::string repository, FileChange change) const;
  Task<std::string> delete_file(std::string owner, std::string repository, FileChange change) const;

  // Yields what is left of the limits; costs none of them.
  Task<RateLimits> rate_limits() const;

  // Asks GraphQL. Yields its data, or fails as its first error says (GraphQlError::kind). One that only reads
  // is repeated like a GET.
  Task<Json> graphql(std::string query, Json variables = Json::object()) const;
  // The same, for callers that can use a part: yields the data that there is beside the errors.
  Task<GraphQlAnswer> graphql_answer(std::string query, Json variables = Json::object()) const;

 private:
  struct Api;
  struct Page;
  using SharedApi = std::shared_ptr<const Api>;
  explicit GitHub(SharedApi api) : api_(std::move(api)) {}

  Path path(std::string_view fixed) const;
  Path in(std::string_view owner, std::string_view repository, std::string_view fixed) const;

  // Send a request and yield the response, its body, that as JSON, or nothing. They fail as ApiError says if
  // the response is no success.
  static Task<http::Response> send(SharedApi api, Ask ask);
  static Task<std::string> text(SharedApi api, Ask ask);
  static Task<Json> json(SharedApi api, Ask ask);
  static Task<> nothing(SharedApi api, Ask ask);
  // Yields the JSON of a response as a T.
  template <class T>
  static Task<T> typed(SharedApi api, Ask ask);
  // Yields the names in the list that a response is.
  static Task<std::vector<std::string>> names(SharedApi api, Ask ask);
  // Yields the sha of the commit that a response reports.
  static Task<std::string> commit(SharedApi api, Ask ask);
  static Task<GraphQlAnswer> answer(SharedApi api, Ask ask);
  static Task<Json> whole(Task<GraphQlAnswer> answering);
  // Yields the items of all pages: of the list itself, or of its member `items`.
  template <class T>
  static Generator<T> pages(SharedApi api, Result<std::string> first, std::string items = {});
  static Task<Page> page(SharedApi api, std::string url, std::string items);

  SharedApi api_;
};

}  // namespace escapement::github
