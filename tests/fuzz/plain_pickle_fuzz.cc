// Any bytes as a pickle of plain data, as the ground truth of a benchmark is one.
#include "base/pickle/plain.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  testing::CheckAnswer(base::ReadPlainPickle(testing::View(data, size), {}).status());
  return 0;
}
