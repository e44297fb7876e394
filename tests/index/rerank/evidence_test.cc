// What explains a match, from plans small enough to see.
#include "index/rerank/evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/index/rerank/patch_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index::rerank {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Plan PlanOf(Vector transport) {
  Plan plan;
  plan.transport = std::move(transport);
  return plan;
}

TEST(EvidenceTest, StrongestFirstWithTheHeatOfBothSides) {
  const Vector cosines = {0.5, 0.9, -0.5, 1, 0.25, 0};
  const Plan plan = PlanOf({0.25, 0.125, 0.125, 0, 0.375, 0.125});
  const Evidence evidence = MakeEvidence(plan, {cosines, 2, 3}, 10);
  ASSERT_EQ(evidence.correspondences.size(), 3u);  // not those of no mass, cosine 0 or below it
  const Correspondence& first = evidence.correspondences[0];
  EXPECT_EQ(first.result_cell, 0);
  EXPECT_EQ(first.query_cell, 0);
  EXPECT_EQ(first.mass, 0.25);
  EXPECT_EQ(first.cosine, 0.5);
  EXPECT_EQ(evidence.correspondences[1].query_cell, 1);
  EXPECT_EQ(evidence.correspondences[2].result_cell, 1);
  EXPECT_EQ(evidence.correspondences[2].query_cell, 1);
  EXPECT_THAT(evidence.query_heat, ElementsAre(0.25, 0.5, 0.25));
  EXPECT_THAT(evidence.result_heat, ElementsAre(0.5, 0.5));
}

TEST(EvidenceTest, AsManyAsAskedFor) {
  const Vector cosines(12, 0.5);
  const Plan plan = PlanOf(Vector(12, 1.0 / 12));
  EXPECT_THAT(MakeEvidence(plan, {cosines, 3, 4}, 0).correspondences, IsEmpty());
  EXPECT_THAT(MakeEvidence(plan, {cosines, 3, 4}, -1).correspondences, IsEmpty());
  const auto three = MakeEvidence(plan, {cosines, 3, 4}, 3).correspondences;
  ASSERT_EQ(three.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(three[static_cast<size_t>(i)].result_cell, 0);
    EXPECT_EQ(three[static_cast<size_t>(i)].query_cell, i);
  }
  EXPECT_EQ(MakeEvidence(plan, {cosines, 3, 4}, 1000).correspondences.size(), 12u);
}

TEST(EvidenceTest, IsTheHeadOfTheWholeOrder) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> cosine(-1, 1), mass(0, 1);
  Vector cosines, transport, strengths;
  for (int i = 0; i < 35 * 21; ++i) {
    cosines.push_back(cosine(random));
    transport.push_back(mass(random));
    strengths.push_back(cosines.back() * transport.back());
  }
  const Evidence evidence = MakeEvidence(PlanOf(transport), {cosines, 35, 21}, 50);
  std::sort(strengths.rbegin(), strengths.rend());
  ASSERT_EQ(evidence.correspondences.size(), 50u);
  for (size_t i = 0; i < 50; ++i) {
    const Correspondence& found = evidence.correspondences[i];
    EXPECT_EQ(found.mass * found.cosine, strengths[i]);
    const size_t at = static_cast<size_t>(found.result_cell) * 21 + static_cast<size_t>(found.query_cell);
    EXPECT_EQ(found.cosine, cosines[at]);
    EXPECT_EQ(found.mass, transport[at]);
  }
  EXPECT_NEAR(SumOf(evidence.query_heat), SumOf(transport), 1e-9);
  EXPECT_NEAR(SumOf(evidence.result_heat), SumOf(transport), 1e-9);
}

}  // namespace
}  // namespace sightline::index::rerank
