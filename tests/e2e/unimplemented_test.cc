// RPCs that this version does not offer say so: UNIMPLEMENTED, a reason, and a sentence about what to do instead. None
// of them pretends.
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "base/status.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

class UnimplementedTest : public ServerFixture {
 protected:
  static void Expect(const absl::Status& status, const char* rpc) {
    SCOPED_TRACE(rpc);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
    EXPECT_EQ(base::GetErrorInfo(status).reason, "NOT_OFFERED") << status;
    EXPECT_TRUE(absl::StrContains(status.message(), rpc)) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), ". ")) << status;
    EXPECT_TRUE(absl::EndsWith(status.message(), ".")) << status;
  }
};

TEST_F(UnimplementedTest, OfCollections) {
  using S = v1::CollectionService::Stub;
  S& stub = *rpc_->collections;
  Expect(Call(stub, &S::UpdateCollection, v1::UpdateCollectionRequest()), "UpdateCollection");
  Expect(Call(stub, &S::SetAlias, v1::SetAliasRequest()), "SetAlias");
  Expect(Call(stub, &S::DeleteAlias, v1::DeleteAliasRequest()), "DeleteAlias");
}

}  // namespace
}  // namespace sightline::testing
