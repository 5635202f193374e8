#include <escapement/middleware/web_socket/permessage_deflate.h>

#include <zlib.h>

#include <algorithm>
#include <utility>

#include <escapement/core/bytes.h>
#include <escapement/core/detail/check.h>
#include <escapement/middleware/web_socket/detail/deflate_offer.h>

namespace escapement::http {

namespace {

using detail::DeflateOffer;

constexpr int window_bits_max = 15;
constexpr int window_bits_min = 9;  // zlib writes no smaller one
// The end of each message, which is not sent (RFC 7692 section 7.2.1).
constexpr std::string_view sync_tail("\x00\x00\xff\xff", 4);
// The most that is decompressed at once.
constexpr std::size_t step_size = 16 * KiB;
// zlib counts in 32 bits. Longer messages are sent as they are, and not taken.
constexpr std::size_t data_max = std::size_t{1} << 30;

Bytef* zlib_bytes(std::string_view text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // zlib does not write there
}

// A message of this size cannot refer back further.
int window_for(std::size_t size, int most) {
  int bits = window_bits_min;
  while (bits < most && (std::size_t{1} << bits) < size) ++bits;
  return bits;
}

// One direction's writing half.
class Deflater {
 public:
  Deflater() = default;
  Deflater(const Deflater&) = delete;
  ~Deflater() { end(); }

  bool begun() const { return begun_; }
  // zlib needs 2^(bits + 2) bytes for the window, and about as many for the hashes.
  bool begin(int level, int bits) {
    return begun_ = ::deflateInit2(&stream_, level, Z_DEFLATED, -bits, std::min(bits - 6, 8),
                                   Z_DEFAULT_STRATEGY) == Z_OK;
  }
  void end() {
    if (std::exchange(begun_, false)) ::deflateEnd(&stream_);
  }

  // Appends the compressed message. Returns false without memory.
  bool run(std::string_view message, std::string& to) {
    stream_.next_in = zlib_bytes(message);
    stream_.avail_in = static_cast<uInt>(message.size());
    to.resize(::deflateBound(&stream_, static_cast<uLong>(message.size())) + sync_tail.size() + 8);
    stream_.next_out = reinterpret_cast<Bytef*>(to.data());
    stream_.avail_out = static_cast<uInt>(to.size());
    if (::deflate(&stream_, Z_SYNC_FLUSH) != Z_OK || stream_.avail_in > 0 || stream_.avail_out == 0)
      return false;
    to.resize(to.size() - stream_.avail_out);
    return true;
  }

 private:
  z_stream stream_{};
  bool begun_ = false;
};

// The reading half.
class Inflater {
 public:
  Inflater() = default;
  Inflater(const Inflater&) = delete;
  ~Inflater() { end(); }

  bool begun() const { return begun_; }
  bool begin(int bits) { return begun_ = ::inflateInit2(&stream_, -bits) == Z_OK; }
  void end() {
    if (std::exchange(begun_, false)) ::inflateEnd(&stream_);
  }

  // Returns whether no block is left in its middle.
  bool between_blocks() const { return (stream_.data_type & 128) != 0; }

  // Appends what `data` says, at most `bytes_max` bytes in all.
  Result<> run(std::string_view data, std::string& to, std::size_t bytes_max) {
    stream_.next_in = zlib_bytes(data);
    stream_.avail_in = static_cast<uInt>(data.size());
    for (;;) {
      const std::size_t before = to.size();
      const std::size_t room = std::min(step_size, bytes_max - before + 1);
      to.resize(before + room);
      stream_.next_out = reinterpret_cast<Bytef*>(to.data() + before);
      stream_.avail_out = static_cast<uInt>(room);
      const int outcome = ::inflate(&stream_, Z_SYNC_FLUSH);
      to.resize(before + room - stream_.avail_out);
      if (outcome == Z_MEM_ERROR) return Error::out_of_memory();
      if (outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR) return damaged();
      if (to.size() > bytes_max) return Error(Errc::limit_exceeded, "a message is too long");
      if (outcome == Z_STREAM_END && !continue_behind_end()) return Error::out_of_memory();
      if (stream_.avail_in == 0 && stream_.avail_out > 0) return {};
      if (outcome == Z_BUF_ERROR && stream_.avail_out > 0) return damaged();
    }
  }

 private:
  static Error damaged() { return Error(Errc::bad_message, "a compressed message is damaged"); }

  // A sender may mark a block as the last one of its data; what follows may refer back all the same (RFC 7692
  // section 7.2.3.4).
  bool continue_behind_end() {
    std::string window(std::size_t{1} << window_bits_max, '\0');
    uInt size = 0;
    if (::inflateGetDictionary(&stream_, reinterpret_cast<Bytef*>(window.data()), &size) != Z_OK)
      return false;
    const uInt left = stream_.avail_in;
    Bytef* const next = stream_.next_in;
    if (::inflateReset(&stream_) != Z_OK) return false;
    stream_.avail_in = left;
    stream_.next_in = next;
    return size == 0 ||
           ::inflateSetDictionary(&stream_, reinterpret_cast<Bytef*>(window.data()), size) == Z_OK;
  }

  z_stream stream_{};
  bool begun_ = false;
};

// The terms that one end has to keep to.
struct DeflateSettings {
  bool keep_own = false;
  bool keep_peers = false;
  int own_bits = window_bits_max;
  int peer_bits = window_bits_max;
  int level = 6;
  std::size_t size_min = 0;
};

class DeflateCompressor final : public WebSocketCompressor {
 public:
  explicit DeflateCompressor(const DeflateSettings& settings) : settings_(settings) {}

