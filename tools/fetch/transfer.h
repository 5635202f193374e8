// Transfer: fetches one URL, with everything that the command line asks for.

#pragma once

#include <memory>
#include <string>

#include <escapement/io/http/client.h>
#include <escapement/io/http/service.h>

#include "tools/fetch/options.h"
#include "tools/fetch/output.h"
#include "tools/fetch/progress.h"
#include "tools/fetch/request.h"
#include "tools/fetch/story.h"

namespace escapement {

class Transfer {
 public:
  // The parameters must outlive the transfers.
  Transfer(const FetchOptions& options, const RequestParts& parts, const http::Client& client,
           ProgressBar& bar)
      : options_(options), parts_(parts), client_(client), bar_(bar) {}

  // Fetches `story->url`, writes the body and notes in the story what happened. Fails as the transfer did.
  Task<> run(std::shared_ptr<Story> story) const;

 private:
  Task<> fetch(std::shared_ptr<Story> story) const;
  Task<> receive(Story& story, http::Response& response) const;
  std::uint64_t most(const Story& story) const;
  Task<> copy_body(Story& story, http::Response& response, Output& out) const;
  Task<> keep_rate(const Story& story) const;
  http::Service layers(std::shared_ptr<Story> story) const;

  const FetchOptions& options_;
  const RequestParts& parts_;
  const http::Client& client_;
  ProgressBar& bar_;
};

// Rounds to the nearest nanosecond: 1.001 is 1001 ms.
Duration seconds(double count);

// Returns a response's head as text, for -i and -I.
std::string head_text(int status, const http::Headers& headers);

}  // namespace escapement
