// What the engine does between searches: augmentation, optimising, inverted lists, product codes, memory.
#include "tests/index/engine_fixture.h"

namespace sightline::index {
namespace {

TEST_F(EngineTest, AugmentationCanBePutBack) {
  Start();
  Fill(600);
  const auto vector = Draw();
  SearchQuery query;
  query.descriptor = vector;
  query.exact = true;
  const auto plain = Ask(query);
  Optimize({.augment_neighbours = 5, .augment_alpha = 3});
  const auto augmented = Ask(query);
  ASSERT_EQ(augmented.hits.size(), 10u);
  EXPECT_NE(augmented.hits[0].score, plain.hits[0].score);
  // What was written stays what is returned.
  EXPECT_EQ(collection_->Get("r3", RecordView::kVectors)->descriptor, truth_["r3"].vector);
  Restart();
  EXPECT_EQ(Ids(Ask(query)), Ids(augmented));
  Optimize();
  EXPECT_EQ(Ids(Ask(query)), Ids(plain));
  Check();
}

// Each of a pair is the other's one neighbour, augmented or not.
TEST_F(EngineTest, AugmentingAgainBeginsWithWhatWasWritten) {
  Start();
  std::vector<std::vector<float>> pairs;
  for (int i = 0; i < kDim / 2; ++i) {
    std::vector<float> vector(kDim);
    vector[static_cast<size_t>(2 * i)] = 1;
    Put(absl::StrCat("a", i), vector);
    pairs.push_back(vector);
    vector[static_cast<size_t>(2 * i + 1)] = 0.7F;
    Put(absl::StrCat("b", i), vector);
  }
  std::vector<double> once;
  for (int round = 0; round < 2; ++round) {
    Optimize({.augment_neighbours = 1, .augment_alpha = 3});
    for (size_t i = 0; i < pairs.size(); ++i) {
      SearchQuery query;
      query.descriptor = pairs[i];
      query.exact = true;
      const SearchOutcome outcome = Ask(query);
      ASSERT_GE(outcome.hits.size(), 1u);
      if (round == 0) once.push_back(outcome.hits[0].score);
      EXPECT_LT(outcome.hits[0].score, 0.999);
      EXPECT_NEAR(outcome.hits[0].score, once[i], 1e-6);
    }
  }
}

// Whoever asks to optimise gets what is there optimised, and an end, however much is written meanwhile.
TEST_F(EngineTest, OptimizingEndsWhileWritesGoOn) {
  Start();
  Fill(700);
  Put("r5", Draw());
  int steps = 0;
  const absl::Status status = collection_->Optimize({.augment_neighbours = 1}, [&](int64_t, int64_t) {
    Put(absl::StrCat("r", random_() % 700), Draw());
    return ++steps < 2000;
  });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_GE(steps, 10);
  Optimize();
  EXPECT_EQ(collection_->Stats().deleted_images, 0);
  EXPECT_EQ(collection_->Stats().tail_images, 0);
  EXPECT_EQ(collection_->Stats().graph_backlog, 0);
  Check();
}

// Two that augment would drop each other's work for ever.
TEST_F(EngineTest, OptimizingTakesTurns) {
  options_.segments.background = true;
  Start();
  Fill(600);
  std::thread other([this] { Optimize({.augment_neighbours = 2}); });
  Optimize({.augment_neighbours = 2});
  other.join();
  Optimize();
  Check();
}

// Work that is under way when the collection goes must not go on without it.
TEST_F(EngineTest, NoStepBeginsAfterTheCollectionIsDeleted) {
  Start();
  Fill(700);
  bool deleted = false;
  const absl::Status status = collection_->Optimize({}, [&](int64_t, int64_t) {
    const bool first = !std::exchange(deleted, true);
    EXPECT_TRUE(!first || database_->Delete(config_.name).ok());
    return true;
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(SegmentFiles().empty());
}

TEST_F(EngineTest, InvertedListsAreTrainedOnceAndKept) {
  config_.index_kind = IndexKind::kIvf;
  config_.ivf_lists = 16;
  Start();
  Fill(300);
  Optimize();
  const auto vector = Draw();
  SearchQuery query;
  query.descriptor = vector;
  // Too few to learn from.
  EXPECT_EQ(Ask(query).index, "exact");
  EXPECT_EQ(Ids(Ask(query)), Expected(vector, 10));
  Fill(900);
  Optimize();
  query.nprobe = 16;
  EXPECT_EQ(Ask(query).index, "ivf");
  EXPECT_EQ(Ids(Ask(query)), Expected(vector, 10));
  query.nprobe = 1;
  EXPECT_LT(Ask(query).compared, 1200);
  Check();
  const auto files = SegmentFiles();
  EXPECT_EQ(SegmentFiles(".centroids").size(), 1u);
  Restart();
  EXPECT_EQ(SegmentFiles(), files);
  EXPECT_EQ(collection_->Stats().graph_backlog, 0);
  EXPECT_EQ(Ask(query).index, "ivf");
  Fill(700);
  Optimize();
  EXPECT_EQ(collection_->Stats().graph_backlog, 0);
  Check();
  // Without its centroids it is trained again.
  const fs::path centroids = SegmentFiles(".centroids")[0];
  collection_.reset();
  database_.reset();
  FlipByte(centroids, 100);
  Open();
  collection_ = *database_->Find("shop");
  EXPECT_EQ(Ask(query).index, "exact");
  Check();
  Optimize();
  EXPECT_EQ(Ask(query).index, "ivf");
}

TEST_F(EngineTest, InvertedListsGetProductCodesWhereMemoryIsShort) {
  config_.index_kind = IndexKind::kIvf;
  config_.ivf_lists = 16;
  options_.memory_budget_bytes = 1 << 30;
  options_.segments.max_code_share = 0;
  Start();
  Fill(1500);
  Optimize();
  Check();
  const auto vector = Draw();
  SearchQuery query;
  query.descriptor = vector;
  query.nprobe = 16;
  EXPECT_EQ(Ask(query).index, "ivf");
  EXPECT_EQ(Ids(Ask(query)), Expected(vector, 10));
  // The codes of sealed chunks are no longer held.
  EXPECT_LT(collection_->Stats().memory.codes, 1500 * 64 / 4);
  const auto files = SegmentFiles();
  Restart();
  EXPECT_EQ(SegmentFiles(), files);
  EXPECT_LT(collection_->Stats().memory.codes, 1500 * 64 / 4);
  EXPECT_EQ(Ask(query).index, "ivf");
  EXPECT_EQ(Ids(Ask(query)), Expected(vector, 10));
  for (int i = 0; i < 500; ++i) Delete(absl::StrCat("r", i));
  Fill(200);
  Check();
  Optimize();
  EXPECT_EQ(collection_->Stats().deleted_images, 0);
  Check();
}

// Two lists need fewer rows to learn from than product codes do.
TEST_F(EngineTest, ProductCodesAreLearntFromEnoughRowsWhateverTheLists) {
  config_.index_kind = IndexKind::kIvf;
  config_.ivf_lists = 2;
  options_.memory_budget_bytes = 1 << 30;
  options_.segments.max_code_share = 0;
  Start();
  Fill(1100);
  Optimize();
  EXPECT_EQ(collection_->Stats().graph_backlog, 0);
  // The codebook, which all lists share, counts: 256 centroids of as many values as a descriptor has.
  EXPECT_GT(collection_->Stats().memory.graph, 256 * kDim * 4);
  Check();
}

TEST_F(EngineTest, TheMemoryBudgetRefusesWritesAndNothingElse) {
  options_.memory_budget_bytes = 8 << 20;
  options_.write_buffer_bytes = 1 << 20;
  config_.descriptor_dim = 2048;
  Start();
  const auto vector = RandomVector(random_, 2048);
  absl::Status refused;
  int written = 0;
  while (refused.ok() && written < 5000) {
    refused = collection_->Put(MakeWrite(absl::StrCat("v", written), vector)).status();
    if (refused.ok()) ++written;
  }
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::GetErrorInfo(refused).reason, "MEMORY_BUDGET");
  EXPECT_GT(written, 10);
  EXPECT_EQ(Search(vector, 5).size(), 5u);
  const std::string id = "v0";
  EXPECT_EQ(collection_->Delete(absl::MakeConstSpan(&id, 1))->deleted, 1);
}

TEST_F(EngineTest, BackgroundUpkeepSealsAndLinksByItself) {
  options_.segments.background = true;
  Start();
  Fill(700);
  for (int i = 0; i < 500; ++i) {
    const CollectionStats stats = collection_->Stats();
    if (stats.graph_backlog == 0 && stats.tail_images < 64) break;
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(collection_->Stats().graph_backlog, 0);
  EXPECT_LT(collection_->Stats().tail_images, 64);
  Check();
  for (int i = 0; i < 400; ++i) Delete(absl::StrCat("r", i));
  for (int i = 0; i < 500 && collection_->Stats().deleted_images > 200; ++i) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_LE(collection_->Stats().deleted_images, 200);
  Check();
}

}  // namespace
}  // namespace sightline::index
