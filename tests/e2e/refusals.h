// Refusals: requests that must be refused, each with the code, the reason and the two sentences it must be refused
// with.
#ifndef SIGHTLINE_TESTS_E2E_REFUSALS_H_
#define SIGHTLINE_TESTS_E2E_REFUSALS_H_

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/e2e/code_tables.h"
#include "tests/e2e/rpc.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Case {
  std::string rpc;
  std::string name;
  std::string reason;
  absl::StatusCode code;
  std::function<absl::Status(const Rpc&)> call;
};

// "image is too large; the limit is 5. Resize it." A sentence may hold points; the end of one is ". " or the last ".".
inline bool IsTwoSentences(absl::string_view message) {
  return absl::EndsWith(message, ".") && (absl::StrContains(message, ". ") || absl::StrContains(message, "? "));
}

inline constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
inline constexpr auto kNotFound = absl::StatusCode::kNotFound;
inline constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
inline constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

class Cases {
 public:
  template <typename Request, typename Change>
  void Search(const std::string& name, const std::string& reason, Change change, absl::StatusCode code = kInvalid) {
    v1::SearchRequest request = NewSearch({1, 0, 0, 0});
    change(request);
    Add("Search", name, reason, code,
        [request](const Rpc& rpc) { return Call(*rpc.search, &v1::SearchService::Stub::Search, request); });
  }

  void Add(std::string rpc, std::string name, std::string reason, absl::StatusCode code,
           std::function<absl::Status(const Rpc&)> call) {
    cases_.push_back({std::move(rpc), std::move(name), std::move(reason), code, std::move(call)});
  }

  const std::vector<Case>& all() const { return cases_; }

 private:
  std::vector<Case> cases_;
};

// Each is refused as it says, with a code that the RPC's own comment promises, and the server lives on.
inline void ExpectTyped(const Cases& cases, const Rpc& rpc, ServerProcess& server) {
  const CodeTables tables = ReadCodeTables(SIGHTLINE_PROTO_FOLDER);
  ASSERT_TRUE(tables.contains("Search"));
  for (const Case& test : cases.all()) {
    SCOPED_TRACE(absl::StrCat(test.rpc, ": ", test.name));
    const absl::Status status = test.call(rpc);
    EXPECT_EQ(status.code(), test.code) << status;
    if (status.ok()) continue;
    EXPECT_EQ(base::GetErrorInfo(status).reason, test.reason) << status;
    EXPECT_TRUE(IsTwoSentences(status.message())) << status;
    // An item of a stream may fail in every way that the unary call may.
    const std::string documented_in = test.rpc == "IndexStream" ? "Index" : test.rpc;
    EXPECT_TRUE(tables.at(documented_in).contains(absl::StatusCodeToString(status.code())))
        << status << " is not in the code table of " << documented_in;
    ASSERT_TRUE(server.Running()) << server.Log();
  }
}

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_E2E_REFUSALS_H_
