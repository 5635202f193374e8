// Transfer: fetches one URL, with everything that the command line asks for.

#pragma once

#include <memory>
#include <optional>
#include <string>

#include <escapement/io/http/client.h>
#include <escapement/io/http/service.h>
#include <escapement/middleware/client/cookies.h>
#include <escapement/middleware/client/digest_auth.h>
#include <escapement/middleware/client/retry_policy.h>

#include "tools/fetch/options.h"
#include "tools/fetch/output.h"
#include "tools/fetch/progress.h"
#include "tools/fetch/request.h"
#include "tools/fetch/story.h"

namespace escapement {

class Transfer {
 public:
  // The parameters must outlive the transfers. `jar` null: no cookies.
  Transfer(const FetchOptions& options, RequestParts& parts, const http::Client& client,
           std::shared_ptr<http::CookieJar> jar, ProgressBar& bar)
      : options_(options), parts_(parts), client_(client), jar_(std::move(jar)), bar_(bar) {}

  // Fetches `story->url`, writes the body and notes in the story what happened. Fails as the transfer did.
  Task<> run(std::shared_ptr<Story> story) const;

 private:
  Task<> try_often(std::shared_ptr<Story> story) const;
  std::optional<Duration> pause_after(const Story& story, const http::RetryDecision& decision,
                                      Reactor& reactor) const;
  std::optional<Duration> pause_after(const Story& story, const Error& error, Reactor& reactor) const;
  Task<> fetch(std::shared_ptr<Story> story) const;
  Error refused(Story& story) const;
  Result<> prepare_files(Story& story) const;
  Result<> write_heads(Story& story) const;
  Task<> write_all(Story& story, http::Response& response, bool appends) const;
  http::DigestAuthOptions digest_for(const http::Url& url) const;
  Task<> receive(Story& story, http::Response& response) const;
  std::uint64_t most(const Story& story) const;
  Task<> copy_body(Story& story, http::Response& response, Output& out) const;
  Task<> keep_rate(const Story& story) const;
  http::Service layers(std::shared_ptr<Story> story, const http::Url& url) const;

  const FetchOptions& options_;
  RequestParts& parts_;
  const http::Client& client_;
  std::shared_ptr<http::CookieJar> jar_;
  ProgressBar& bar_;
};

// Rounds to the nearest nanosecond: 1.001 is 1001 ms.
Duration seconds(double count);

// Returns a response's head as text, for -i and -I.
std::string head_text(int status, const http::Headers& headers);

}  // namespace escapement
