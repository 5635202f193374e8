#include "github/types.h"

#include <algorithm>
#include <utility>

#include "github/base64.h"

namespace escapement::github {

Result<Repository> Repository::from(const Json& json) {
  Fields fields(json);
  Repository repository;
  repository.id = fields.integer("id");
  repository.full_name = fields.text("full_name");
  repository.description = fields.text_or_empty("description");
  repository.default_branch = fields.text_or_empty("default_branch");
  repository.url = fields.text_or_empty("html_url");
  repository.is_private = fields.flag("private");
  repository.is_archived = fields.flag("archived");
  repository.stars = fields.integer_or_zero("stargazers_count");
  repository.open_issues = fields.integer_or_zero("open_issues_count");
  return fields.checked(std::move(repository));
}

Result<Issue> Issue::from(const Json& json) {
  Fields fields(json);
  Issue issue;
  issue.number = fields.integer("number");
  issue.title = fields.text("title");
  issue.body = fields.text_or_empty("body");
  issue.state = fields.text("state");
  issue.author = fields.text_in("user", "login");  // null: the account was deleted
  issue.labels = fields.texts("labels", "name");
  issue.is_pull_request = fields.has("pull_request");
  issue.url = fields.text_or_empty("html_url");
  return fields.checked(std::move(issue));
}

Result<Comment> Comment::from(const Json& json) {
  Fields fields(json);
  Comment comment;
  comment.id = fields.integer("id");
  comment.body = fields.text_or_empty("body");
  comment.author = fields.text_in("user", "login");
  comment.url = fields.text_or_empty("html_url");
  return fields.checked(std::move(comment));
}

Result<Release> Release::from(const Json& json) {
  Fields fields(json);
  Release release;
  release.id = fields.integer("id");
  release.tag = fields.text("tag_name");
  release.name = fields.text_or_empty("name");
  release.body = fields.text_or_empty("body");
  release.is_draft = fields.flag("draft");
  release.is_prerelease = fields.flag("prerelease");
  release.url = fields.text_or_empty("html_url");
  return fields.checked(std::move(release));
}

Result<Asset> Asset::from(const Json& json) {
  Fields fields(json);
  Asset asset;
  asset.id = fields.integer("id");
  asset.name = fields.text("name");
  asset.content_type = fields.text_or_empty("content_type");
  asset.size = fields.integer_or_zero("size");
  asset.download_url = fields.text_or_empty("browser_download_url");
  return fields.checked(std::move(asset));
}

Result<Content> Content::from(const Json& json) {
  if (json.is_array()) return Error(Errc::invalid_argument, "it is a folder: GitHub::folder lists it");
  Fields fields(json);
  Content content;
  content.type = fields.text("type");
  content.name = fields.text("name");
  content.path = fields.text_or_empty("path");
  content.sha = fields.text_or_empty("sha");
  content.size = fields.integer_or_zero("size");
  if (fields.text_or_empty("encoding") == "base64") {
    content.bytes = from_base64(fields.text_or_empty("content"));
  }
  return fields.checked(std::move(content));
}

Result<CodeMatch> CodeMatch::from(const Json& json) {
  Fields fields(json);
  CodeMatch match;
  match.path = fields.text("path");
  match.sha = fields.text_or_empty("sha");
  match.repository = fields.text_in("repository", "full_name");
  match.url = fields.text_or_empty("html_url");
  return fields.checked(std::move(match));
}

Result<Quota> Quota::from(const Json& json) {
  Fields fields(json);
  Quota quota;
  quota.limit = fields.integer("limit");
  quota.remaining = fields.integer("remaining");
  const std::int64_t reset = fields.integer("reset");
  const std::int64_t latest = 253'402'300'799;  // the end of the year 9999
  quota.reset = SystemTime::from_unix_milliseconds(std::clamp<std::int64_t>(reset, 0, latest) * 1000);
  return fields.checked(quota);
}

Result<RateLimits> RateLimits::from(const Json& json) {
  const Json* const resources = find_member(json, "resources");
  RateLimits limits;
  for (const auto& [name, quota] : {std::pair{"core", &limits.core}, std::pair{"search", &limits.search},
                                    std::pair{"graphql", &limits.graphql}}) {
    const Json* const member = resources == nullptr ? nullptr : find_member(*resources, name);
    if (member == nullptr && quota != &limits.core) continue;  // older Enterprise servers
    if (member == nullptr) return Error(Errc::bad_message, "the response has no limit 'core'");
    Result<Quota> read = Quota::from(*member);
    if (!read) return std::move(read).error();
    *quota = *read;
  }
  return limits;
}

}  // namespace escapement::github
