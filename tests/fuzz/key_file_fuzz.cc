// Any text as the file of API keys.
#include "server/security/key_file.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  const auto keys = server::ParseKeyFile("keys.json", testing::View(data, size));
  testing::CheckAnswer(keys.status());
  if (!keys.ok()) return 0;
  for (const server::ApiKey& key : *keys) {
    // Nobody gets in by an empty name or an entry that stands for no one.
    testing::Expect(!key.name.empty() && (key.sha256.has_value() || !key.certificate.empty()));
  }
  return 0;
}
