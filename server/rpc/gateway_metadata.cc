#include "server/rpc/gateway_metadata.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>
#include <cstdlib>

#include "absl/strings/escaping.h"

namespace sightline::server {
namespace {

constexpr size_t kSecretBytes = 32;

std::string MakeSecret() {
  std::array<unsigned char, kSecretBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace

const std::string& GatewaySecret() {
  static const std::string secret = MakeSecret();
  return secret;
}

bool IsGatewaySecret(absl::string_view text) {
  const std::string& secret = GatewaySecret();
  return text.size() == secret.size() && CRYPTO_memcmp(text.data(), secret.data(), secret.size()) == 0;
}

}  // namespace sightline::server
