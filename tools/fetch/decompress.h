// Decompressor: undoes gzip and deflate, for --compressed.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <escapement/core/error.h>

namespace escapement {

class Decompressor {
 public:
  // Makes one for a value of Content-Encoding; null for none and for a coding that is not known.
  static std::unique_ptr<Decompressor> make(std::string_view coding);
  ~Decompressor();

  // Returns what `piece` decodes to. Errc::bad_message: it is not of that coding, or goes on behind its end.
  Result<std::string> decode(std::string_view piece);
  // Returns whether the end has been decoded.
  bool ended() const;

 private:
  struct State;
  explicit Decompressor(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace escapement
