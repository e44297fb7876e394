// Segments whose inverted lists are on a card too, while rows come, die and move, and whatever fails. FAISS computes
// them here on the CPU; with SIGHTLINE_ON_CARD, on a card.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "index/ann/segment.h"
#include "index/gpu/list_device.h"
#include "index/kernels/inner_product.h"
#include "tests/gpu/faiss_on_cpu.h"
#include "tests/index/engine_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index {
namespace {

constexpr size_t kRowDim = 16;
constexpr size_t kLists = 12;

std::shared_ptr<gpu::ListDevice> OpenDevice([[maybe_unused]] FaissOnCpu& faiss, int64_t row_bytes) {
#ifdef SIGHTLINE_ON_CARD
  const auto card = gpu::OpenCard({.row_bytes = row_bytes, .token_bytes = 0});
  if (!card.ok()) return nullptr;
  return *gpu::OpenLists(*card);
#else
  return gpu::MakeFaissLists(std::make_shared<gpu::Card>(0, "none", gpu::CardBudget{.rows = row_bytes}), faiss.Maker());
#endif
}

class ResidentListsTest : public ::testing::Test {
 protected:
  ResidentListsTest() : seed_(sightline::testing::Seed()), random_(seed_) { base::SetLogLevel(base::Severity::kOff); }

  void Make(int64_t row_bytes = int64_t{64} << 20) {
    if (device_ == nullptr) device_ = OpenDevice(faiss_, row_bytes);
    if (device_ == nullptr) GTEST_SKIP() << "there is no card";
    SegmentShape shape;
    shape.chunk = {kRowDim, DescriptorPrecision::kFloat32};
    shape.chunk_rows = 256;
    shape.max_rows = 16'384;
    shape.inverted = true;
    shape.card_lists = device_;
    segment_ = std::make_unique<Segment>(shape, [](uint64_t) -> absl::StatusOr<std::vector<float>> {
      return base::NotFound("RECORD_GONE", "the record was deleted. Search again.");
    });
    std::vector<float> centroids;
    for (size_t i = 0; i < kLists; ++i) {
      const std::vector<float> one = Draw();
      centroids.insert(centroids.end(), one.begin(), one.end());
    }
    ASSERT_TRUE(segment_->SetQuantizers({*CoarseQuantizer::Make(centroids, kRowDim), nullptr}).ok());
    rows_.clear();
    clock_ = 0;
  }

  std::vector<float> Draw() {
    std::vector<float> vector = RandomVector(random_, kRowDim);
    const double norm = std::sqrt(kernels::InnerProductReference(vector.data(), vector.data(), kRowDim));
    for (float& value : vector) value /= static_cast<float>(norm);
    return vector;
  }

  void Write(size_t count, double deaths) {
    const uint64_t clock = clock_ + count;
    for (size_t i = 0; i < count; ++i) {
      std::vector<float> vector = Draw();
      segment_->Append({next_key_, absl::StrCat(next_key_), vector.data(), nullptr});
      rows_.resize(segment_->next_row());  // with rows that a chunk left unused
      rows_.back() = {next_key_++, std::move(vector), RowTable::kAlive};
    }
    for (Row& row : rows_) {
      if (row.died_at != RowTable::kAlive || static_cast<double>(random_() % 1000) >= deaths * 1000) continue;
      ASSERT_TRUE(segment_->Kill(row.key, clock));
      row.died_at = clock;
    }
    segment_->Publish();
    clock_ = clock;
  }

  void LinkAndMoveAll() {
    while (segment_->GrowLinks(100, nullptr)) {
    }
    while (segment_->MoveToCard(100)) {
    }
  }

  struct Moment {
    uint32_t rows = 0;
    uint64_t clock = 0;
  };
  Moment Now() const { return {segment_->rows(), clock_}; }

