// Any bytes as the links of a graph over a few rows, behind their checksum; what loads is searched.
#include <vector>

#include "index/ann/code_table.h"
#include "index/ann/graph.h"
#include "index/kernels/int8_code.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;         // NOLINT(google-build-using-namespace): a program of one function
  using namespace sightline::index;  // NOLINT(google-build-using-namespace)
  constexpr size_t kDim = 8;
  constexpr uint32_t kRows = 64;
  static CodeTable& codes = []() -> CodeTable& {
    static CodeTable made(kernels::CodeLayout(kDim), kRows, kRows);
    for (uint32_t row = 0; row < kRows; ++row) {
      std::vector<float> descriptor(kDim, 0.1F);
      descriptor[row % kDim] = static_cast<float>(row);
      kernels::EncodeRow(made.layout(), descriptor.data(), made.MutableRow(row));
    }
    return made;
  }();
  const auto graph = Graph::Load(codes, {}, testing::View(data, size));
  testing::CheckAnswer(graph.status());
  return 0;
}
