// Any bytes as a safetensors file. What is taken can be written and read again.
#include "model/weights/safetensors.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  const absl::string_view bytes = testing::View(data, size);
  const auto file = weights::ParseSafetensors(bytes, {});
  testing::CheckAnswer(file.status());
  if (!file.ok()) return 0;
  size_t total = 0;
  for (const weights::TensorView& tensor : file->tensors) {
    const bool inside = tensor.bytes.empty() || (tensor.bytes.data() >= bytes.data() &&
                                                 tensor.bytes.data() + tensor.bytes.size() <= bytes.data() + size);
    testing::Expect(inside);
    total += tensor.bytes.size();
  }
  testing::Expect(total <= size);
  const auto written = weights::SerializeSafetensors(file->tensors, file->metadata);
  testing::CheckAnswer(written.status());
  if (written.ok()) {
    const auto again = weights::ParseSafetensors(*written, {});
    testing::Expect(again.ok() && again->tensors.size() == file->tensors.size());
  }
  return 0;
}