  // A search of all lists finds what comparing with every row finds. Whether the card has answered.
  bool Check(const Moment& moment, size_t k = 10, const Roaring* matching = nullptr) {
    const std::vector<float> query = Draw();
    SegmentQuery ask;
    ask.query = query.data();
    ask.k = k;
    ask.rows = moment.rows;
    ask.clock = moment.clock;
    ask.links = true;
    ask.effort = kLists;
    ask.matching = matching;
    TopK top(k);
    for (uint32_t row = 0; row < moment.rows; ++row) {
      if (rows_[row].died_at <= moment.clock || (matching != nullptr && !matching->contains(row))) continue;
      float score = 0;
      kernels::InnerProducts(query.data(), rows_[row].vector.data(), kRowDim, kRowDim, 1, &score);
      top.Add(score, row);
    }
    const std::vector<ScoredRow> expected = std::move(top).Take();
    const SegmentResult found = segment_->Search(ask);
    SCOPED_TRACE(absl::StrCat("SIGHTLINE_SEED=", seed_, ", k ", k, ", ", moment.rows, " rows at ", moment.clock, " of ",
                              clock_, ", ", segment_->on_card().rows, " on the card",
                              found.by_card ? ", which answered" : ""));
    EXPECT_EQ(found.best.size(), expected.size());
    for (size_t i = 0; i < std::min(expected.size(), found.best.size()); ++i) {
      EXPECT_EQ(found.best[i].row, expected[i].row) << i;
      EXPECT_EQ(found.best[i].score, expected[i].score) << i;
    }
    return found.by_card;
  }

  struct Row {
    uint64_t key = 0;
    std::vector<float> vector;
    uint64_t died_at = 0;
  };

  const unsigned seed_;
  std::mt19937 random_;
  uint64_t next_key_ = 1;
  uint64_t clock_ = 0;
  std::vector<Row> rows_;
  FaissOnCpu faiss_;
  std::shared_ptr<gpu::ListDevice> device_;
  std::unique_ptr<Segment> segment_;
};

TEST_F(ResidentListsTest, AnswersAreTheSameWhileRowsComeDieAndMove) {
  ASSERT_NO_FATAL_FAILURE(Make());
  if (IsSkipped()) return;
  Write(300, 0);
  Moment before = Now();
  int by_card = 0;
  for (int i = 0; i < 80 && segment_->rows() < 4000 && !HasFailure(); ++i) {
    switch (random_() % 5) {
      case 0: Write(1 + random_() % 120, 0.02); break;
      case 1: segment_->GrowLinks(1 + random_() % 200, nullptr); break;
      case 2:
      case 3: segment_->MoveToCard(1 + random_() % 200); break;
      case 4:
        if (random_() % 4 == 0) segment_->CloseChunk();
        break;
    }
    by_card += Check(Now(), std::vector<size_t>{1, 10, 40}[random_() % 3]);
    if (i % 6 == 0) Check(before);
    if (i % 10 == 0) before = Now();
  }
  LinkAndMoveAll();
  EXPECT_TRUE(Check(Now()));
  EXPECT_GT(by_card, 10);
  EXPECT_EQ(segment_->on_card().bytes + static_cast<int64_t>(kLists * kRowDim * sizeof(float)),
            device_->card()->used_bytes(gpu::CardUse::kRows));
  EXPECT_EQ(device_->card()->counts().failures, 0);
  segment_.reset();
  EXPECT_EQ(device_->card()->used_bytes(gpu::CardUse::kRows), 0);
}

// Candidates that the card gives and that died since are replaced by further ones, however many those are.
TEST_F(ResidentListsTest, TheDeadAreLeftOutOfWhatTheCardFinds) {
  ASSERT_NO_FATAL_FAILURE(Make());
  if (IsSkipped()) return;
  Write(2000, 0);
  LinkAndMoveAll();
  for (const double share : {0.1, 0.5, 0.9}) {
    Write(0, share);
    for (const size_t k : {1, 10, 60}) EXPECT_TRUE(Check(Now(), k)) << share;
  }
  // More than FAISS gives.
  EXPECT_FALSE(Check(Now(), gpu::ListDevice::kMostWanted));
}

// Rows that were dead when they would have moved are not there, and a search that may see them does not go there.
TEST_F(ResidentListsTest, AnOlderMomentSeesWhatStayedBehind) {
  ASSERT_NO_FATAL_FAILURE(Make());
  if (IsSkipped()) return;
  Write(400, 0);
  const Moment before = Now();
  Write(1, 0.5);
  LinkAndMoveAll();
  EXPECT_LT(segment_->on_card().rows, 300);
  EXPECT_TRUE(Check(Now()));
  EXPECT_FALSE(Check(before));
}

TEST_F(ResidentListsTest, FiltersAndManyRowsBehindAreLeftToTheCpu) {
  ASSERT_NO_FATAL_FAILURE(Make());
  if (IsSkipped()) return;
  Write(gpu::ResidentLists::kMostBehind + 500, 0);
  while (segment_->GrowLinks(1000, nullptr)) {
  }
  EXPECT_FALSE(Check(Now())) << "nothing is there yet";
  ASSERT_TRUE(segment_->MoveToCard(499));
  EXPECT_FALSE(Check(Now())) << "too many are not there";
  ASSERT_TRUE(segment_->MoveToCard(1));
  EXPECT_TRUE(Check(Now())) << "the others are compared";
  Roaring matching;
  for (uint32_t row = 0; row < 1000; row += 3) matching.add(row);
  EXPECT_FALSE(Check(Now(), 10, &matching));
}

TEST_F(ResidentListsTest, RowsLeaveTheCardAndComeBack) {
  ASSERT_NO_FATAL_FAILURE(Make());
  if (IsSkipped()) return;
  EXPECT_FALSE(segment_->LeaveCard());
  Write(500, 0);
  LinkAndMoveAll();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(segment_->on_card().rows, 500);
    EXPECT_TRUE(Check(Now()));
    EXPECT_TRUE(segment_->LeaveCard());
    EXPECT_FALSE(segment_->LeaveCard());
    EXPECT_EQ(segment_->on_card().rows, 0);
    EXPECT_EQ(device_->card()->used_bytes(gpu::CardUse::kRows), 0);
    EXPECT_FALSE(Check(Now()));
    LinkAndMoveAll();
  }
}

