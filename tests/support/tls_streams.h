// TLS for tests: the certificates that make_certificates.sh made, and streams over other kinds of stream.
// Native tests of a build with TLS only.

#pragma once

#include <string>
#include <utility>

#include <escapement/io/tls/tls.h>

#include "support/streams.h"

namespace escapement::test {

std::string certificate_file(const std::string& name);

std::string pem(const std::string& name);

// "chain" goes with the key of its leaf.
TlsIdentity identity(const std::string& name);

TlsClientOptions trusting_ca();

// By the certificates of these names. (No braced list: g++ 12 cannot keep one in a coroutine's frame.)
template <class... Names>
TlsServerOptions serving(const Names&... names) {
  TlsServerOptions options;
  (options.identities.push_back(identity(names)), ...);
  return options;
}

TlsClient make_client(TlsClientOptions options);

TlsServer make_server(TlsServerOptions options);

// Two ends of one TLS connection over the two ends of another, after the handshake.
Task<StreamPair> encrypt_both(TlsClient client, TlsServer server, StreamPair plain);

StreamKind tls_over(const StreamKind& kind, TlsVersion version);

std::string outcome_text(const Result<>& outcome);

// The outcome of a handshake at both ends.
struct Outcome {
  Outcome(Result<TlsInfo> c, Result<TlsInfo> s) : client(std::move(c)), server(std::move(s)) {}
  Result<TlsInfo> client;
  Result<TlsInfo> server;
};

Task<Outcome> shake_hands(TlsClient client, TlsServer server, std::string host);

}  // namespace escapement::test
