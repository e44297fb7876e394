// Any bytes as a header of a call: the caller's trace and its id of the request.
#include "server/observe/trace_context.h"
#include "tests/fuzz/fuzz_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline;  // NOLINT(google-build-using-namespace): a program of one function
  const absl::string_view text = testing::View(data, size);
  if (server::IsSaneRequestId(text)) testing::Expect(!text.empty() && text.size() <= 128);
  const auto parent = server::ParseTraceParent(text);
  if (!parent) return 0;
  testing::Expect(parent->trace_id.size() == 32 && parent->span.size() == 16 && parent->flags.size() == 2);
  // What is passed on is read as the same.
  const auto again = server::ParseTraceParent(server::FormatTraceParent(*parent));
  testing::Expect(again && again->trace_id == parent->trace_id && again->span == parent->span);
  return 0;
}
