#include <escapement/io/http/h1/parser.h>

#include <algorithm>
#include <array>
#include <vector>

#include <escapement/core/detail/number.h>
#include <escapement/io/http/detail/characters.h>
#include <escapement/io/http/h1/fast_head_parser.h>
#include <escapement/io/http/h1/fast_response_parser.h>
#include <escapement/io/http/h1/known_fields.h>
#include <escapement/io/http/h1/rules.h>

#include <llhttp.h>

namespace escapement::http {

namespace {

constexpr std::size_t method_bytes_max = 64;
// A head is never longer: where its parts stand is 32 bits, and sums of limits must not overflow.
constexpr std::size_t head_bytes_limit = 1024 * MiB;
// Chunk extensions: of one chunk, and in all, beside head_bytes_max, so much for each chunk and twice its
// size. (As Go counts them: who sends little content in much framing is up to no good.)
constexpr std::size_t extension_line_max = 4 * KiB;
constexpr std::uint64_t extension_bytes_per_chunk = 16;
constexpr std::uint64_t extension_grant_max = std::uint64_t{1} << 60;
constexpr std::size_t blank_bytes_max = 8;  // empty lines before a request (RFC 9112 section 2.2)

// Returns the usual method at the beginning of `text`, if one space and more follow; else nothing.
std::string_view method_at_once(std::string_view text) {
  for (const std::string_view method : detail::usual_methods) {
    if (!text.starts_with(method)) continue;
    const std::string_view rest = text.substr(method.size());
    if (rest.size() < 2 || rest[0] != ' ' || rest[1] == ' ') break;
    return method;
  }
  return {};
}

}  // namespace

class Parser::State {
 public:
  State(Role role, ParserLimits limits) : role_(role), limits_(limits) {
    limits_.head_bytes_max = std::min(limits.head_bytes_max, head_bytes_limit);
    llhttp_init(&llhttp_, role == Role::request ? HTTP_REQUEST : HTTP_RESPONSE, &settings());
    llhttp_.data = this;
    if (role == Role::response) plain_response_ = std::make_unique<detail::FastResponseParser>();
  }
  State(const State&) = delete;

  Step feed(Bytes bytes);
  std::size_t read_whole_response(std::string_view text, std::string_view& content);
  Event finish();

  MessageHead head;
  Headers trailers;
  Bytes body;
  bool answers_head = false;
  std::optional<Error> error;
  int error_status = 400;

  void expect_response(bool to_head) {
    answers_head = to_head;
    interim_ = 0;
  }
  bool between_messages() const { return phase_ == Phase::start && method_.empty() && start_bytes_ == 0; }

 private:
  enum class Phase { start, head, body, failed };

  static const llhttp_settings_t& settings();
  static State& of(llhttp_t* parser) { return *static_cast<State*>(parser->data); }

  ESC_INLINE Step feed_start(Bytes bytes);
  Step feed_message(Bytes bytes);
  std::size_t execute(std::string_view text);
  void begin_message();
  Step fail(int status, Errc code, std::string message, std::size_t consumed = 0);
  bool fail_later(int status, std::string message, Errc code = Errc::bad_message);
  Step fail_from_llhttp(std::size_t consumed);

  // A part of the head, by where it stands: llhttp reports it in pieces that follow each other.
  struct Part {
    std::uint32_t at = 0;
    std::uint32_t size = 0;
  };
  using Known = detail::KnownFields;

  int add_to(Part& part, std::string_view text);
  int add_extension_text(std::size_t& part, std::size_t size);
  int chunk_begins(std::uint64_t size);
  int body_too_large();
  int extension_part_complete(std::size_t& part);
  int add_trailer_text(std::string& to, std::string_view text);
  int field_complete();
  int trailer_complete();
  std::string_view text_of_head();
  int headers_complete();
  int take_body(std::string_view bytes);
  char head_byte(std::size_t at) const { return at < held_.size() ? held_[at] : feed_[at - held_.size()]; }
  bool check_protocol();
  bool check_request(const Known& known);
  bool fails_by(const char* fault) { return fault != nullptr && fail_later(400, fault); }
  bool check_framing(const Known& known);

