#include <escapement/io/bindings/memory_durable_namespace.h>

#include <algorithm>

#include <escapement/core/detail/ascii.h>

namespace escapement {

namespace {

constexpr std::size_t id_digits = 64;
constexpr std::size_t seal_digits = 16;  // the last ones, which follow from the others and the namespace

// FNV-1a, and a mixer behind it (SplitMix64's).
std::uint64_t text_hash(std::string_view text, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325 ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return Random(hash).next();
}

std::string as_16_digits(std::uint64_t number) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += digits[number >> shift & 15];
  return text;
}

}  // namespace

struct MemoryDurableNamespace::Place {
  Place(Reactor& reactor, const MakeDurableObject& make, const MemoryStorageOptions& options)
      : object(reactor, disk, make, options) {}
  MemoryDisk disk;
  MemoryDurableObject object;
};

MemoryDurableNamespace::MemoryDurableNamespace(Reactor& reactor, std::string name, MakeDurableObject make,
                                               MemoryStorageOptions options)
    : reactor_(reactor), name_(std::move(name)), make_(std::move(make)), options_(std::move(options)) {}
MemoryDurableNamespace::~MemoryDurableNamespace() = default;

DurableId MemoryDurableNamespace::sealed(std::string digits) const {
  const std::uint64_t seal = text_hash(digits, text_hash(name_, 0));
  return DurableId(std::move(digits) + as_16_digits(seal));
}

Result<DurableId> MemoryDurableNamespace::id_from_name(std::string_view name) {
  std::string digits;
  for (std::uint64_t seed = 1; seed <= 3; ++seed)
    digits += as_16_digits(text_hash(name, text_hash(name_, seed)));
  return sealed(std::move(digits));
}

Result<DurableId> MemoryDurableNamespace::id_from_string(std::string_view text) {
  std::string digits = lower(text);
  const bool all_digits = digits.size() == id_digits && std::ranges::all_of(digits, is_hex_digit);
  if (all_digits) {
    DurableId id = sealed(digits.substr(0, id_digits - seal_digits));
    if (id.text() == digits) return id;
  }
  return Error(Errc::invalid_argument, "an id that is none of the namespace " + name_);
}

Result<DurableId> MemoryDurableNamespace::new_unique_id() {
  std::string digits;
  for (int i = 0; i < 3; ++i) digits += as_16_digits(reactor_.random().next());
  return sealed(std::move(digits));
}

http::Service MemoryDurableNamespace::get(const DurableId& id) {
  return http::Service(
      [this, id](http::Request request) { return place(id).object.fetch(std::move(request)); });
}

MemoryDurableNamespace::Place& MemoryDurableNamespace::place(const DurableId& id) {
  std::unique_ptr<Place>& found = places_[id.text()];
  if (found == nullptr) found = std::make_unique<Place>(reactor_, make_, options_);
  return *found;
}

MemoryDurableObject& MemoryDurableNamespace::object(const DurableId& id) { return place(id).object; }
MemoryDisk& MemoryDurableNamespace::disk(const DurableId& id) { return place(id).disk; }

}  // namespace escapement