TEST_F(ResidentListsTest, TheBudgetIsKeptAndWhatIsGivenBackIsUsed) {
  // 500 rows of 40 bytes and half of that, and 12 centroids; no room for as many again.
  ASSERT_NO_FATAL_FAILURE(Make(500 * 60 + 12 * 64 + 1000));
  if (IsSkipped()) return;
  Write(500, 0);
  LinkAndMoveAll();
  EXPECT_EQ(segment_->on_card().rows, 500);
  std::unique_ptr<Segment> first = std::move(segment_);
  ASSERT_NO_FATAL_FAILURE(Make());
  Write(500, 0);
  LinkAndMoveAll();
  EXPECT_EQ(segment_->on_card().rows, 0);
  EXPECT_FALSE(Check(Now()));
  EXPECT_EQ(device_->card()->counts().failures, 1) << "it is refused once";
  EXPECT_FALSE(segment_->MoveToCard(10));
  EXPECT_EQ(device_->card()->counts().failures, 1);
  first.reset();
  LinkAndMoveAll();
  EXPECT_EQ(segment_->on_card().rows, 500);
  EXPECT_TRUE(Check(Now()));
  // It outgrows the budget: everything is the CPU's again.
  Write(100, 0);
  LinkAndMoveAll();
  EXPECT_EQ(segment_->on_card().rows, 0);
  EXPECT_EQ(device_->card()->used_bytes(gpu::CardUse::kRows), 0);
  EXPECT_FALSE(Check(Now()));
}

#ifndef SIGHTLINE_ON_CARD
TEST_F(ResidentListsTest, WhateverFaissThrowsTheCpuAnswers) {
  using Failure = FaissOnCpu::Failure;
  for (const Failure failure : {Failure::kMemory, Failure::kOther}) {
    for (std::atomic<Failure>* const at : {&faiss_.make, &faiss_.add, &faiss_.search}) {
      device_ = nullptr;
      ASSERT_NO_FATAL_FAILURE(Make());
      Write(300, 0);
      if (at == &faiss_.search) LinkAndMoveAll();
      *at = failure;
      LinkAndMoveAll();
      const gpu::Card& card = *device_->card();
      for (int i = 0; i < 3; ++i) EXPECT_FALSE(Check(Now()));
      EXPECT_EQ(card.counts().failures, at == &faiss_.search ? 3 : 1);
      EXPECT_EQ(card.counts().scans, 0);
      EXPECT_FALSE(card.lost());
      if (at != &faiss_.search) {
        EXPECT_EQ(card.used_bytes(gpu::CardUse::kRows), 0);
        EXPECT_FALSE(segment_->MoveToCard(10)) << "it is not asked again at once";
      }
      *at = Failure::kNone;
      if (at == &faiss_.search) {
        EXPECT_TRUE(Check(Now()));
      }
    }
  }
}

