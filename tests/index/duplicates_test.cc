// Duplicates and pairs of a collection: what is near by descriptor counts only where the patches agree.
#include "index/duplicates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "index/pair_scores.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

constexpr int kCells = 9;
constexpr int kTokenDim = 16;

class DuplicatesTest : public IndexTest {
 protected:
  DuplicatesTest() { Start(); }

  // An image of an object: its patches are the object's, in another order and with noise; its descriptor is that of a
  // look, which several objects may share.
  void Put(const std::string& id, unsigned look, unsigned object, bool tokens = true) {
    std::mt19937 looks(look), objects(1'000 + object);
    Write write = MakeWrite(id, RandomVector(looks, config_.descriptor_dim));
    for (float& value : write.record.descriptor) value += Noise();
    if (tokens) write.record.tokens = Shuffled(objects);
    write.record.attributes = {{"object", absl::StrCat(object)}};
    ASSERT_TRUE(collection_->Put(std::move(write)).ok());
  }

  static bool Alike(double score, std::optional<double> structural) {
    return score >= 0.9 && structural.value_or(0.9) >= 0.8;
  }

  Duplicates Find(const std::string& filter = "", int neighbours = 10) {
    DuplicateOptions options;
    options.filter = filter;
    options.neighbours = neighbours;
    options.transport.marginals = rerank::Marginals::kUniform;
    options.alike = Alike;
    const auto found = FindDuplicates(*collection_, options, [](int64_t, int64_t) { return true; });
    EXPECT_TRUE(found.ok()) << found.status();
    return *found;
  }

 private:
  float Noise() { return std::normal_distribution<float>(0, 0.01f)(random_); }

  PatchTokens Shuffled(std::mt19937& object) {
    PatchTokens tokens;
    tokens.height = tokens.width = 3;
    tokens.dim = kTokenDim;
    tokens.precision = TokenPrecision::kFloat32;
    std::vector<std::vector<float>> patches;
    for (int i = 0; i < kCells; ++i) patches.push_back(RandomVector(object, kTokenDim));
    std::shuffle(patches.begin(), patches.end(), random_);
    for (const auto& patch : patches) {
      for (const float value : patch) tokens.floats.push_back(value + Noise());
    }
    tokens.importance.assign(kCells, 1.0f / kCells);
    tokens.centre = patches[0];
    return tokens;
  }

  std::mt19937 random_{17};
};

std::set<std::string> Ids(const DuplicateGroup& group) { return {group.ids.begin(), group.ids.end()}; }

TEST_F(DuplicatesTest, GroupsWhatIsNearAndHasTheSamePatches) {
  Put("a1", 1, 1);
  Put("b1", 1, 2);  // looks like a, and is something else
  Put("c", 3, 3);
  Put("a2", 1, 1);
  Put("b2", 1, 2);
  Put("a3", 1, 1);
  Put("far", 4, 1);  // the same patches, but not near
  const Duplicates found = Find();
  ASSERT_EQ(found.groups.size(), 2u);
  EXPECT_EQ(found.groups[0].ids, (std::vector<std::string>{"a1", "a2", "a3"}));
  EXPECT_EQ(found.groups[1].ids, (std::vector<std::string>{"b1", "b2"}));
  EXPECT_EQ(found.images, 7);
  // Each of the ten pairs of the five of one look once.
  EXPECT_EQ(found.verified_pairs, 10);
  ASSERT_EQ(found.groups[0].pairs.size(), 3u);
  for (const DuplicateGroup& group : found.groups) {
    for (const AlikePair& pair : group.pairs) {
      EXPECT_TRUE(Ids(group).contains(pair.first) && Ids(group).contains(pair.second));
      EXPECT_LT(pair.first, pair.second) << "in the order of writing";
      EXPECT_TRUE(pair.structural);
      EXPECT_TRUE(Alike(pair.score, pair.structural));
    }
  }
}

TEST_F(DuplicatesTest, ChainsJoinAndFiltersLeaveOut) {
  for (int i = 0; i < 6; ++i) Put(absl::StrCat("a", i), 1, 1);
  // With one neighbour each, the six still come to few groups, and every image is in one.
  const Duplicates chains = Find("", 1);
  size_t members = 0;
  for (const DuplicateGroup& group : chains.groups) members += group.ids.size();
  EXPECT_EQ(members, 6u);
  ASSERT_TRUE(collection_->UpdateAttributes("a0", {.set = {{"keep", true}}, .remove = {}, .replace = false}).ok());
  ASSERT_TRUE(collection_->UpdateAttributes("a3", {.set = {{"keep", true}}, .remove = {}, .replace = false}).ok());
  const Duplicates kept = Find("keep = true");
  ASSERT_EQ(kept.groups.size(), 1u);
  EXPECT_EQ(kept.groups[0].ids, (std::vector<std::string>{"a0", "a3"}));
  EXPECT_EQ(kept.images, 2);
}

TEST_F(DuplicatesTest, WithoutPatchesTheDescriptorDecides) {
  Put("a1", 1, 1, /*tokens=*/false);
  Put("a2", 1, 2);
  const Duplicates found = Find();
  ASSERT_EQ(found.groups.size(), 1u);
  EXPECT_EQ(found.verified_pairs, 0);
  EXPECT_FALSE(found.groups[0].pairs[0].structural);
}

TEST_F(DuplicatesTest, NothingAlikeAndNothingAtAll) {
  EXPECT_TRUE(Find().groups.empty());
  Put("a", 1, 1);
  Put("b", 2, 2);
  const Duplicates found = Find();
  EXPECT_TRUE(found.groups.empty());
  EXPECT_EQ(found.images, 2);
}

TEST_F(DuplicatesTest, EndsWhenAsked) {
  for (int i = 0; i < 5; ++i) Put(absl::StrCat("a", i), 1, 1);
  DuplicateOptions options;
  options.alike = Alike;
  int asked = 0;
  const auto found = FindDuplicates(*collection_, options, [&](int64_t, int64_t) { return ++asked < 3; });
  EXPECT_EQ(found.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(asked, 3);
}

TEST_F(DuplicatesTest, DrawsEveryNeighbouringPairOnceWithItsTruth) {
  for (int i = 0; i < 12; ++i) Put(absl::StrCat("i", i), 1, static_cast<unsigned>(i % 3));
  Put("other", 9, 9);
  const auto pairs =
      DrawPairs(*collection_, "object", {.images = 100, .neighbours = 12}, [](auto, auto) { return true; });
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  EXPECT_EQ(pairs->size(), 13u * 12 / 2);
  std::set<std::set<std::string>> seen;
  int same = 0;
  for (const IdPair& pair : *pairs) {
    EXPECT_TRUE(seen.insert({pair.first, pair.second}).second);
    same += pair.same ? 1 : 0;
  }
  EXPECT_EQ(same, 3 * (4 * 3 / 2));
  // Images without the label are left out; a key may be a word of the filter's own.
  const auto none = DrawPairs(*collection_, "not", {}, [](auto, auto) { return true; });
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(none->empty());
}

TEST_F(DuplicatesTest, ScoresOfPairsSeparateTheObjects) {
  for (int i = 0; i < 12; ++i) Put(absl::StrCat("i", i), 1, static_cast<unsigned>(i % 3));
  auto pairs = DrawPairs(*collection_, "object", {.images = 100, .neighbours = 11}, [](auto, auto) { return true; });
  ASSERT_TRUE(pairs.ok());
  const auto scored =
      ScorePairs(*collection_, *pairs, {.marginals = rerank::Marginals::kUniform}, [](auto, auto) { return true; });
  ASSERT_TRUE(scored.ok()) << scored.status();
  ASSERT_EQ(scored->size(), pairs->size());
  for (const rerank::LabelledPair& pair : *scored) {
    ASSERT_TRUE(pair.structural);
    EXPECT_GT(pair.score, 0.95) << "one look";
    EXPECT_EQ(*pair.structural > 0.8, pair.same) << *pair.structural;
  }
  EXPECT_EQ(ScorePairs(*collection_, {{"i1", "gone", true}}, {}, [](auto, auto) { return true; }).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace sightline::index
