#include "github/tour.h"

#include <utility>

namespace escapement::github {

namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

// Yields a line for each of the first `most` issues.
// [issues]
Task<std::string> newest_issues(GitHub github, std::string owner, std::string name, int most) {
  std::string lines;
  IssueFilter filter;
  filter.per_page = most;
  Generator<Issue> issues = github.issues(std::move(owner), std::move(name), filter);
  for (int shown = 0; shown < most; ++shown) {
    std::optional<Issue> issue = co_await issues.next();
    if (!issue) break;
    lines += "  #" + number(issue->number) + ' ' + issue->title + " (" + issue->author + ")\n";
  }
  co_return lines;
}
// [issues]

// Yields how many items a generator has.
template <class T>
Task<int> count(Generator<T> items) {
  int found = 0;
  for (;;) {
    const std::optional<T> item = co_await items.next();
    if (!item) break;
    ++found;
  }
  co_return found;
}

Task<std::string> read_part(GitHub github, std::string owner) {
  std::string text;
  const Repository repository = co_await github.repository(owner, "hello-world");
  text += "repository " + repository.full_name + ", branch " + repository.default_branch + '\n';
  const Repository renamed = co_await github.repository(owner, "rename-repository");
  text += "renamed to " + renamed.full_name + '\n';
  IssueFilter filter;
  filter.per_page = 3;
  const int issues = co_await count(github.issues(owner, "paginate-issues", filter));
  text += "issues " + number(issues) + '\n';
  const std::string readme = co_await github.file_bytes(owner, "hello-world", "README.md");
  text += "README " + readme + '\n';
  const int files = co_await count(github.folder(owner, "hello-world", ""));
  text += "files " + number(files) + '\n';
  const int found = co_await count(github.search_issues("sesame repo:octokit-fixture-org/search-issues"));
  text += "found " + number(found) + '\n';
  const Release release = co_await github.release_by_tag(owner, "release-assets", "v1.0.0");
  const int assets = co_await count(github.assets(owner, "release-assets", release.id));
  text += "release " + release.tag + " with " + number(assets) + " asset\n";
  const Result<Repository> missing = co_await github.repository(owner, "no-such").result();
  text += "no-such: " + std::string(name(missing ? Errc::internal : missing.error().code())) + '\n';
  co_return text;
}

Task<std::string> write_part(GitHub github, std::string owner) {
  std::string text;
  std::optional<ApiError> why;
  const GitHub observed = github.observed([&why](const ApiError& error) { why = error; });
  const Result<> label = co_await observed.create_label(owner, "errors", "foo", "invalid").result();
  const bool explained = !label && why && !why->errors.empty();
  text += "label: " +
          (explained ? why->message + ", " + why->errors.front().field + ' ' + why->errors.front().code
                     : std::string("made")) +
          '\n';
  const NewIssue wanted("Issue without a label");
  const Issue issue = co_await github.create_issue(owner, "add-labels-to-issue", wanted);
  text += "issue #" + number(issue.number) + '\n';
  const std::vector<std::string> wished{"Foo", "bAr", "baZ"};
  const std::vector<std::string> labels =
      co_await github.add_labels(owner, "add-labels-to-issue", issue.number, wished);
  text += "labels " + number(static_cast<std::int64_t>(labels.size())) + '\n';
  const FileChange change("test.txt", "Test content", "create test.txt");
  const std::string commit = co_await github.write_file(owner, "create-file", change);
  text += "commit of " + number(static_cast<std::int64_t>(commit.size())) + " digits\n";
  co_return text;
}

}  // namespace

Task<std::string> summary(GitHub github, std::string owner, std::string name) {
  const Repository repository = co_await github.repository(owner, name);
  std::string text = repository.full_name + ": " + repository.description + '\n';
  text += "branch " + repository.default_branch + ", " + number(repository.stars) + " stars\n";
  const Result<std::string> issues = co_await newest_issues(github, owner, name, 5).result();
  if (!issues && issues.error() != Errc::not_found) co_return issues.error();
  text += issues ? "issues:\n" + *issues : "no issues\n";  // 410: they are switched off
  const Result<std::string> readme = co_await github.file_bytes(owner, name, "README.md").result();
  text += readme ? "README.md has " + std::to_string(readme->size()) + " bytes\n" : "no README.md\n";
  const RateLimits limits = co_await github.rate_limits();
  text += "rate limit: " + number(limits.core.remaining) + " of " + number(limits.core.limit) + " left\n";
  co_return text;
}

Task<std::string> tour(GitHub github, std::string owner) {
  std::string text = co_await read_part(github, owner);
  const std::string written = co_await write_part(github, owner);
  co_return text + written;
}

}  // namespace escapement::github