  Role role_;
  ParserLimits limits_;
  llhttp_t llhttp_;
  Phase phase_ = Phase::start;
  bool head_ready_ = false;
  bool body_ready_ = false;
  bool complete_ready_ = false;

  std::string method_;           // of the request line, while it comes in
  std::size_t start_bytes_ = 0;  // empty lines before it
  std::size_t head_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::uint64_t extension_bytes_ = 0;  // of chunks, in all
  std::uint64_t extension_grant_ = 0;  // that the chunks so far allow for
  std::size_t extension_line_ = 0;     // of the chunk that begins
  std::size_t extension_name_ = 0;     // and the parts of the one that comes in
  std::size_t extension_value_ = 0;
  std::size_t silent_bytes_ = 0;  // of framing since the last content
  std::uint64_t body_bytes_ = 0;
  int interim_ = 0;           // responses since the last final one
  bool target_next_ = false;  // the method and one space were seen, and nothing after them

  // The head. What earlier feeds brought of it is kept, what the current one brings stays where it is.
  std::string held_;
  const char* feed_ = nullptr;
  Part target_;
  Part name_;
  Part value_;
  std::vector<Headers::Place> places_;
  detail::FastHeadParser plain_;
  std::unique_ptr<detail::FastResponseParser> plain_response_;  // none for requests
  // The trailer field that comes in.
  std::string trailer_name_;
  std::string trailer_value_;
};

// --- what llhttp calls ------------------------------------------------------------------------------------

const llhttp_settings_t& Parser::State::settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_url = [](llhttp_t* p, const char* at, std::size_t n) {
      return of(p).add_to(of(p).target_, {at, n});
    };
    s.on_header_field = [](llhttp_t* p, const char* at, std::size_t n) {
      State& state = of(p);
      return state.phase_ == Phase::body ? state.add_trailer_text(state.trailer_name_, {at, n})
                                         : state.add_to(state.name_, {at, n});
    };
    s.on_header_value = [](llhttp_t* p, const char* at, std::size_t n) {
      State& state = of(p);
      return state.phase_ == Phase::body ? state.add_trailer_text(state.trailer_value_, {at, n})
                                         : state.add_to(state.value_, {at, n});
    };
    s.on_header_value_complete = [](llhttp_t* p) {
      return of(p).phase_ == Phase::body ? of(p).trailer_complete() : of(p).field_complete();
    };
    s.on_headers_complete = [](llhttp_t* p) { return of(p).headers_complete(); };
    s.on_body = [](llhttp_t* p, const char* at, std::size_t n) { return of(p).take_body({at, n}); };
    s.on_chunk_extension_name = [](llhttp_t* p, const char*, std::size_t n) {
      return of(p).add_extension_text(of(p).extension_name_, n);
    };
    s.on_chunk_extension_value = [](llhttp_t* p, const char*, std::size_t n) {
      return of(p).add_extension_text(of(p).extension_value_, n);
    };
    s.on_chunk_extension_name_complete = [](llhttp_t* p) {
      return of(p).extension_part_complete(of(p).extension_name_);
    };
    s.on_chunk_extension_value_complete = [](llhttp_t* p) {
      return of(p).extension_part_complete(of(p).extension_value_);
    };
    s.on_chunk_header = [](llhttp_t* p) { return of(p).chunk_begins(p->content_length); };
    // So that one execute() yields one span of content at most.
    s.on_chunk_complete = [](llhttp_t*) { return static_cast<int>(HPE_PAUSED); };
    s.on_message_complete = [](llhttp_t* p) {
      of(p).complete_ready_ = true;
      return static_cast<int>(HPE_PAUSED);
    };
    return s;
  }();
  return settings;
}

