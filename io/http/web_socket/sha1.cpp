#include <escapement/io/http/web_socket/sha1.h>

#include <array>
#include <bit>
#include <cstdint>

namespace escapement::http::detail {

namespace {

constexpr std::size_t block_size = 64;
using State = std::array<std::uint32_t, 5>;

// The text, a 1 bit, zeros, and the length in bits in the last 8 bytes.
std::string padded(std::string_view text) {
  std::string all(text);
  all += '\x80';
  while (all.size() % block_size != block_size - 8) all += '\0';
  const std::uint64_t bits = std::uint64_t{text.size()} * 8;
  for (int shift = 56; shift >= 0; shift -= 8) all += static_cast<char>(bits >> shift & 0xff);
  return all;
}

std::array<std::uint32_t, 80> schedule(std::string_view block) {
  std::array<std::uint32_t, 80> words{};
  for (std::size_t i = 0; i < block_size; ++i) {
    words[i / 4] = words[i / 4] << 8 | static_cast<unsigned char>(block[i]);
  }
  for (std::size_t i = 16; i < words.size(); ++i) {
    words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  }
  return words;
}

// The function and the constant of round `i`.
std::uint32_t mixed(std::size_t i, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  if (i < 20) return ((b & c) | (~b & d)) + 0x5a827999;
  if (i < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (i < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}

void take_block(State& state, std::string_view block) {
  const std::array<std::uint32_t, 80> words = schedule(block);
  auto [a, b, c, d, e] = state;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint32_t next = std::rotl(a, 5) + mixed(i, b, c, d) + e + words[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  const State round{a, b, c, d, e};
  for (std::size_t i = 0; i < state.size(); ++i) state[i] += round[i];
}

}  // namespace

std::string sha1(std::string_view text) {
  State state{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  const std::string all = padded(text);
  for (std::size_t at = 0; at < all.size(); at += block_size) {
    take_block(state, std::string_view(all).substr(at, block_size));
  }
  std::string hash;
  for (const std::uint32_t word : state) {
    for (int shift = 24; shift >= 0; shift -= 8) hash += static_cast<char>(word >> shift & 0xff);
  }
  return hash;
}

}  // namespace escapement::http::detail
