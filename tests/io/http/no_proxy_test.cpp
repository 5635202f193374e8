// Which hosts no_proxy names, by curl's rules and with ports.

#include <catch2/catch_test_macros.hpp>

#include <escapement/io/http/no_proxy.h>

using escapement::http::NoProxy;

TEST_CASE("no_proxy: names and those below them") {
  const NoProxy list("example.com, .dot.test *.star.test,Trailing.Test.");
  for (const char* host : {"example.com", "EXAMPLE.com", "a.example.com", "a.b.example.com", "example.com.",
                           "dot.test", "a.dot.test", "star.test", "a.star.test", "trailing.test"}) {
    INFO(host);
    CHECK(list.matches(host, 80));
  }
  for (const char* host : {"badexample.com", "example.com.evil.test", "com", "example", "", "10.0.0.1"}) {
    INFO(host);
    CHECK(!list.matches(host, 80));
  }
}

TEST_CASE("no_proxy: ports") {
  const NoProxy list("a.test:8080,[::1]:443,10.0.0.1:81,b.test:0,c.test:x,d.test:70000");
  CHECK(list.matches("a.test", 8080));
  CHECK(list.matches("below.a.test", 8080));
  CHECK(!list.matches("a.test", 80));
  CHECK(list.matches("::1", 443));
  CHECK(!list.matches("::1", 80));
  CHECK(list.matches("10.0.0.1", 81));
  CHECK(!list.matches("10.0.0.1", 80));
  for (const char* none : {"b.test", "c.test", "d.test"}) CHECK(!list.matches(none, 80));
}

TEST_CASE("no_proxy: addresses and networks") {
  const NoProxy list(
      "10.0.0.0/8 192.168.1.5 172.16.0.0/12 fd00::/8 ::1 [2001:db8::1] 1.2.3.4/33 1.2.3.4/ 5.6.7.8/x");
  for (const char* host :
       {"10.1.2.3", "10.255.255.255", "192.168.1.5", "172.31.255.255", "fd12::5", "::1", "2001:db8::1"}) {
    INFO(host);
    CHECK(list.matches(host, 443));
  }
  for (const char* host : {"11.0.0.1", "192.168.1.6", "172.32.0.0", "fe00::1", "::2", "1.2.3.4", "5.6.7.8",
                           "10.test", "a.10.0.0.1"}) {
    INFO(host);
    CHECK(!list.matches(host, 443));
  }
  CHECK(NoProxy("0.0.0.0/0").matches("8.8.8.8", 80));
  CHECK(!NoProxy("0.0.0.0/0").matches("::1", 80));
  CHECK(NoProxy("10.0.0.1/32").matches("10.0.0.1", 80));
  CHECK(!NoProxy("10.0.0.1/32").matches("10.0.0.2", 80));
}

TEST_CASE("no_proxy: an address with more behind a percent sign is a name, but for an IPv6 zone") {
  const NoProxy list("127.0.0.0/8,::1,fe80::1%eth0,10.0.0.1%25");
  CHECK(list.matches("127.0.0.1", 80));
  CHECK(!list.matches("127.0.0.1%21", 80));
  CHECK(!list.matches("127.0.0.1%", 80));
  CHECK(list.matches("::1%lo", 80));
  CHECK(list.matches("fe80::1", 80));
  CHECK(!list.matches("10.0.0.1", 80));
  CHECK(list.matches("10.0.0.1%25", 80));
}

TEST_CASE("no_proxy: everything, and nothing") {
  CHECK(NoProxy("*").matches("any.test", 1));
  CHECK(NoProxy("a.test,*").matches("::1", 1));
  for (const char* none : {"", " ", ",,", ".", "*.", "[", "]", ":", "/8", "[]:80"}) {
    INFO(none);
    CHECK(!NoProxy(none).matches("a.test", 80));
    CHECK(!NoProxy(none).matches("", 80));
  }
}