int Parser::State::add_to(Part& part, std::string_view text) {
  const auto at = static_cast<std::uint32_t>(held_.size() + static_cast<std::size_t>(text.data() - feed_));
  if (part.size == 0) part.at = at;
  if (part.at + part.size != at) {  // which llhttp does not do
    fail_later(400, "a part of the head in pieces");
    return -1;
  }
  part.size += static_cast<std::uint32_t>(text.size());
  return 0;
}

int Parser::State::add_extension_text(std::size_t& part, std::size_t size) {
  part += size;
  extension_bytes_ += size;
  extension_line_ += size;
  const bool line_fits = extension_line_ <= std::min(limits_.head_bytes_max, extension_line_max);
  if (line_fits && extension_bytes_ <= limits_.head_bytes_max + extension_grant_) return 0;
  fail_later(400, "chunk extensions too large", Errc::limit_exceeded);
  return -1;
}

// The line with a chunk's size was read. What is too much is refused before it comes; what is not allows for
// as much framing.
int Parser::State::chunk_begins(std::uint64_t size) {
  extension_line_ = 0;
  if (size > limits_.body_bytes_max - body_bytes_) return body_too_large();
  extension_grant_ += extension_bytes_per_chunk + 2 * std::min<std::uint64_t>(size, extension_grant_max);
  extension_grant_ = std::min(extension_grant_, extension_grant_max);
  return 0;
}

int Parser::State::body_too_large() {
  fail_later(413, "body of more than " + std::to_string(limits_.body_bytes_max) + " bytes",
             Errc::limit_exceeded);
  return -1;
}

// llhttp takes those without a name, and an equals sign with nothing behind.
int Parser::State::extension_part_complete(std::size_t& part) {
  if (std::exchange(part, 0) != 0) return 0;
  fail_later(400, "a chunk extension without a name or a value");
  return -1;
}

int Parser::State::field_complete() {
  if (places_.size() >= limits_.header_count_max) {
    fail_later(431, "more than " + std::to_string(limits_.header_count_max) + " header fields",
               Errc::limit_exceeded);
    return -1;
  }
  if (value_.size == 0) value_.at = name_.at + name_.size;  // llhttp may not say where an empty one stands
  places_.push_back({name_.at, name_.size, value_.at, value_.size});
  name_ = value_ = Part();
  return 0;
}

int Parser::State::add_trailer_text(std::string& to, std::string_view text) {
  if ((trailer_bytes_ += text.size()) > limits_.head_bytes_max) {
    fail_later(431, "trailers too large", Errc::limit_exceeded);
    return -1;
  }
  to += text;
  return 0;
}

int Parser::State::trailer_complete() {
  if (trailers.size() >= limits_.header_count_max) {
    fail_later(431, "more than " + std::to_string(limits_.header_count_max) + " header fields",
               Errc::limit_exceeded);
    return -1;
  }
  trailers.add(std::exchange(trailer_name_, {}), std::string(without_white_space(trailer_value_)));
  trailer_value_.clear();
  return 0;
}

// Where all parts of a head that is complete stand.
std::string_view Parser::State::text_of_head() {
  Part last = target_;
  if (!places_.empty()) last = {places_.back().value_at, places_.back().value_size};
  const std::size_t end = last.at + last.size;
  if (held_.empty()) return {feed_, end};
  if (end > held_.size()) held_.append(feed_, end - held_.size());
  return held_;
}

