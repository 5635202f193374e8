#include <escapement/io/resolver.h>

#include <utility>

#include <escapement/core/combine.h>

namespace escapement {

namespace detail {

Error resolve_error(Fault fault, std::string_view host, std::string_view why) {
  Errc kind = Errc::unavailable;
  std::string_view sentence = "no server answered";
  switch (fault) {
    case Fault::no_such_host:
      kind = Errc::not_found;
      sentence = "no such host";
      break;
    case Fault::no_address:
      kind = Errc::not_found;
      sentence = "the name has no address";
      break;
    case Fault::bad_host_name:
      kind = Errc::not_found;
      sentence = "not a valid host name";
      break;
    case Fault::dns_refused: sentence = "the server refused to answer"; break;
    case Fault::dns_server_failure: sentence = "the server could not find out"; break;
    case Fault::dns_bad_answer: sentence = "the answer is malformed"; break;
    default: break;
  }
  std::string message = "resolve ";
  message.append(host).append(": ").append(why.empty() ? sentence : why);
  return Error(kind, std::move(message)).because(fault).nothing_sent();
}

Error worse_of(Error v6, Error v4) {
  const auto weight = [](const Error& error) {
    if (error != Errc::not_found) return 2;
    return error.fault() == Fault::no_address ? 0 : 1;
  };
  return weight(v6) > weight(v4) ? std::move(v6) : std::move(v4);
}

namespace {

Task<Result<Resolved>> outcome_of(Task<Resolved> looking, std::string host) {
  Result<Resolved> outcome = co_await std::move(looking).result();
  if (outcome && outcome->addresses.empty()) outcome = resolve_error(Fault::no_address, host);
  co_return outcome;
}

}  // namespace

}  // namespace detail

Task<ResolverAnswer> Resolver::answer(std::string host, std::uint16_t port, AddressFamily family) {
  Result<Resolved> found = co_await lookup(std::move(host), port, family).result();
  co_return ResolverAnswer(std::move(found));
}

Task<std::vector<SocketAddress>> Resolver::resolve(std::string host, std::uint16_t port) {
  using Outcome = Result<Resolved>;
  Task<Outcome> first = detail::outcome_of(lookup(host, port, AddressFamily::v6), host);
  Task<Outcome> second = detail::outcome_of(lookup(host, port, AddressFamily::v4), host);
  std::tuple<Outcome, Outcome> both = co_await all(std::move(first), std::move(second));
  Outcome& v6 = std::get<0>(both);
  Outcome& v4 = std::get<1>(both);
  if (!v6 && !v4) co_return detail::worse_of(std::move(v6).error(), std::move(v4).error());
  std::vector<SocketAddress> addresses;
  if (v6) addresses = v6->addresses;
  if (v4) addresses.insert(addresses.end(), v4->addresses.begin(), v4->addresses.end());
  co_return std::move(addresses);
}

}  // namespace escapement
