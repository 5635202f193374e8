// Boost.Beast on a plain socket, callbacks, no timer: its quickest form (tcp_stream with a time limit for
// each operation takes half as long again). It answers one request at a time.

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <memory>

#include "../answer.h"
#include "../sockets.h"
#include "end.h"

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::beast::error_code;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  explicit Connection(tcp::socket socket) : socket_(std::move(socket)) {}

  void read() {
    request_ = {};
    http::async_read(socket_, received_, request_,
                     [self = shared_from_this()](error_code failed, std::size_t) {
                       if (!failed) self->answer();
                     });
  }

 private:
  void answer() {
    response_ = {};
    response_.version(request_.version());
    response_.keep_alive(request_.keep_alive());
    response_.set(http::field::date, "Thu, 01 Jan 1970 00:00:00 GMT");
    response_.set(http::field::content_type, bench::answer_type.data());
    response_.body() = bench::answer_body;
    response_.prepare_payload();
    http::async_write(socket_, response_, [self = shared_from_this()](error_code failed, std::size_t) {
      if (!failed && self->response_.keep_alive()) self->read();
    });
  }

  tcp::socket socket_;
  boost::beast::flat_buffer received_;
  http::request<http::empty_body> request_;
  http::response<http::string_body> response_;
};

void accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](error_code failed, tcp::socket socket) {
    if (!failed) std::make_shared<Connection>(std::move(socket))->read();
    accept(acceptor);
  });
}

}  // namespace

int main() {
  bench::end_on_sigterm();
  asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
  tcp::acceptor acceptor(context, tcp::v4(), bench::listen_and_say());
  accept(acceptor);
  context.run();
}
