#include <escapement/io/http/upgrade.h>

namespace escapement::http {

namespace {

class ProtocolSource final : public BodySource {
 public:
  explicit ProtocolSource(Protocol run) : run_(std::move(run)) {}

  Task<std::string> read() override { co_return std::string(); }
  std::optional<std::uint64_t> length() const override { return 0; }
  bool takes_over() const override { return true; }
  Task<> take_over(std::unique_ptr<Stream> stream) override { return run_(std::move(stream)); }

 private:
  Protocol run_;  // a coroutine's captures live here
};

}  // namespace

Task<> BodySource::take_over(std::unique_ptr<Stream>) {
  co_await Error(Errc::unsupported, "this body takes over no connection");
}

Task<> Body::take_over(std::unique_ptr<Stream> stream) {
  ESC_CHECK(takes_over());
  return content_->source->take_over(std::move(stream));
}

bool offers_upgrade(const Request& request, std::string_view protocol) {
  if (request.minor_version == 0) return false;
  const std::optional<std::string> connection = request.headers.joined("connection");
  const std::optional<std::string> upgrade = request.headers.joined("upgrade");
  return connection && list_contains(*connection, "upgrade") && upgrade && list_contains(*upgrade, protocol);
}

Response upgrade_to(const Request& request, std::string_view protocol, Protocol run) {
  Headers headers{{"Upgrade", protocol}};
  if (!offers_upgrade(request, protocol)) {
    return Response(426, std::move(headers), "this needs the protocol " + std::string(protocol) + "\n");
  }
  return Response(101, std::move(headers), Body(std::make_unique<ProtocolSource>(std::move(run))));
}

}  // namespace escapement::http
