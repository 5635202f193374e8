// The address that a request came from.

#include <escapement/middleware/server/peer_address.h>

#include <catch2/catch_test_macros.hpp>

#include <escapement/core/scope.h>

#include "support/answers.h"
#include "support/from_peer.h"
#include "support/mock_service.h"

using namespace escapement;
using namespace escapement::http;
using escapement::test::request;

TEST_CASE("peer address: IPv4 as it is, IPv6 by its network") {
  const auto network = [](const char* peer) {
    Request asking = request("GET", "/");
    test::FromPeer there(peer);
    asking.context = http::RequestContext(there);
    return peer_address(asking) + ' ' + peer_network(asking);
  };
  CHECK(network("") == " ");
  CHECK(network("10.0.0.1:80") == "10.0.0.1 10.0.0.1");
  CHECK(network("[2001:db8::1]:80") == "2001:db8::1 2001:db8:0:0::");
  CHECK(network("[2001:db8:1:2:3:4:5:6]:80") == "2001:db8:1:2:3:4:5:6 2001:db8:1:2::");
  CHECK(network("[2001::1:2:3:4:5]:80") == "2001::1:2:3:4:5 2001:0:0:1::");
  CHECK(network("[::1]:80") == "::1 0:0:0:0::");
  CHECK(network("[::ffff:10.0.0.1]:80") == "::ffff:10.0.0.1 10.0.0.1");
}