int Parser::State::headers_complete() {
  llhttp_.upgrade = 0;  // an offer to upgrade that nobody took up: the message is read as if without it
  head.minor_version = std::min<int>(llhttp_.http_minor, 1);  // RFC 9110 2.5: a later 1.x is read as 1.1
  head.status = role_ == Role::response ? llhttp_.status_code : 0;
  if (llhttp_.http_major != 1 && fail_later(505, "neither HTTP/1.0 nor HTTP/1.1")) return -1;
  if (!check_protocol()) return -1;
  if (role_ == Role::response && head.status < 100 && fail_later(400, "a status below 100")) return -1;
  const std::string_view text = text_of_head();
  head.target = text.substr(target_.at, target_.size);
  const Known known(text, places_);
  head.keep_alive = detail::keeps_alive(head.minor_version, known.close, known.keep_alive);
  head.asks_keep_alive = known.keep_alive;
  head.upgrade = known.upgrade;
  if (!check_framing(known)) return -1;
  if (role_ == Role::request && !check_request(known)) return -1;
  head.headers = Headers::received(places_, text);
  head_ready_ = true;
  // The end of a request without a body is reported in the same call.
  return role_ == Role::request && !head.has_body() ? 0 : static_cast<int>(HPE_PAUSED);
}

int Parser::State::take_body(std::string_view bytes) {
  if (bytes.empty()) return 0;  // llhttp reports an empty span where the input ends between two chunks
  body = as_bytes(bytes);
  body_ready_ = true;
  body_bytes_ += bytes.size();
  return body_bytes_ <= limits_.body_bytes_max ? 0 : body_too_large();
}

// --- what llhttp leaves open: see rules.h -----------------------------------------------------------------

// llhttp also reads RTSP and ICE, and several spaces before a request's version.
bool Parser::State::check_protocol() {
  const std::string_view expected = role_ == Role::request ? " HTTP/" : "HTTP/";
  const std::size_t at = role_ == Role::request ? target_.at + target_.size : 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (head_byte(at + i) != expected[i]) return !fail_later(400, "it is not HTTP/1.x");
  }
  return true;
}

bool Parser::State::check_framing(const Known& known) {
  if (fails_by(detail::framing_fault(known, head.minor_version))) return false;
  if (known.content_lengths == 1) {
    head.content_length = parse_number<std::uint64_t>(known.content_length);
    if (!head.content_length) return !fail_later(400, "Content-Length is not a number");
  }
  if (known.has_transfer_encoding) {
    const std::string codings = known.codings();
    if (role_ == Role::request && !detail::ends_with_chunked(codings))
      return !fail_later(400, "the last transfer coding is not chunked");
    head.chunked = equal_ignoring_case(codings, "chunked");
    if (!head.chunked) return !fail_later(501, "transfer coding " + codings + " is not supported");
  }
  if (role_ == Role::response) {
    const int status = head.status;
    const bool none = answers_head || !may_have_body(status);
    head.until_close = !none && !head.chunked && !head.content_length;
    if (none) {
      head.chunked = false;
      head.content_length.reset();
      llhttp_.flags |= F_SKIPBODY;  // what returning 1 would do, but the callback has to pause
    }
    if (head.until_close) head.keep_alive = false;
  }
  return head.content_length.value_or(0) <= limits_.body_bytes_max || body_too_large() == 0;
}

bool Parser::State::check_request(const Known& known) {
  head.expect_continue = detail::expects_continue(head.minor_version, detail::is_continue(known.expect));
  if (fails_by(detail::target_fault(head.target, head.method.text()))) return false;
  if (fails_by(detail::host_fault(known, head.minor_version))) return false;
  head.host = known.host;
  return true;
}

// --- feeding --------------------------------------------------------------------------------------------

Parser::Step Parser::State::feed(Bytes bytes) {
  if (phase_ == Phase::failed) return {Event::failed, 0};
  if (complete_ready_) {
    complete_ready_ = false;
    phase_ = Phase::start;
    start_bytes_ = 0;
    method_.clear();
    const bool interim = role_ == Role::response && head.status < 200;
    if (interim && ++interim_ > limits_.interim_max) {
      return fail(400, Errc::limit_exceeded, "too many interim responses");
    }
    if (!interim) interim_ = 0;
    return {Event::complete, 0};
  }
  if (phase_ == Phase::start) return bytes.empty() ? Step{Event::need_more, 0} : feed_start(bytes);
  return feed_message(bytes);
}

