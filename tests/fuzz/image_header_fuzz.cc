// Any bytes as an image of which only the header is read.
#include "model/image/decode.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  const image::Limits limits;
  const auto header = image::ReadHeader(testing::View(data, size), limits);
  testing::CheckAnswer(header.status());
  if (!header.ok()) return 0;
  testing::Expect(header->width > 0 && header->height > 0 && header->width <= limits.max_side &&
                  header->height <= limits.max_side && int64_t{header->width} * header->height <= limits.max_pixels);
  testing::Expect(header->orientation >= 1 && header->orientation <= 8);
  // What a decoder is said to need is within what is allowed for the size.
  testing::Expect(header->work_bytes >= 0);
  return 0;
}
