#include <escapement/wasm_glue/host_durable_namespace.h>

#include <array>

#include <escapement/wasm_glue/detail/fetch_by.h>
#include <escapement/wasm_glue/detail/packed.h>

extern "C" {
// Writes an id's 64 digits to `to`, of a list: the binding's name, a method of the namespace and its
// argument; or "!" and why there is none. Returns the length.
[[clang::import_module("escapement_namespaces"), clang::import_name("id")]]
int esc_namespaces_id(const char* arguments, std::size_t length, char* to, std::size_t room);
// As esc_host_fetch, by an object: a list of the binding's name, the id and the location hint.
[[clang::import_module("escapement_namespaces"), clang::import_name("fetch")]]
void esc_namespaces_fetch(const char* object, std::size_t object_length, int id, const char* head,
                          std::size_t head_length, const char* body, std::size_t body_length);
}

namespace escapement::wasm {

namespace {

Result<DurableId> ask_for_id(const std::string& binding, std::string_view method, std::string_view argument) {
  Packed arguments;
  arguments.add(binding).add(method).add(argument);
  std::array<char, 500> room{};
  const int length = esc_namespaces_id(arguments.data(), arguments.size(), room.data(), room.size());
  std::string text(room.data(), length < 0 ? 0 : static_cast<std::size_t>(length));
  if (text.empty() || text.front() == '!')
    return Error(Errc::invalid_argument, text.substr(text.empty() ? 0 : 1));
  return DurableId(std::move(text));
}

// Calls one object.
class ObjectStub {
 public:
  ObjectStub(std::string object, HostFetchOptions options) : object_(std::move(object)), options_(options) {}

  ESC_CORO_WRAPPER Task<http::Response> operator()(http::Request request) const {
    return fetch_by(
        [](std::string_view object, int id, std::string_view head, std::string_view body) {
          esc_namespaces_fetch(object.data(), object.size(), id, head.data(), head.size(), body.data(),
                               body.size());
        },
        object_, options_, std::move(request));
  }

 private:
  std::string object_;
  HostFetchOptions options_;
};

}  // namespace

HostDurableNamespace::HostDurableNamespace(std::string name, HostDurableNamespaceOptions options)
    : name_(std::move(name)), options_(std::move(options)) {}

Result<DurableId> HostDurableNamespace::id_from_name(std::string_view name) {
  return ask_for_id(name_, "idFromName", name);
}

Result<DurableId> HostDurableNamespace::id_from_string(std::string_view text) {
  return ask_for_id(name_, "idFromString", text);
}

Result<DurableId> HostDurableNamespace::new_unique_id() {
  return ask_for_id(name_, "newUniqueId", options_.jurisdiction);
}

http::Service HostDurableNamespace::get(const DurableId& id) {
  Packed object;
  object.add(name_).add(id.text()).add(options_.location_hint);
  return http::Service(ObjectStub(std::string(object.data(), object.size()), options_.fetch));
}

}  // namespace escapement::wasm
