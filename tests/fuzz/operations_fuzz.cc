// Any bytes as the file of operations; with an even first byte its magic number, version and checksum are right.
#include <string>

#include "base/crc32c.h"
#include "server/operations_file.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  if (size < 1) return 0;
  std::string bytes(testing::View(data + 1, size - 1));
  if (data[0] % 2 == 0) bytes = testing::Little("SLTOPERA", {1, base::Crc32c(bytes)}) + bytes;
  const auto stored = server::DecodeOperations(bytes);
  testing::CheckAnswer(stored.status());
  // What is taken is written and read again.
  if (stored.ok()) testing::Expect(server::DecodeOperations(server::EncodeOperations(*stored)).ok());
  return 0;
}
