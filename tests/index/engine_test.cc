// The engine behind a collection: sealing, graphs, filters, groups, refinement, replacement, restarts and damage, with
// segments so small that everything happens.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "index/kernels/inner_product.h"
#include "index/validate.h"
#include "tests/index/index_fixture.h"

namespace sightline::index {
namespace {

namespace fs = std::filesystem;

constexpr int kDim = 24;

class EngineTest : public IndexTest {
 protected:
  EngineTest() {
    options_.segments = {
        .chunk_rows = 64, .segment_rows = 512, .max_dead_share = 0.2, .max_code_share = 0.25, .background = false};
    config_.descriptor_dim = kDim;
    config_.index_kind = IndexKind::kHnsw;
  }

  // Clusters, so that neighbours mean something.
  std::vector<float> Draw() {
    if (centres_.empty()) {
      for (int i = 0; i < 20; ++i) centres_.push_back(RandomVector(random_, kDim));
    }
    std::vector<float> vector = centres_[random_() % centres_.size()];
    for (float& value : vector) value += 0.4F * std::normal_distribution<float>()(random_);
    return vector;
  }

  // Durable only after Await: writes that wait together share a sync.
  void BeginPut(const std::string& id, const std::vector<float>& vector, Attributes attributes) {
    Write write = MakeWrite(id, vector);
    write.record.attributes = attributes;
    {
      base::MutexLock lock(mutex_);
      ++pending_;
    }
    collection_->PutAsync(std::move(write), [this](const absl::StatusOr<WriteResult>& result) {
      EXPECT_TRUE(result.ok()) << result.status();
      base::MutexLock lock(mutex_);
      --pending_;
      changed_.NotifyOne();
    });
    truth_[id] = {next_++, *NormalizeDescriptor(vector, kDim), std::move(attributes)};
  }

  void Await() {
    base::MutexLock lock(mutex_);
    while (pending_ > 0) changed_.Wait(mutex_);
  }

  void Put(const std::string& id, const std::vector<float>& vector, Attributes attributes = {}) {
    BeginPut(id, vector, std::move(attributes));
    Await();
  }

  void Fill(int count) {
    for (int i = 0; i < count; ++i) {
      const int number = next_;
      Attributes attributes{{"parity", std::string(number % 2 == 0 ? "even" : "odd")},
                            {"number", static_cast<int64_t>(number)}};
      BeginPut(absl::StrCat("r", number), Draw(), std::move(attributes));
      // A batch is never split over two segments.
      if (i % 50 == 49) Await();
    }
    Await();
  }

  void Delete(const std::string& id) {
    ASSERT_TRUE(collection_->Delete(absl::MakeConstSpan(&id, 1)).ok());
    truth_.erase(id);
  }

  struct Entry {
    int order = 0;
    std::vector<float> vector;
    Attributes attributes;
  };

  // The best `k` ids by comparing with every image that `passes`.
  std::vector<std::string> Expected(const std::vector<float>& query, size_t k,
                                    const std::function<bool(const Entry&)>& passes = nullptr) const {
    const auto normal = *NormalizeDescriptor(query, kDim);
    std::vector<std::tuple<float, int, std::string>> scored;
    for (const auto& [id, entry] : truth_) {
      if (passes && !passes(entry)) continue;
      float score = 0;
      kernels::InnerProducts(normal.data(), entry.vector.data(), kDim, kDim, 1, &score);
      scored.emplace_back(-score, entry.order, id);
    }
    std::sort(scored.begin(), scored.end());
    std::vector<std::string> ids;
    for (size_t i = 0; i < std::min(k, scored.size()); ++i) ids.push_back(std::get<2>(scored[i]));
    return ids;
  }

  SearchOutcome Ask(const SearchQuery& query) const {
    auto outcome = collection_->Search(query);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.ok() ? *std::move(outcome) : SearchOutcome();
  }

  static std::vector<std::string> Ids(const SearchOutcome& outcome) {
    std::vector<std::string> ids;
    for (const Hit& hit : outcome.hits) ids.push_back(hit.id);
    return ids;
  }

  // Exact searches must give what comparing gives; searches of the graph nearly that.
  void Check(const std::string& filter = "", const std::function<bool(const Entry&)>& passes = nullptr) {
    int found = 0, wanted = 0;
    for (int i = 0; i < 30; ++i) {
      const auto vector = Draw();
      const auto expected = Expected(vector, 10, passes);
      SearchQuery query;
      query.descriptor = vector;
      query.filter = filter;
      query.exact = true;
      ASSERT_EQ(Ids(Ask(query)), expected) << filter;
      query.exact = false;
      const auto ids = Ids(Ask(query));
      ASSERT_EQ(ids.size(), expected.size()) << filter;
      ASSERT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size());
      for (const std::string& id : ids) found += std::count(expected.begin(), expected.end(), id) > 0 ? 1 : 0;
      wanted += static_cast<int>(expected.size());
    }
    EXPECT_GE(found, wanted * 97 / 100) << filter;
  }

