// Any bytes as a checkpoint: safetensors, a zip of pickles, or the older row of pickles.
#include "model/weights/checkpoint.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  const auto checkpoint = weights::ParseCheckpoint(testing::View(data, size), {});
  testing::CheckAnswer(checkpoint.status());
  if (!checkpoint.ok()) return 0;
  // Every byte that a tensor views is there.
  unsigned sum = 0;
  for (const weights::TensorView& tensor : (*checkpoint)->tensors()) {
    for (const char byte : tensor.bytes) sum += static_cast<unsigned char>(byte);
  }
  // So that the sum is wanted; -1 only keeps an input out of the corpus.
  return sum == ~0U ? -1 : 0;
}
