// Any text as a model.json.
#include "model/config/model_config.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  testing::CheckAnswer(model::ParseModelConfig(testing::View(data, size)).status());
  return 0;
}
