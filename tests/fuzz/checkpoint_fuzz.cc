// Any bytes as a checkpoint: safetensors, a zip of pickles, or the older row of pickles. The checksums of a zip's
// entries are made right, so that what is behind them is reached.
#include <zlib.h>

#include <optional>
#include <string>
#include <vector>

#include "base/byte_reader.h"
#include "model/weights/checkpoint.h"
#include "model/weights/dtype.h"
#include "tests/fuzz/fuzz_check.h"

namespace sightline {
namespace {

// Wherever an entry of a directory seems to lie whose content is there.
void RepairZip(std::string* bytes) {
  constexpr absl::string_view kDirectoryEntry("PK\x01\x02", 4);
  for (size_t at = bytes->find(kDirectoryEntry.data(), 0, 4); at != std::string::npos;
       at = bytes->find(kDirectoryEntry.data(), at + 4, 4)) {
    const std::optional<uint64_t> size = base::ByteReader(*bytes, at + 24).Little(4);
    const std::optional<uint64_t> header = base::ByteReader(*bytes, at + 42).Little(4);
    if (!size || !header) return;
    base::ByteReader local(*bytes, *header + 26);
    const std::optional<uint64_t> name = local.Little(2), extra = local.Little(2);
    if (!name || !extra || !local.Take(*name + *extra)) continue;
    const std::optional<absl::string_view> content = local.Take(*size);
    if (!content) continue;
    const auto* const data = reinterpret_cast<const unsigned char*>(content->data());
    bytes->replace(at + 16, 4, testing::Little("", {static_cast<uint32_t>(crc32_z(0, data, content->size()))}));
  }
}

}  // namespace
}  // namespace sightline

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  std::string bytes(testing::View(data, size));
  RepairZip(&bytes);
  const auto checkpoint = weights::ParseCheckpoint(bytes, {});
  testing::CheckAnswer(checkpoint.status());
  if (!checkpoint.ok()) return 0;
  size_t left = 1 << 20;
  for (const auto* const tensors : {&(*checkpoint)->tensors(), &(*checkpoint)->meta_tensors()}) {
    for (const weights::TensorView& tensor : *tensors) {
      size_t count = 1;
      for (const int64_t side : tensor.shape) count *= static_cast<size_t>(side);
      testing::Expect(count * static_cast<size_t>(weights::DTypeBytes(tensor.dtype)) == tensor.bytes.size());
      // Every value is there. Many tensors may show the same ones: enough is enough.
      if (count > left) continue;
      left -= count;
      std::vector<float> values(count);
      weights::ToFloats(tensor.dtype, tensor.bytes, absl::MakeSpan(values));
    }
  }
  return 0;
}
