// Searching through the public interface: parameters, order, visibility, and against a naive reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "index/kernels/inner_product.h"
#include "index/validate.h"
#include "tests/index/index_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index {
namespace {

class SearchTest : public IndexTest {
 protected:
  std::mt19937 random_{31};
};

TEST_F(SearchTest, AgreesWithANaiveReferenceUnderUpsertsAndDeletes) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  config_.descriptor_dim = 37;
  Start();
  std::map<std::string, std::pair<int, std::vector<float>>> rows;  // id -> when written, descriptor
  int written = 0;
  for (int step = 0; step < 300; ++step) {
    const std::string id = absl::StrCat("r", random() % 80);
    if (random() % 4 == 0) {
      ASSERT_TRUE(collection_->Delete(absl::MakeConstSpan(&id, 1)).ok());
      rows.erase(id);
    } else {
      // Some are copies of others, for ties.
      auto vector = !rows.empty() && random() % 4 == 0 ? rows.begin()->second.second : RandomVector(random, 37);
      ASSERT_TRUE(collection_->Put(MakeWrite(id, vector)).ok());
      rows[id] = {written++, *NormalizeDescriptor(vector, 37)};
    }
    if (step == 150) Restart();
    const auto query = *NormalizeDescriptor(RandomVector(random, 37), 37);
    std::vector<std::tuple<double, int, std::string>> scored;
    for (const auto& [row_id, row] : rows) {
      float score = 0;
      kernels::InnerProducts(query.data(), row.second.data(), 37, 37, 1, &score);
      scored.emplace_back(-score, row.first, row_id);
    }
    std::sort(scored.begin(), scored.end());
    const auto hits = Search(query, 20);
    ASSERT_EQ(hits.size(), std::min<size_t>(20, rows.size()));
    for (size_t i = 0; i < hits.size(); ++i) {
      ASSERT_EQ(hits[i].id, std::get<2>(scored[i])) << "step " << step << " rank " << i;
      EXPECT_NEAR(hits[i].score, -std::get<0>(scored[i]), 2e-6);
    }
  }
}

TEST_F(SearchTest, HonoursOffsetTopKAndMinScore) {
  config_.descriptor_dim = 2;
  Start();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(collection_->Put(MakeWrite(absl::StrCat(i), {1, static_cast<float>(i)})).ok());
  }
  const std::vector<float> vector = {5, 0};
  SearchQuery query;
  query.descriptor = vector;
  query.top_k = 3;
  query.offset = 2;
  auto outcome = collection_->Search(query);
  ASSERT_TRUE(outcome.ok());
  ASSERT_EQ(outcome->hits.size(), 3u);
  EXPECT_EQ(outcome->hits[0].id, "2");
  EXPECT_EQ(outcome->images, 10);
  EXPECT_EQ(outcome->compared, 10);
  EXPECT_EQ(outcome->index, "exact");
  query.offset = 0;
  query.top_k = 10'000;
  query.min_score = 0.7;
  outcome = collection_->Search(query);
  ASSERT_EQ(outcome->hits.size(), 2u);
  EXPECT_NEAR(outcome->hits[1].score, 0.70710678, 1e-6);
  query.min_score.reset();
  query.offset = 9'999;
  query.top_k = 1;
  EXPECT_TRUE(collection_->Search(query)->hits.empty());
}

TEST_F(SearchTest, RefusesBadQueries) {
  config_.descriptor_dim = 2;
  Start();
  const std::vector<float> vector = {1, 0};
  SearchQuery good;
  good.descriptor = vector;
  ASSERT_TRUE(collection_->Search(good).ok());
  for (const auto& [offset, top_k] :
       {std::pair{0, 0}, {0, -1}, {-1, 5}, {1, 10'000}, {0, 10'001}, {1 << 30, 2147483647}}) {
    SearchQuery query = good;
    query.offset = offset;
    query.top_k = top_k;
    EXPECT_EQ(base::GetErrorInfo(collection_->Search(query).status()).reason, "TOP_K_INVALID");
  }
  SearchQuery query = good;
  for (const double score : {1.5, -2.0, std::nan("")}) {
    query.min_score = score;
    EXPECT_EQ(base::GetErrorInfo(collection_->Search(query).status()).reason, "MIN_SCORE_INVALID");
  }
  for (const std::vector<float>& bad :
       {std::vector<float>{}, {1}, {1, 2, 3}, {0, 0}, {std::nanf(""), 1}, {1, INFINITY}}) {
    query = good;
    query.descriptor = bad;
    EXPECT_EQ(collection_->Search(query).status().code(), absl::StatusCode::kInvalidArgument);
  }
  query = good;
  ASSERT_TRUE(collection_->Put(MakeWrite("a", vector)).ok());
  query.cancelled = [] { return true; };
  EXPECT_EQ(collection_->Search(query).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(SearchTest, FindsWhatWasAcknowledgedInsideTheCallback) {
  Start();
  constexpr int kWrites = 200;
  base::Mutex mutex;
  base::CondVar changed;
  int done = 0;
  int missing = 0;
  for (int i = 0; i < kWrites; ++i) {
    const std::vector<float> vector = RandomVector(random_, 8);
    collection_->PutAsync(MakeWrite(absl::StrCat(i), vector), [&, i, vector](absl::StatusOr<WriteResult> result) {
      const auto hits = Search(vector, 1);
      base::MutexLock lock(mutex);
      missing += !result.ok() || hits.empty() || hits[0].id != absl::StrCat(i) ? 1 : 0;
      ++done;
      changed.NotifyOne();
    });
  }
  base::MutexLock lock(mutex);
  while (done < kWrites) changed.Wait(mutex);
  EXPECT_EQ(missing, 0);
}

TEST_F(SearchTest, ReclaimsTheSpaceOfReplacedRows) {
  config_.descriptor_dim = 64;
  Start();
  const auto first = RandomVector(random_, 64);
  ASSERT_TRUE(collection_->Put(MakeWrite("still", first)).ok());
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(collection_->Put(MakeWrite("busy", RandomVector(random_, 64))).ok());
  EXPECT_EQ(collection_->Stats().images, 2);
  ASSERT_TRUE(collection_->Optimize({}, nullptr).ok());
  EXPECT_EQ(collection_->Stats().images, 2);
  EXPECT_EQ(collection_->Stats().deleted_images, 0);
  EXPECT_EQ(Search(first, 2)[0].id, "still");
  EXPECT_EQ(collection_->SearchCost(), 2 * 64);
}

}  // namespace
}  // namespace sightline::index
