// Recall after churn: with 30, 60 and 90 % of the records replaced, searches find as much as in a collection into which
// the same records were written once.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "index/database.h"
#include "tests/index/durability/machine.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

constexpr int kDim = 32;
constexpr int kTopK = 10;
constexpr int kQueries = 100;

using Vector = std::vector<float>;

class ChurnRecallTest : public ::testing::Test {
 protected:
  ChurnRecallTest() {
    base::SetLogLevel(base::Severity::kOff);
    std::normal_distribution<float> normal;
    for (Vector& centre : centres_) {
      centre.resize(kDim);
      for (float& value : centre) value = 2 * normal(random_);
    }
  }

  // Around one of some centres: neighbours are near, as those of photographs are, and not all the same.
  Vector Draw() {
    std::normal_distribution<float> normal;
    Vector vector = centres_[random_() % centres_.size()];
    for (float& value : vector) value += normal(random_);
    return vector;
  }

  std::shared_ptr<Collection> Make(Database& database, const std::string& name) {
    CollectionConfig config;
    config.name = name;
    config.embedding_space = "space";
    config.descriptor_dim = kDim;
    config.index_kind = IndexKind::kHnsw;
    const auto collection = database.Create(config);
    EXPECT_TRUE(collection.ok()) << collection.status();
    return collection.ok() ? *collection : nullptr;
  }

  static void Put(Collection& collection, const std::string& id, const Vector& descriptor) {
    Write write;
    write.record.id = id;
    write.record.descriptor = descriptor;
    collection.PutAsync(std::move(write),
                        [](absl::StatusOr<WriteResult> result) { EXPECT_TRUE(result.ok()) << result.status(); });
  }

  static std::set<std::string> Find(const Collection& collection, const Vector& descriptor, bool exact) {
    SearchQuery query;
    query.descriptor = descriptor;
    query.top_k = kTopK;
    query.exact = exact;
    const auto outcome = collection.Search(query);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    std::set<std::string> ids;
    if (outcome.ok()) {
      for (const Hit& hit : outcome->hits) ids.insert(hit.id);
    }
    EXPECT_EQ(ids.size(), static_cast<size_t>(kTopK));
    return ids;
  }

  double Recall(const Collection& collection, const std::vector<Vector>& queries) {
    int found = 0;
    for (const Vector& query : queries) {
      const std::set<std::string> truth = Find(collection, query, /*exact=*/true);
      for (const std::string& id : Find(collection, query, /*exact=*/false)) found += truth.contains(id) ? 1 : 0;
    }
    return static_cast<double>(found) / static_cast<double>(queries.size() * kTopK);
  }

  std::mt19937 random_{11};
  std::vector<Vector> centres_ = std::vector<Vector>(50);
  sightline::testing::TempFolder folder_{sightline::testing::FastFolder()};
};

TEST_F(ChurnRecallTest, AsGoodAsWrittenOnce) {
  const int records = Dose(3'000, 50'000);
  DatabaseOptions options;
  options.directory = folder_.Path("data");
  options.segments = {.chunk_rows = 64, .segment_rows = 1024};
  auto database = Database::Open(options);
  ASSERT_TRUE(database.ok()) << database.status();
  const auto churned = Make(**database, "churned");
  ASSERT_NE(churned, nullptr);
  std::map<std::string, Vector> truth;
  const auto put = [&](int i) {
    const std::string id = absl::StrCat("r", i);
    truth[id] = Draw();
    Put(*churned, id, truth[id]);
    // Waits for what is queued.
    if (i % 500 == 0) (void)churned->Delete(std::vector<std::string>{"none"});
  };
  for (int i = 0; i < records; ++i) put(i);
  std::vector<Vector> queries;
  for (int i = 0; i < kQueries; ++i) queries.push_back(Draw());
  for (const int percent : {30, 60, 90}) {
    SCOPED_TRACE(absl::StrCat(percent, " % replaced"));
    // The same ids a second time, in another order.
    std::vector<int> order(static_cast<size_t>(records));
    for (int i = 0; i < records; ++i) order[static_cast<size_t>(i)] = i;
    std::shuffle(order.begin(), order.end(), random_);
    order.resize(static_cast<size_t>(records) * static_cast<size_t>(percent) / 100);
    for (const int i : order) put(i);
    const absl::Status optimised = churned->Optimize({}, kToTheEnd);
    ASSERT_TRUE(optimised.ok()) << optimised;
    (void)churned->Delete(std::vector<std::string>{"none"});
    ASSERT_EQ(churned->Stats().images, records);

    const std::string name = absl::StrCat("fresh-", percent);
    const auto fresh = Make(**database, name);
    ASSERT_NE(fresh, nullptr);
    int since = 0;
    for (const auto& [id, descriptor] : truth) {
      Put(*fresh, id, descriptor);
      if (++since % 500 == 0) (void)fresh->Delete(std::vector<std::string>{"none"});
    }
    (void)fresh->Delete(std::vector<std::string>{"none"});
    ASSERT_TRUE(fresh->Optimize({}, kToTheEnd).ok());
    for (const Vector& query : queries) {
      EXPECT_EQ(Find(*churned, query, /*exact=*/true), Find(*fresh, query, /*exact=*/true));
    }
    const double after = Recall(*churned, queries);
    const double written_once = Recall(*fresh, queries);
    std::printf("%d %% replaced: recall %.4f, written once %.4f\n", percent, after, written_once);
    EXPECT_GE(after, written_once - 0.01);
    EXPECT_LE(churned->Stats().memory.total(), 2 * fresh->Stats().memory.total());
    ASSERT_TRUE((*database)->Delete(name).ok());
  }
}

}  // namespace
}  // namespace sightline::index