  void Optimize(const OptimizeOptions& options = {}) {
    const absl::Status status = collection_->Optimize(options, nullptr);
    ASSERT_TRUE(status.ok()) << status;
  }

  std::vector<fs::path> SegmentFiles(const std::string& suffix = "") const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(options_.directory + "/collections")) {
      if (absl::StrContains(entry.path().string(), "/segments/") && absl::EndsWith(entry.path().string(), suffix)) {
        files.push_back(entry.path());
      }
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  static void FlipByte(const fs::path& path, int64_t at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char byte = static_cast<char>(file.get() ^ 0x40);
    file.seekp(at);
    file.put(byte);
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  int pending_ ABSL_GUARDED_BY(mutex_) = 0;
  std::mt19937 random_{7};
  std::vector<std::vector<float>> centres_;
  std::map<std::string, Entry> truth_;
  int next_ = 0;
};

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

TEST_F(EngineTest, ARestartBuildsNothingAgain) {
  Start();
  Fill(1200);
  Optimize();
  const auto files = SegmentFiles();
  for (int i = 0; i < 3; ++i) {
    Restart();
    const CollectionStats stats = collection_->Stats();
    EXPECT_EQ(stats.graph_backlog, 0);
    EXPECT_EQ(stats.tail_images, 0);
    EXPECT_EQ(SegmentFiles(), files);
    Check();
  }
  // What came after the last file is read from the log.
  Fill(30);
  Restart();
  Check();
  EXPECT_EQ(collection_->Stats().images, static_cast<int64_t>(truth_.size()));
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
  const auto deleted = collection_->DeleteMatching("number < 100");
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

TEST_F(EngineTest, DamagedFilesAreSetAsideAndMadeAgain) {
  Start();
  Fill(1200);
  Optimize();
  const auto rows = SegmentFiles(".rows");
  const auto links = SegmentFiles(".links");
  ASSERT_GE(rows.size(), 10u);
  ASSERT_GE(links.size(), 2u);
  collection_.reset();
  database_.reset();
  FlipByte(rows[2], 5000);  // its codes
  FlipByte(rows[5], 10);    // its header
  fs::resize_file(rows[7], fs::file_size(rows[7]) / 2);
  fs::remove(rows[8]);
  FlipByte(links[1], 200);
  Open();
  collection_ = *database_->Find("shop");
  EXPECT_EQ(collection_->Stats().images, 1200);
  Check();
  EXPECT_TRUE(fs::exists(rows[2].string() + ".damaged"));
  EXPECT_TRUE(fs::exists(links[1].string() + ".damaged"));
  Optimize();
  Check();
  Restart();
  EXPECT_EQ(collection_->Stats().graph_backlog, 0);
  Check();
}

TEST_F(EngineTest, ADamagedDescriptorIsReadFromTheStore) {
  config_.index_kind = IndexKind::kExact;
  Start();
  Fill(128);
  Optimize();
  Restart();
  // The last bytes are descriptors, which are checked when they are read.
  for (const fs::path& file : SegmentFiles(".rows")) {
    const auto size = static_cast<int64_t>(fs::file_size(file));
    for (int i = 1; i < 64; ++i) FlipByte(file, size - i * kDim * 4);
  }
  Check();
}

TEST_F(EngineTest, WhatNeitherFileNorStoreGivesIsSaid) {
  config_.index_kind = IndexKind::kExact;
  Start();
  Fill(128);
  Optimize();
  Restart();
  for (const fs::path& file : SegmentFiles(".rows")) {
    const auto size = static_cast<int64_t>(fs::file_size(file));
    for (int i = 1; i < 64; ++i) FlipByte(file, size - i * kDim * 4);
  }
  SearchQuery query;
  const auto vector = Draw();
  query.descriptor = vector;
  EXPECT_TRUE(Ask(query).degraded_reasons.empty());
  // The table of the descriptors is the largest: the others are compressed.
  fs::path largest;
  for (const auto& entry : fs::recursive_directory_iterator(options_.directory + "/collections")) {
    if (entry.path().extension() != ".sst") continue;
    if (largest.empty() || entry.file_size() > fs::file_size(largest)) largest = entry.path();
  }
  ASSERT_FALSE(largest.empty());
  Restart();
  FlipByte(largest, 1000);
  EXPECT_EQ(Ask(query).degraded_reasons.size(), 1u);
}

TEST_F(EngineTest, FilesThatNothingNamesAreRemoved) {
  Start();
  Fill(100);
  Optimize();
  const std::string folder = SegmentFiles()[0].parent_path();
  collection_.reset();
  database_.reset();
  for (const char* name : {"/000900.rows", "/000901.links.tmp", "/stray"}) std::ofstream(folder + name) << "x";
  Open();
  collection_ = *database_->Find("shop");
  EXPECT_FALSE(fs::exists(folder + "/000900.rows"));
  EXPECT_FALSE(fs::exists(folder + "/000901.links.tmp"));
  Check();
  // Numbers are not given again.
  Fill(200);
  Optimize();
  EXPECT_TRUE(SegmentFiles("000901.rows").empty());
  EXPECT_FALSE(SegmentFiles("000902.rows").empty());
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
