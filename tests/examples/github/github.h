// GitHub: a small typed client of GitHub's API, on any Service: a Client natively, a HostFetch in a Worker, a
// mock in a simulation. It knows paths, types and pages; limits, retries and tokens are the layers of the
// Service:
//
//     const Service api = layered(Redirect{}, BearerAuth(token), Retry{}, EtagCache{}, client);
//     const GitHub github(api);
//     Repository repository = co_await github.repository("octocat", "hello-world");
//     Generator<Issue> issues = github.issues("octocat", "hello-world");
//     while (std::optional<Issue> issue = co_await issues.next()) show(*issue);
//
// Fails as the calls do (middleware/client/call.h): not_found for a 404, permission_denied for a 401 or 403.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <escapement/core/generator.h>
#include <escapement/middleware/client/call.h>
#include <escapement/middleware/client/json.h>

namespace escapement::github {

using http::Json;

struct Repository {
  static Repository from(const Json& json);
  std::int64_t id = 0;
  std::string full_name;
  std::string description;
  std::string default_branch;
  std::string url;  // for a person
  bool is_private = false;
  std::int64_t stars = 0;
};

struct Issue {
  static Issue from(const Json& json);
  std::int64_t number = 0;
  std::string title;
  std::string body;
  std::string state;  // "open" or "closed"
  std::string author;
  std::vector<std::string> labels;
  bool is_pull_request = false;
  std::string url;
};

struct Release {
  static Release from(const Json& json);
  std::int64_t id = 0;
  std::string tag;
  std::string name;
  bool is_draft = false;
  bool is_prerelease = false;
  std::string url;
};

struct Asset {
  static Asset from(const Json& json);
  std::int64_t id = 0;
  std::string name;
  std::string content_type;
  std::int64_t size = 0;
  std::string download_url;
};

// A file or a folder in a repository.
struct Content {
  static Content from(const Json& json);
  std::string type;  // "file", "dir", "symlink" or "submodule"
  std::string name;
  std::string path;
  std::string sha;
  std::int64_t size = 0;
  std::string bytes;  // of a file that was asked for by its name
};

struct RateLimit {
  static RateLimit from(const Json& json);
  std::int64_t limit = 0;
  std::int64_t remaining = 0;
  std::int64_t reset = 0;  // seconds since 1970
};

struct NewIssue {
  std::string title;
  std::string body = {};
  std::vector<std::string> labels = {};
};

class GitHub {
 public:
  // Makes calls by `api`. `base`: of GitHub Enterprise "https://HOST/api/v3".
  explicit GitHub(http::Service api, std::string base = "https://api.github.com");

  Task<Repository> repository(std::string owner, std::string name) const;

  // Yields the issues, oldest page last, as they are read: the next page is asked for when the last one is
  // used up.
  Generator<Issue> issues(std::string owner, std::string repository, int per_page = 100) const;
  Task<Issue> create_issue(std::string owner, std::string repository, NewIssue issue) const;
  Task<std::vector<std::string>> add_labels(std::string owner, std::string repository, std::int64_t number,
                                            std::vector<std::string> labels) const;
  // Yields what GitHub's search finds: "sesame repo:octocat/hello-world".
  Generator<Issue> search_issues(std::string query) const;

  Generator<Release> releases(std::string owner, std::string repository) const;
  Task<Release> release_by_tag(std::string owner, std::string repository, std::string tag) const;
  Generator<Asset> assets(std::string owner, std::string repository, std::int64_t release) const;

  // Reads a file with its bytes. `ref`: a branch, a tag or a commit; empty: the default branch.
  Task<Content> file(std::string owner, std::string repository, std::string path, std::string ref = {}) const;
  // Reads the bytes of a file alone; of at most 16 MiB.
  Task<std::string> file_bytes(std::string owner, std::string repository, std::string path,
                               std::string ref = {}) const;
  Generator<Content> folder(std::string owner, std::string repository, std::string path) const;
  // Writes a file in a commit. `sha`: of the file that it replaces; empty: it is new. Yields the commit's
  // sha.
  Task<std::string> write_file(std::string owner, std::string repository, std::string path, std::string bytes,
                               std::string message, std::string sha = {}) const;

  Task<RateLimit> rate_limit() const;

  // Yields `data` of a GraphQL response. Fails with the kind of its first error: unavailable for RATE_LIMITED
  // and for GitHub's "Something went wrong", not_found for NOT_FOUND, permission_denied for FORBIDDEN, and
  // invalid_argument for others.
  Task<Json> graphql(std::string query, Json variables = Json::object()) const;

 private:
  // Yields the items of all pages, of the array itself or of its member `items`.
  template <class T>
  static Generator<T> pages(http::Calls calls, std::string first, std::string items);

  http::Calls calls_;
};

// Returns the URL of the next page from the Link field (RFC 8288); empty on the last page.
std::string next_page(const http::Headers& headers);

}  // namespace escapement::github
