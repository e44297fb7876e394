// IndexPolicy: that measurements decide, and that none decides for ever.
#include "index/ann/index_policy.h"

#include <gtest/gtest.h>

namespace sightline::index {
namespace {

constexpr int64_t kPolicyRows = 1'000'000;

TEST(IndexPolicyTest, OneSlowSearchOfTheGraphDoesNotForbidIt) {
  IndexPolicy policy(IndexKind::kAuto, 1'600);
  policy.ObserveExact(kPolicyRows, absl::Milliseconds(80));
  EXPECT_TRUE(policy.UseLinks(kPolicyRows));
  policy.ObserveLinks(absl::Milliseconds(200));
  EXPECT_TRUE(policy.UseLinks(kPolicyRows));
}

TEST(IndexPolicyTest, AGraphThatWasSlowIsTriedAgain) {
  IndexPolicy policy(IndexKind::kAuto, 1'600);
  policy.ObserveExact(kPolicyRows, absl::Milliseconds(80));
  for (int i = 0; i < 100; ++i) policy.ObserveLinks(absl::Milliseconds(200));
  EXPECT_FALSE(policy.UseLinks(kPolicyRows));
  int searches = 0;
  while (!policy.UseLinks(kPolicyRows) && searches < 10'000) {
    policy.ObserveExact(kPolicyRows, absl::Milliseconds(80));
    ++searches;
  }
  EXPECT_GT(searches, 100);
  EXPECT_LT(searches, 1'000);
  // Still slow: once is enough to know.
  policy.ObserveLinks(absl::Milliseconds(200));
  EXPECT_FALSE(policy.UseLinks(kPolicyRows));
}

TEST(IndexPolicyTest, TheCollectionsChoiceStands) {
  const IndexPolicy exact(IndexKind::kExact, 1'600), hnsw(IndexKind::kHnsw, 1'600);
  EXPECT_FALSE(exact.WantsLinks(kPolicyRows));
  EXPECT_FALSE(exact.UseLinks(kPolicyRows));
  EXPECT_TRUE(hnsw.WantsLinks(1));
  EXPECT_TRUE(hnsw.UseLinks(1));
}

}  // namespace
}  // namespace sightline::index
