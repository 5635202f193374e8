// MD5 and SHA-256: the vectors of RFC 1321 and FIPS 180-4, and every length around a block.

#include <escapement/middleware/client/detail/hashes.h>

#include <catch2/catch_test_macros.hpp>

using namespace escapement::http::detail;

TEST_CASE("hashes: the vectors of RFC 1321 section A.5") {
  CHECK(md5_hex("") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(md5_hex("a") == "0cc175b9c0f1b6a831c399e269772661");
  CHECK(md5_hex("abc") == "900150983cd24fb0d6963f7d28e17f72");
  CHECK(md5_hex("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
  CHECK(md5_hex("abcdefghijklmnopqrstuvwxyz") == "c3fcd3d76192e4007dfb496cca67e13b");
  CHECK(md5_hex("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") ==
        "d174ab98d277d9f5a5611c2c9f419d9f");
  CHECK(md5_hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890") ==
        "57edf4a22be3c955ac49da2e2107b67a");
}

TEST_CASE("hashes: the vectors of FIPS 180-4") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("hashes: lengths around a block, hashed twice over") {
  std::string md5s;
  std::string sha256s;
  for (std::size_t size = 0; size <= 130; ++size) {
    md5s += md5_hex(std::string(size, 'x'));
    sha256s += sha256_hex(std::string(size, '\xff'));
  }
  CHECK(md5_hex(md5s) == "861e4a9e76c88ae6267e22fd76384596");
  CHECK(sha256_hex(sha256s) == "cf649f34677fc3b17f8e2bdb9c4216d26d31e4e4450e9eb9fd9fa59c73723250");
}