TEST_F(ResidentListsTest, FaissFailuresHaveTheirReasons) {
  const auto card = std::make_shared<gpu::Card>(0, "none", gpu::CardBudget{.rows = 1000});
  const auto device = gpu::MakeFaissLists(card, faiss_.Maker());
  const std::vector<float> centroids(2 * kRowDim, 0.25F);
  const auto reason = [](const absl::Status& status) { return base::GetErrorInfo(status).reason; };
  EXPECT_EQ(reason(device->MakeLists(kRowDim, centroids, 100).status()), "CARD_BUDGET");
  faiss_.make = FaissOnCpu::Failure::kMemory;
  EXPECT_EQ(reason(device->MakeLists(kRowDim, centroids, 1).status()), "CARD_FULL");
  faiss_.make = FaissOnCpu::Failure::kOther;
  EXPECT_EQ(reason(device->MakeLists(kRowDim, centroids, 1).status()), "FAISS_FAILED");
  EXPECT_EQ(card->used_bytes(gpu::CardUse::kRows), 0);
  faiss_.make = FaissOnCpu::Failure::kNone;
  const auto lists = device->MakeLists(kRowDim, centroids, 2);
  ASSERT_TRUE(lists.ok()) << lists.status();
  const std::vector<float> rows(3 * kRowDim, 0.25F);
  ASSERT_TRUE((*lists)->Append(std::vector<uint32_t>{7, 9, 4}, rows.data()).ok());
  // Fewer than asked for, equal scores by row; more lists than there are.
  const auto best = (*lists)->Best({.values = rows.data(), .wanted = 5, .nprobe = 100});
  ASSERT_TRUE(best.ok()) << best.status();
  ASSERT_EQ(best->size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*best)[i].row, (std::vector<uint64_t>{4, 7, 9})[i]);
    EXPECT_EQ((*best)[i].score, 1);
  }
}
#endif

class ListsOnCardTest : public EngineTest {
 protected:
  ListsOnCardTest() {
    options_.card_lists = OpenDevice(faiss_, int64_t{64} << 20);
    options_.segments.segment_rows = 1024;
    config_.index_kind = IndexKind::kIvf;
    config_.ivf_lists = 8;
  }

  void CheckSome() {
    for (int i = 0; i < 6; ++i) {
      const std::vector<float> vector = Draw();
      SearchQuery query;
      query.descriptor = vector;
      query.nprobe = 8;
      ASSERT_EQ(Ids(Ask(query)), Expected(vector, 10));
    }
  }

  FaissOnCpu faiss_;
};

TEST_F(ListsOnCardTest, UpkeepMovesThemAndReplacesSegments) {
  if (options_.card_lists == nullptr) GTEST_SKIP() << "there is no card";
  Start();
  Fill(1500);
  CheckSome();
  Optimize();
  const gpu::Card& card = *options_.card_lists->card();
  const int64_t scans = card.counts().scans;
  CheckSome();
  EXPECT_GT(card.counts().scans, scans);
  EXPECT_EQ(collection_->Stats().card_images, 1500);
  Change(600, 3);
  CheckSome();
  Optimize();
  CheckSome();
  Restart();
  CheckSome();
  Optimize();
  CheckSome();
  EXPECT_EQ(collection_->Stats().card_images, static_cast<int64_t>(truth_.size()));
  ASSERT_TRUE(collection_->ChangeSettings({.device = IndexDevice::kCpu}).ok());
  Optimize();
  EXPECT_EQ(card.used_bytes(gpu::CardUse::kRows), 0);
  CheckSome();
  EXPECT_EQ(card.counts().failures, 0);
}

}  // namespace
}  // namespace sightline::index
