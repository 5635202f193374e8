#include <escapement/wasm_glue/host_operation.h>

#include "github/rs256.h"

// Begins to sign. The import is rs256.mjs's.
extern "C" {
[[clang::import_module("escapement_rs256"), clang::import_name("sign")]]
void esc_rs256_sign(int id, const char* pem, std::size_t pem_length, const char* bytes, std::size_t length);
}

namespace escapement::github {

namespace {

Task<std::string> signed_by_host(std::string pem, std::string bytes) {
  Reactor& reactor = co_await this_reactor;
  wasm::HostOperation operation(reactor);
  esc_rs256_sign(operation.id(), pem.data(), pem.size(), bytes.data(), bytes.size());
  wasm::HostOutcome outcome = co_await operation.outcome(10s);
  co_return std::move(outcome.bytes);
}

}  // namespace

Result<Sign> rs256(const std::string& pem) {
  if (pem.find("-----BEGIN RSA PRIVATE KEY-----") == pem.npos &&
      pem.find("-----BEGIN PRIVATE KEY-----") == pem.npos) {
    return Error(Errc::invalid_argument, "the key of the App is not an RSA key in PEM");
  }
  return Sign([pem](std::string bytes) { return signed_by_host(pem, std::move(bytes)); });
}

}  // namespace escapement::github
