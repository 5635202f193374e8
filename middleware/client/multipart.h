// Multipart: a body of several parts, as an HTML form with files sends it (multipart/form-data, RFC 7578).
//
//     Multipart form;
//     form.field("title", "Report");
//     form.file("attachment", "report.pdf", "application/pdf", co_await whole_file_body(file));
//     Request request = co_await std::move(form).post(url, reactor.random());

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <escapement/core/random.h>
#include <escapement/io/http/message.h>

namespace escapement::http {

// The parts in the order in which they were added. Names and file names may hold any text; as browsers do
// (HTML Standard, "multipart/form-data encoding algorithm"), a quote, CR and LF in them become %22, %0D, %0A.
//
// The boundary between the parts is random, and never occurs in a part: one that occurs in bytes in memory is
// drawn anew, and a streamed part in which it turns up fails the body with Errc::invalid_argument, before a
// receiver could take a part of it for another part.
class Multipart {
 public:
  // Adds a field: a part without a file name.
  Multipart& field(std::string_view name, Body value, std::string_view content_type = {});
  // Adds a file, whose content may be streamed. An empty `content_type` sends none; a receiver then takes it
  // for text/plain.
  Multipart& file(std::string_view name, std::string_view file_name, std::string_view content_type,
                  Body content);
  // Adds a part with header fields of its own, one line "Name: value" each. It has no Content-Disposition
  // unless it is among them: for multipart/mixed and multipart/related.
  Multipart& part(const Headers& fields, Body content);

  // The parts, joined.
  struct Encoded {
    std::string boundary;  // as in Content-Type
    Body body;             // replayable if all parts are; of known length if all are
  };
  // Joins the parts, with a boundary that `random` draws. Errc::invalid_argument: there is no part, a header
  // field cannot be sent.
  Result<Encoded> encode(Random& random) &&;

  // Returns a POST of the parts as multipart/form-data. Errors as `encode`.
  Result<Request> post(Url url, Random& random) &&;

 private:
  friend class MultipartSource;
  struct Part {
    std::string head;
    Body content;
  };

  Multipart& add(std::string_view name, std::optional<std::string_view> file_name,
                 std::string_view content_type, Body content);

  std::vector<Part> parts_;
  std::optional<Error> mistake_;
};

}  // namespace escapement::http