  Result<std::optional<std::string>> compress(std::string_view message) override {
    const bool fits = !message.empty() && message.size() >= settings_.size_min && message.size() <= data_max;
    if (!fits || settings_.own_bits < window_bits_min) return std::optional<std::string>();
    const int bits = settings_.keep_own ? settings_.own_bits : window_for(message.size(), settings_.own_bits);
    if (!deflater_.begun() && !deflater_.begin(settings_.level, bits)) return Error::out_of_memory();
    std::string data;
    const bool done = deflater_.run(message, data);
    if (!settings_.keep_own) deflater_.end();
    if (!done) return Error::out_of_memory();
    data.resize(data.size() - sync_tail.size());
    // With a context that is kept, the peer has to see all that went into it.
    if (!settings_.keep_own && data.size() >= message.size()) return std::optional<std::string>();
    return std::optional<std::string>(std::move(data));
  }

  Result<std::string> decompress(std::string_view data, std::size_t bytes_max) override {
    if (!inflater_.begun() && !inflater_.begin(std::max(settings_.peer_bits, 8)))
      return Error::out_of_memory();
    if (data.size() > data_max) return Error(Errc::limit_exceeded, "a message is too long");
    bytes_max = std::min(bytes_max, data_max);
    std::string message;
    Result<> done = inflater_.run(data, message, bytes_max);
    if (done) done = inflater_.run(sync_tail, message, bytes_max);
    const bool whole = inflater_.between_blocks();
    if (!settings_.keep_peers) inflater_.end();
    if (!done) return std::move(done).error();
    if (!whole) return Error(Errc::bad_message, "a compressed message ends early");
    return message;
  }

 private:
  const DeflateSettings settings_;
  Deflater deflater_;
  Inflater inflater_;
};

}  // namespace

PermessageDeflate::PermessageDeflate(PermessageDeflateOptions options) : options_(options) {
  for (const int bits : {options.window_bits, options.peer_window_bits})
    ESC_CHECK(bits >= window_bits_min && bits <= window_bits_max,
              "a window of permessage-deflate has 9 to 15 bits");
  ESC_CHECK(options.level >= 1 && options.level <= 9, "a level of permessage-deflate is 1 to 9");
}

std::string PermessageDeflate::offer() const {
  DeflateOffer offer;
  offer.server_no_context_takeover = !options_.keep_context;
  offer.client_no_context_takeover = !options_.keep_context;
  if (options_.peer_window_bits < window_bits_max) offer.server_max_window_bits = options_.peer_window_bits;
  offer.client_window_may_shrink = true;
  if (options_.window_bits < window_bits_max) offer.client_max_window_bits = options_.window_bits;
  return detail::deflate_text(offer);
}

AgreedCompression PermessageDeflate::accept(std::string_view offers) const {
  AgreedCompression agreed;
  const std::optional<std::vector<detail::NamedExtension>> extensions = detail::parse_extensions(offers);
  if (!extensions) return agreed;
  const auto first = std::ranges::find_if(
      *extensions, [](const detail::NamedExtension& one) { return one.offer.has_value(); });
  if (first == extensions->end()) return agreed;
  const DeflateOffer& offer = *first->offer;
  DeflateOffer answer;
  answer.server_no_context_takeover = offer.server_no_context_takeover || !options_.keep_context;
  answer.client_no_context_takeover = offer.client_no_context_takeover || !options_.keep_context;
  const int own = std::min(options_.window_bits, offer.server_max_window_bits.value_or(window_bits_max));
  if (own < window_bits_max) answer.server_max_window_bits = own;
  int peers = offer.client_max_window_bits.value_or(window_bits_max);
  // A client that does not say that it can must not be asked for a smaller window.
  if (offer.client_window_may_shrink || offer.client_max_window_bits)
    peers = std::min(peers, options_.peer_window_bits);
  if (peers < window_bits_max) answer.client_max_window_bits = peers;
  agreed.field = detail::deflate_text(answer);
  agreed.compressor =
      std::make_unique<DeflateCompressor>(DeflateSettings{.keep_own = !answer.server_no_context_takeover,
                                                          .keep_peers = !answer.client_no_context_takeover,
                                                          .own_bits = own,
                                                          .peer_bits = peers,
                                                          .level = options_.level,
                                                          .size_min = options_.size_min});
  return agreed;
}

Result<std::unique_ptr<WebSocketCompressor>> PermessageDeflate::agree(std::string_view answer) const {
  const Error refused(Errc::bad_message, "the server's permessage-deflate is not what was offered");
  const std::optional<std::vector<detail::NamedExtension>> extensions = detail::parse_extensions(answer);
  if (!extensions || extensions->size() != 1 || !extensions->front().offer) return refused;
  const DeflateOffer& given = *extensions->front().offer;
  const int own = given.client_max_window_bits.value_or(options_.window_bits);
  const int peers = given.server_max_window_bits.value_or(window_bits_max);
  if (given.client_window_may_shrink || own > options_.window_bits || peers > options_.peer_window_bits)
    return refused;
  if (!options_.keep_context && !given.server_no_context_takeover) return refused;
  return std::unique_ptr<WebSocketCompressor>(std::make_unique<DeflateCompressor>(
      DeflateSettings{.keep_own = options_.keep_context && !given.client_no_context_takeover,
                      .keep_peers = !given.server_no_context_takeover,
                      .own_bits = own,
                      .peer_bits = peers,
                      .level = options_.level,
                      .size_min = options_.size_min}));
}

}  // namespace escapement::http
