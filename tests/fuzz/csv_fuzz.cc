// Any text as a CSV table, with and without a line of names.
#include "base/csv.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  const absl::string_view text = testing::View(data, size);
  const base::CsvLimits limits{.max_line_bytes = 4096, .max_columns = 16, .max_rows = 1000};
  for (const bool plain : {false, true}) {
    auto csv = plain ? base::CsvReader::OpenPlain("table", text, {"a", "b"}, limits)
                     : base::CsvReader::Open("table", text, limits);
    testing::CheckAnswer(csv.status());
    while (csv.ok()) {
      const auto more = csv->Next();
      testing::CheckAnswer(more.status());
      if (!more.ok() || !*more) break;
      for (size_t i = 0; i < csv->columns().size(); ++i) {
        testing::Expect((*csv)[i].size() <= limits.max_line_bytes);
        testing::CheckAnswer(csv->Int(i, -1000, 1000).status());
        testing::CheckAnswer(csv->Number(i, -1, 1).status());
        testing::CheckAnswer(csv->Wrong(i, "it must be something else. Correct it."));
      }
    }
  }
  return 0;
}
