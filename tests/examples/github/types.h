// The values of GitHub's REST API, with the members that programs usually need. Each is read from JSON by
// `from`, which fails with bad_message, naming the member, if one that is always there is missing, or if one
// has another type. Members that GitHub may leave out, or send as null, are then empty.
//
// Those that a call takes have constructors, because g++ 12 destroys a temporary without twice where its
// statement has a co_await.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <escapement/core/system_time.h>

#include "github/fields.h"

namespace escapement::github {

struct Repository {
  static Result<Repository> from(const Json& json);
  std::int64_t id = 0;
  std::string full_name;  // "octocat/Hello-World"
  std::string description;
  std::string default_branch;
  std::string url;  // for a person
  bool is_private = false;
  bool is_archived = false;
  std::int64_t stars = 0;
  std::int64_t open_issues = 0;  // pull requests included
};

struct Issue {
  static Result<Issue> from(const Json& json);
  std::int64_t number = 0;
  std::string title;
  std::string body;
  std::string state;  // "open" or "closed"
  std::string author;
  std::vector<std::string> labels;
  bool is_pull_request = false;
  std::string url;
};

struct Comment {
  static Result<Comment> from(const Json& json);
  std::int64_t id = 0;
  std::string body;
  std::string author;
  std::string url;
};

struct Release {
  static Result<Release> from(const Json& json);
  std::int64_t id = 0;
  std::string tag;
  std::string name;
  std::string body;
  bool is_draft = false;
  bool is_prerelease = false;
  std::string url;
};

// A file of a release.
struct Asset {
  static Result<Asset> from(const Json& json);
  std::int64_t id = 0;
  std::string name;
  std::string content_type;
  std::int64_t size = 0;
  std::string download_url;  // for a person; GitHub::asset_bytes also reads those of private repositories
};

// A file or a folder in a repository.
struct Content {
  static Result<Content> from(const Json& json);
  std::string type;  // "file", "dir", "symlink" or "submodule"
  std::string name;
  std::string path;
  std::string sha;
  std::int64_t size = 0;
  std::string bytes;  // of a file of up to 1 MB that was asked for by its path
};

// A place that a search for code has found.
struct CodeMatch {
  static Result<CodeMatch> from(const Json& json);
  std::string path;
  std::string sha;
  std::string repository;
  std::string url;
};

// One of the limits that GitHub counts apart.
struct Quota {
  static Result<Quota> from(const Json& json);
  std::int64_t limit = 0;  // requests an hour; searches a minute
  std::int64_t remaining = 0;
  SystemTime reset;  // when `remaining` is `limit` again
};

struct RateLimits {
  static Result<RateLimits> from(const Json& json);
  Quota core;
  Quota search;
  Quota graphql;
};

// An issue to be made.
struct NewIssue {
  explicit NewIssue(std::string t) : title(std::move(t)) {}
  std::string title;
  std::string body = {};
  std::vector<std::string> labels = {};
};

// The changes of an issue; empty members stay as they are.
struct IssueChange {
  IssueChange() = default;
  std::string title = {};
  std::string body = {};
  std::string state = {};  // "open" or "closed"
};

// A release to be made.
struct NewRelease {
  explicit NewRelease(std::string t) : tag(std::move(t)) {}
  std::string tag;
  std::string name = {};
  std::string body = {};
  bool is_draft = false;
  bool is_prerelease = false;
};

// The issues that a list has.
struct IssueFilter {
  IssueFilter() = default;
  std::string state = "open";  // "open", "closed" or "all"
  std::string labels = {};     // separated by commas; an issue has all of them
  int per_page = 100;          // 1 to 100
};

// A file in a new commit.
struct FileChange {
  FileChange(std::string p, std::string content, std::string commit_message)
      : path(std::move(p)), bytes(std::move(content)), message(std::move(commit_message)) {}
  std::string path;
  std::string bytes;  // of the file; ignored where it is deleted
  std::string message;
  std::string sha = {};     // of the file that it replaces or deletes; empty: it is new
  std::string branch = {};  // empty: the default branch
};

}  // namespace escapement::github
