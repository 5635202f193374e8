// OpenSSL as it is by default, with what the other offers: TLS 1.2 and 1.3, ALPN, one ticket.

#include <openssl/ssl.h>

#include "bare.h"

namespace {

void must(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "bench: OpenSSL: %s\n", what);
  std::exit(1);
}

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  static const unsigned char ours[] = "\x08http/1.1";
  const int outcome = SSL_select_next_proto(const_cast<unsigned char**>(chosen), size, ours, sizeof ours - 1,
                                            offered, offered_size);
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

struct Context {
  Context(const char* certificate, const char* key) : ssl(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    must(SSL_CTX_use_certificate_chain_file(ssl, certificate) == 1, certificate);
    must(SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) == 1, key);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, nullptr);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);  // tickets only
    SSL_CTX_set_num_tickets(ssl, 1);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
  }

  SSL_CTX* ssl;
};

class Session {
 public:
  explicit Session(Context& context)
      : ssl_(SSL_new(context.ssl)), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())) {
    BIO_set_mem_eof_return(in_, -1);
    SSL_set_bio(ssl_, in_, out_);
    SSL_set_accept_state(ssl_);
  }
  Session(const Session&) = delete;
  ~Session() { SSL_free(ssl_); }

  int handshake() {
    give();
    return outcome(SSL_do_handshake(ssl_));
  }
  int read(char* room, std::size_t size) {
    give();
    return outcome(SSL_read(ssl_, room, static_cast<int>(size)));
  }
  int write(const char* bytes, std::size_t size) {
    return outcome(SSL_write(ssl_, bytes, static_cast<int>(size)));
  }

  std::string incoming, outgoing;

 private:
  void give() {
    if (incoming.empty()) return;
    BIO_write(in_, incoming.data(), static_cast<int>(incoming.size()));
    incoming.clear();
  }
  int outcome(int returned) {
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(out_, &bytes);
    if (size > 0) {
      outgoing.append(bytes, static_cast<std::size_t>(size));
      (void)BIO_reset(out_);
    }
    if (returned > 0) return returned;
    return SSL_get_error(ssl_, returned) == SSL_ERROR_WANT_READ ? bench::session_waits : bench::session_ended;
  }

  SSL* ssl_;
  BIO* in_;
  BIO* out_;
};

}  // namespace

int main(int argc, char** argv) { return bench::serve_tls<Context, Session>(argc, argv); }
