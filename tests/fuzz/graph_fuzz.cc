// Any bytes as the links of a graph over a few rows; what loads is searched, with and without a filter.
#include <vector>

#include "index/ann/code_table.h"
#include "index/ann/graph.h"
#include "index/ann/row_bits.h"
#include "index/kernels/int8_code.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;         // NOLINT(google-build-using-namespace): a program of one function
  using namespace sightline::index;  // NOLINT(google-build-using-namespace)
  constexpr size_t kDim = 8;
  constexpr uint32_t kRows = 64;
  const auto descriptor = [](uint32_t row) {
    std::vector<float> values(kDim, 0.1F);
    values[row % kDim] = static_cast<float>(row);
    return values;
  };
  static CodeTable& codes = [&]() -> CodeTable& {
    static CodeTable made(kernels::CodeLayout(kDim), kRows, kRows);
    for (uint32_t row = 0; row < kRows; ++row) {
      kernels::EncodeRow(made.layout(), descriptor(row).data(), made.MutableRow(row));
    }
    return made;
  }();
  const auto graph = Graph::Load(codes, {}, testing::View(data, size));
  testing::CheckAnswer(graph.status());
  if (!graph.ok()) return 0;
  testing::Expect((*graph)->size() <= kRows);
  const kernels::Int8Query query(codes.layout(), descriptor(size % kRows).data());
  const RowBits odd{.words = {0xAAAA'AAAA'AAAA'AAAA}};
  for (const RowBits* const filter : {static_cast<const RowBits*>(nullptr), static_cast<const RowBits*>(&odd)}) {
    const auto accept = [&](uint32_t row) { return row < kRows; };
    const Graph::Result found =
        (*graph)->Search({.query = &query, .k = 10, .ef = 20, .filter = filter, .accept = accept});
    testing::Expect(found.best.size() <= 10);
    for (const ScoredRow& row : found.best) {
      testing::Expect(row.row < (*graph)->size() &&
                      (filter == nullptr || filter->Contains(static_cast<uint32_t>(row.row))));
    }
  }
  // What was loaded can be written.
  testing::CheckAnswer((*graph)->Save((*graph)->size(), [](absl::string_view) { return absl::OkStatus(); }));
  return 0;
}
