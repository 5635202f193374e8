// GzipEncoder: bytes to a gzip stream (RFC 1952), on zlib.

#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace escapement::http {

// Holds about 260 KB until it is destroyed.
class GzipEncoder {
 public:
  enum class Flush {
    none,    // input may stay buffered
    sync,    // a reader can decode everything given so far
    finish,  // end of the stream
  };

  // `level` from 1 (fast) to 9 (small). Null when there is no memory.
  static std::unique_ptr<GzipEncoder> make(int level);
  ~GzipEncoder();

  // Appends the output to `to`. Takes time in proportion to `bytes`, in the order of 20 ns a byte.
  void encode(std::string& to, std::string_view bytes, Flush flush);

 private:
  struct State;
  explicit GzipEncoder(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace escapement::http
