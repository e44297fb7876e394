// Any text as a filter; what parses is evaluated.
#include "index/filter/attribute_index.h"
#include "index/filter/filter_parser.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  static const index::AttributeIndex& attributes = [&]() -> index::AttributeIndex& {
    static index::AttributeIndex made;
    for (uint32_t row = 0; row < 32; ++row) {
      index::Attributes values;
      values["color"] = std::string(row % 2 == 0 ? "red" : "blue");
      values["price"] = static_cast<double>(row) / 3;
      values["count"] = int64_t{row};
      values["sold"] = row % 3 == 0;
      values["tags"] = std::vector<std::string>{"a", row % 2 == 0 ? "b" : "c"};
      made.Set(row, values);
    }
    return made;
  }();
  const auto filter = index::ParseFilter(testing::View(data, size));
  testing::CheckAnswer(filter.status());
  if (filter.ok()) testing::Expect(attributes.Evaluate(*filter, 32).cardinality() <= 32);
  return 0;
}