std::size_t Parser::State::read_whole_response(std::string_view text, std::string_view& content) {
  if (phase_ != Phase::start || complete_ready_ || answers_head) return 0;
  const std::size_t size = plain_response_->read(text, limits_, head, content);
  if (size == 0) return 0;
  interim_ = 0;
  if (!trailers.empty()) trailers = Headers();
  return size;
}

// The first bytes of a message. A request's method is read here (rules.h: usual_methods).
Parser::Step Parser::State::feed_start(Bytes bytes) {
  if (role_ == Role::response) {
    begin_message();
    return feed_message(bytes);
  }
  const std::string_view text = as_text(bytes);
  if (start_bytes_ == 0 && method_.empty()) {
    const std::size_t size = plain_.read(text, limits_, head);
    if (size != 0) {
      if (!trailers.empty()) trailers = Headers();
      return {Event::bare_head, size};
    }
    const std::string_view method = method_at_once(text);
    if (!method.empty()) {
      begin_message();
      head.method = Method(method);
      return feed_message(bytes);
    }
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (method_.empty() && (c == '\r' || c == '\n')) {
      const bool crlf = c == (start_bytes_ % 2 == 0 ? '\r' : '\n');
      if (!crlf || ++start_bytes_ > blank_bytes_max)
        return fail(400, Errc::bad_message, "no request line", i);
      continue;
    }
    if (c == ' ' && !method_.empty()) {
      begin_message();
      head.method = Method(method_);
      if (method_ == "CONNECT") return fail(501, Errc::unsupported, "CONNECT is not supported", i);
      const std::string told = detail::is_usual_method(method_) ? method_ : "POST";
      execute(told + ' ');
      head_bytes_ = method_.size() + 1;
      target_next_ = true;
      const Step step = feed_message(bytes.subspan(i + 1));
      return {step.event, step.consumed + i + 1};
    }
    if (!detail::token_characters.has(c) || method_.size() >= method_bytes_max || start_bytes_ % 2 != 0) {
      return fail(400, Errc::bad_message, "the request does not begin with a method", i);
    }
    method_ += c;
  }
  return {Event::need_more, bytes.size()};
}

void Parser::State::begin_message() {
  head = MessageHead();
  trailers = Headers();
  held_.clear();
  places_.clear();
  target_ = name_ = value_ = Part();
  trailer_name_.clear();
  trailer_value_.clear();
  head_bytes_ = trailer_bytes_ = extension_line_ = extension_name_ = extension_value_ = silent_bytes_ = 0;
  extension_bytes_ = extension_grant_ = body_bytes_ = 0;
  llhttp_init(&llhttp_, role_ == Role::request ? HTTP_REQUEST : HTTP_RESPONSE, &settings());
  llhttp_set_lenient_version(&llhttp_, 1);  // which versions are served is decided where the head is complete
  llhttp_.data = this;
  phase_ = Phase::head;
}

// Returns the number of bytes that llhttp took. Resumes it where it was paused.
std::size_t Parser::State::execute(std::string_view text) {
  if (llhttp_get_errno(&llhttp_) == HPE_PAUSED) llhttp_resume(&llhttp_);
  feed_ = text.data();
  const llhttp_errno_t code = llhttp_execute(&llhttp_, text.data(), text.size());
  if (code == HPE_OK) return text.size();
  const char* position = llhttp_get_error_pos(&llhttp_);
  return position == nullptr ? 0 : static_cast<std::size_t>(position - text.data());
}

