// Searches of the engine: tails, chunks, graphs, filters, groups and refinement.
#include <gmock/gmock.h>

#include "tests/index/engine_fixture.h"

namespace sightline::index {
namespace {

TEST_F(EngineTest, FindsTheSameWithTailSealedChunksGraphsAndSeveralSegments) {
  Start();
  Fill(40);
  Check();
  EXPECT_EQ(collection_->Stats().tail_images, 40);
  Fill(1400);
  Check();
  Optimize();
  Check();
  const CollectionStats stats = collection_->Stats();
  EXPECT_GE(stats.segments, 3);
  EXPECT_EQ(stats.tail_images, 0);
  EXPECT_EQ(stats.graph_backlog, 0);
  EXPECT_GT(stats.memory.graph, 0);
  EXPECT_GT(stats.disk.codes, 0);
  EXPECT_GT(stats.disk.graph, 0);
  SearchQuery query;
  const auto vector = Draw();
  query.descriptor = vector;
  EXPECT_EQ(Ask(query).index, "hnsw");
  query.exact = true;
  EXPECT_EQ(Ask(query).index, "exact");
  Fill(100);
  Check();
}

TEST_F(EngineTest, UpsertsAndDeletesReachEverySegment) {
  Start();
  Fill(1200);
  Optimize();
  for (int i = 0; i < 600; ++i) {
    const std::string id = absl::StrCat("r", random_() % 1200);
    if (random_() % 3 == 0) {
      Delete(id);
    } else {
      Put(id, Draw());
    }
    if (i % 100 == 0) Check();
  }
  EXPECT_EQ(collection_->Stats().images, static_cast<int64_t>(truth_.size()));
  Check();
  Optimize();
  EXPECT_EQ(collection_->Stats().deleted_images, 0);
  EXPECT_EQ(collection_->Stats().images, static_cast<int64_t>(truth_.size()));
  Check();
  Restart();
  Check();
}

TEST_F(EngineTest, FiltersAtEverySelectivity) {
  Start();
  Fill(1300);
  Optimize();
  Fill(100);
  for (const int limit : {0, 1, 5, 30, 140, 700, 1399, 5000}) {
    Check(absl::StrCat("number < ", limit),
          [limit](const Entry& entry) { return std::get<int64_t>(entry.attributes.at("number")) < limit; });
  }
  Check("parity = \"odd\" AND NOT number > 900", [](const Entry& entry) {
    const int64_t number = std::get<int64_t>(entry.attributes.at("number"));
    return number % 2 == 1 && number <= 900;
  });
  SearchQuery query;
  const auto vector = Draw();
  query.descriptor = vector;
  query.filter = "parity = \"even\"";
  EXPECT_EQ(Ask(query).matching, 700);
  EXPECT_EQ(Ask(query).images, 1400);
  query.filter = "parity = ";
  EXPECT_EQ(base::GetErrorInfo(collection_->Search(query).status()).reason, "FILTER_INVALID");
}

TEST_F(EngineTest, AttributesChangeInSealedSegmentsAndOverRestarts) {
  Start();
  Fill(300);
  Optimize();
  ASSERT_TRUE(collection_->UpdateAttributes("r5", {.set = {{"parity", std::string("neither")}}, .remove = {}}).ok());
  truth_["r5"].attributes["parity"] = std::string("neither");
  const auto neither = [](const Entry& entry) {
    return std::get<std::string>(entry.attributes.at("parity")) == "neither";
  };
  Check("parity = \"neither\"", neither);
  Restart();
  Check("parity = \"neither\"", neither);
  Delete("r5");
  Check("parity = \"neither\"", neither);
  const auto counts = collection_->CountValues("parity", "", 10, "");
  ASSERT_TRUE(counts.ok());
  ASSERT_EQ(counts->counts.size(), 2u);
  EXPECT_EQ(std::get<std::string>(counts->counts[0].value), "even");
  EXPECT_EQ(counts->counts[0].images, 150);
  EXPECT_EQ(counts->counts[1].images, 149);
  const auto deleted = collection_->DeleteMatching("number < 100", nullptr);
  ASSERT_TRUE(deleted.ok());
  EXPECT_EQ(deleted->deleted, 99);
  const auto left = collection_->List(1000, "", RecordView::kMetadata, "parity = \"even\"");
  ASSERT_TRUE(left.ok());
  EXPECT_EQ(left->records.size(), 100u);
  EXPECT_EQ(left->records.front().id, "r100");
}

TEST_F(EngineTest, ListsThePagesOfAFilter) {
  Start();
  Fill(150);
  std::string token;
  std::vector<std::string> ids;
  do {
    const auto page = collection_->List(7, token, RecordView::kMetadata, "parity = \"odd\"");
    ASSERT_TRUE(page.ok()) << page.status();
    for (const Record& record : page->records) ids.push_back(record.id);
    token = page->next_page_token;
  } while (!token.empty());
  ASSERT_EQ(ids.size(), 75u);
  EXPECT_EQ(ids[0], "r1");
  EXPECT_EQ(ids[74], "r149");
}

TEST_F(EngineTest, ACallerWhoHasGoneEndsTheLookThroughAFilter) {
  options_.segments.segment_rows = 4096;  // the rows below are in one
  Start();
  Fill(2100);
  const std::string every = "number >= 0";
  const auto first = collection_->List(1000, "", RecordView::kMetadata, every);
  ASSERT_TRUE(first.ok()) << first.status();
  // In the middle of the rows, not only before them.
  for (const int question : {1, 2}) {
    int asked = 0;
    const auto gone = [&] { return ++asked == question; };
    const absl::Status listed =
        collection_->List(1000, first->next_page_token, RecordView::kMetadata, every, gone).status();
    EXPECT_EQ(listed.code(), absl::StatusCode::kCancelled) << question;
    asked = 0;
    EXPECT_EQ(collection_->DeleteMatching(every, gone).status().code(), absl::StatusCode::kCancelled) << question;
    EXPECT_EQ(collection_->Stats().images, 2100);
  }
  // Between two batches: what was deleted stays so.
  const absl::Status deleted =
      collection_->DeleteMatching(every, [this] { return collection_->Stats().images < 2100; }).status();
  EXPECT_EQ(deleted.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(deleted.message()), ::testing::HasSubstr("when 1000 images were gone, of 2100"));
  EXPECT_EQ(collection_->Stats().images, 1100);
  const auto never = [] { return false; };
  EXPECT_EQ(collection_->List(1000, "", RecordView::kMetadata, every, never)->records.size(), 1000u);
  EXPECT_EQ(collection_->DeleteMatching(every, never)->deleted, 1100);
}

TEST_F(EngineTest, GroupsTakeTheBestOfEach) {
  Start();
  for (int i = 0; i < 400; ++i) BeginPut(absl::StrCat("p", i), Draw(), {{"product", static_cast<int64_t>(i % 25)}});
  Await();
  const auto vector = Draw();
  SearchQuery query;
  query.descriptor = vector;
  query.exact = true;
  query.top_k = 20;
  query.group_by = "product";
  query.group_size = 2;
  const auto ids = Ids(Ask(query));
  std::map<int64_t, int> taken;
  std::vector<std::string> expected;
  for (const std::string& id : Expected(vector, 400)) {
    if (++taken[std::get<int64_t>(truth_[id].attributes["product"])] > 2) continue;
    if (expected.size() < 20) expected.push_back(id);
  }
  EXPECT_EQ(ids, expected);
  // All groups, and no more.
  query.top_k = 100;
  EXPECT_EQ(Ask(query).hits.size(), 50u);
  // The second page goes on where the first one ended.
  query.top_k = 10;
  query.offset = 10;
  EXPECT_EQ(Ids(Ask(query)), std::vector<std::string>(expected.begin() + 10, expected.end()));
}

TEST_F(EngineTest, RefinementKeepsCosinesAndSaysWhatOrdered) {
  Start();
  Fill(900);
  Optimize();
  const auto vector = Draw();
  for (const auto method : {Refinement::Method::kAverage, Refinement::Method::kAlphaWeighted,
                            Refinement::Method::kSuperGlobal, Refinement::Method::kReciprocal}) {
    SearchQuery query;
    query.descriptor = vector;
    query.top_k = 30;
    query.refinement.method = method;
    const SearchOutcome outcome = Ask(query);
    ASSERT_EQ(outcome.hits.size(), 30u);
    const auto normal = *NormalizeDescriptor(vector, kDim);
    double last = 1e9;
    for (const Hit& hit : outcome.hits) {
      float score = 0;
      kernels::InnerProducts(normal.data(), truth_[hit.id].vector.data(), kDim, kDim, 1, &score);
      EXPECT_NEAR(hit.score, score, 1e-5);
      ASSERT_TRUE(hit.rerank_score);
      EXPECT_LE(*hit.rerank_score, last);
      last = *hit.rerank_score;
    }
  }
}

}  // namespace
}  // namespace sightline::index