Parser::Step Parser::State::feed_message(Bytes bytes) {
  std::size_t consumed = 0;
  // llhttp would skip more spaces; the grammar has one.
  if (target_next_ && !bytes.empty()) {
    target_next_ = false;
    if (as_text(bytes).front() == ' ') return fail(400, Errc::bad_message, "two spaces after the method");
  }
  for (;;) {
    std::string_view rest = as_text(bytes.subspan(consumed));
    if (phase_ == Phase::head && rest.size() > limits_.head_bytes_max + 1 - head_bytes_) {
      rest = rest.substr(0, limits_.head_bytes_max + 1 - head_bytes_);
    }
    body_ready_ = false;
    const std::size_t taken = execute(rest);
    consumed += taken;
    const llhttp_errno_t code = llhttp_get_errno(&llhttp_);
    if (error || (code != HPE_OK && code != HPE_PAUSED)) return fail_from_llhttp(consumed);

    if (phase_ == Phase::head) {
      head_bytes_ += taken;
      if (head_bytes_ > limits_.head_bytes_max) {
        const bool in_target = role_ == Role::request && places_.empty() && name_.size == 0;
        return fail(in_target ? 414 : 431, Errc::limit_exceeded,
                    "head of more than " + std::to_string(limits_.head_bytes_max) + " bytes", consumed);
      }
      if (head_ready_) {
        head_ready_ = false;
        phase_ = Phase::body;
        // The rest of llhttp's work on the head needs no byte; a response without a body is told so.
        return {Event::head, consumed};
      }
      held_.append(rest.data(), taken);
    } else {
      silent_bytes_ = body_ready_ ? 0 : silent_bytes_ + taken;
      if (silent_bytes_ > 2 * limits_.head_bytes_max + 1024) {
        return fail(400, Errc::limit_exceeded, "too much chunk framing without content", consumed);
      }
    }
    if (body_ready_) return {Event::body, consumed};
    if (complete_ready_) {
      const Step complete = feed({});
      return {complete.event, consumed};
    }
    // Paused after a chunk: go on, also without bytes, as the message's end may be due.
    if (code == HPE_OK || (taken == 0 && rest.empty())) return {Event::need_more, consumed};
  }
}

Parser::Event Parser::State::finish() {
  if (phase_ == Phase::failed) return Event::failed;
  if (complete_ready_) return feed({}).event;
  if (between_messages()) return Event::need_more;
  if (phase_ == Phase::body && head.until_close) {
    phase_ = Phase::start;
    interim_ = 0;
    return Event::complete;
  }
  fail(400, role_ == Role::response ? Errc::reset : Errc::bad_message,
       "the connection ended in the middle of a message");
  return Event::failed;
}

Parser::Step Parser::State::fail(int status, Errc code, std::string message, std::size_t consumed) {
  fail_later(status, std::move(message), code);
  phase_ = Phase::failed;
  return {Event::failed, consumed};
}

// Notes why; the callback that called it stops llhttp. Always true.
bool Parser::State::fail_later(int status, std::string message, Errc code) {
  if (!error) {
    error = Error(code, std::move(message));
    error_status = status;
  }
  return true;
}

Parser::Step Parser::State::fail_from_llhttp(std::size_t consumed) {
  const char* reason = llhttp_get_error_reason(&llhttp_);
  const std::string_view why = reason == nullptr ? "" : reason;
  std::string message = role_ == Role::request ? "malformed request" : "malformed response";
  if (!why.empty()) (message += ": ") += why;
  return fail(400, Errc::bad_message, std::move(message), consumed);
}

// --- the front ------------------------------------------------------------------------------------------

Parser::Parser(Role role, ParserLimits limits) : state_(std::make_unique<State>(role, limits)) {}
Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;
Parser::~Parser() = default;

Parser::Step Parser::feed(Bytes bytes) { return state_->feed(bytes); }
std::size_t Parser::read_whole_response(Bytes bytes, std::string_view& body) {
  return state_->read_whole_response(as_text(bytes), body);
}
Parser::Event Parser::finish() { return state_->finish(); }
void Parser::expect_no_body(bool answers_head) { state_->expect_response(answers_head); }
MessageHead& Parser::head() { return state_->head; }
Bytes Parser::body() const { return state_->body; }
Headers& Parser::trailers() { return state_->trailers; }

const Error& Parser::error() const {
  ESC_CHECK(state_->error);
  return *state_->error;
}

int Parser::error_status() const { return state_->error_status; }
bool Parser::between_messages() const { return state_->between_messages(); }

}  // namespace escapement::http
