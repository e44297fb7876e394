// Segments whose sealed rows move to the emulated card while they are written, searched and replaced: the answers are
// those of comparing with every row, whatever is where, and whatever fails.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "index/ann/segment.h"
#include "index/gpu/row_device.h"
#include "index/kernels/inner_product.h"
#include "tests/gpu/emulator/emulator.h"
#include "tests/index/engine_fixture.h"
#include "tests/support/seed.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

constexpr size_t kRowDim = 8;
constexpr uint32_t kChunk = 64;

class ResidentSegmentTest : public ::testing::Test {
 protected:
  ResidentSegmentTest() {
    base::SetLogLevel(base::Severity::kOff);
    seed_ = sightline::testing::Seed();
    random_.seed(seed_);
    emulator::SetSeed(seed_);
  }
  ~ResidentSegmentTest() override {
    emulator::FailLaunchAfter(-1);
    emulator::FailMallocAfter(-1);
    emulator::SetMemory(size_t{1} << 30);
  }

  std::string Seed() const { return absl::StrCat("SIGHTLINE_SEED=", seed_); }

  // `row_bytes`: of the card, 0 for half of it.
  void Make(int64_t row_bytes = 0) {
    if (device_ == nullptr) {
      device_ = *gpu::OpenRows(*gpu::OpenCard({.row_bytes = row_bytes, .token_bytes = 0}), {.min_rows = 0});
    }
    SegmentShape shape;
    shape.chunk = {kRowDim, DescriptorPrecision::kFloat32};
    shape.chunk_rows = kChunk;
    shape.max_rows = 2048;
    shape.card = device_;
    segment_ = std::make_unique<Segment>(shape, [](uint64_t) -> absl::StatusOr<std::vector<float>> {
      return base::NotFound("RECORD_GONE", "the record was deleted. Search again.");
    });
    rows_.clear();
    clock_ = 0;
  }

  std::vector<float> Draw() {
    // An image again, or one that half precision does not tell from it.
    if (!rows_.empty() && random_() % 4 == 0) {
      std::vector<float> vector = rows_[random_() % rows_.size()].vector;
      if (random_() % 2 == 0 && !vector.empty()) vector[random_() % kRowDim] += 1e-6F;
      if (!vector.empty() && std::abs(vector.front()) <= 1) return vector;
    }
    std::vector<float> vector = RandomVector(random_, kRowDim);
    const double norm = std::sqrt(kernels::InnerProductReference(vector.data(), vector.data(), kRowDim));
    for (float& value : vector) value /= static_cast<float>(norm);
    return vector;
  }

  // Some rows come, some die with them.
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

  bool SealOne() {
    const std::optional<uint32_t> chunk = segment_->ChunkToSeal(0);
    if (!chunk) return false;
    const std::string path = absl::StrCat(folder_.path(), "/", next_file_++);
    const auto info = segment_->WriteChunk(*chunk, files_, path);
    EXPECT_TRUE(info.ok()) << info.status();
    segment_->SetChunkFile(*chunk, *info);
    EXPECT_TRUE(segment_->ReadFromFile(*chunk, files_, path).ok());
    return true;
  }

  void SealAndMoveAll() {
    while (SealOne()) {
    }
    while (segment_->MoveToCard(100)) {
    }
  }

  struct Moment {
    uint32_t rows = 0;
    uint64_t clock = 0;
  };
  Moment Now() const { return {segment_->rows(), clock_}; }

  void Check(const Moment& moment) {
    const std::vector<float> query = Draw();
    constexpr size_t kSizes[] = {1, 5, 30, 200, 1100};
    SegmentQuery ask;
    ask.query = query.data();
    ask.k = kSizes[random_() % std::size(kSizes)];
    ask.rows = moment.rows;
    ask.clock = moment.clock;
    if (random_() % 4 == 0) ask.min_score = 0.5F;
    Roaring matching;
    for (uint32_t row = 0; row < rows_.size(); row += 1 + static_cast<uint32_t>(random_() % 4)) matching.add(row);
    if (random_() % 3 == 0) ask.matching = &matching;
    TopK top(ask.k, ask.min_score);
    for (uint32_t row = 0; row < moment.rows; ++row) {
      if (rows_[row].died_at <= moment.clock || (ask.matching != nullptr && !matching.contains(row))) continue;
      float score = 0;
      kernels::InnerProducts(query.data(), rows_[row].vector.data(), kRowDim, kRowDim, 1, &score);
      top.Add(score, row);
    }
    const std::vector<ScoredRow> expected = std::move(top).Take();
    const SegmentResult found = segment_->Search(ask);
    SCOPED_TRACE(absl::StrCat("k ", ask.k, ", ", moment.rows, " rows at ", moment.clock, " of ", clock_, ", ",
                              segment_->on_card().rows, " on the card", ask.matching != nullptr ? ", filtered" : ""));
    ASSERT_EQ(found.best.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(found.best[i].row, expected[i].row) << i;
      ASSERT_EQ(found.best[i].score, expected[i].score) << i;
    }
    EXPECT_FALSE(found.cancelled);
    EXPECT_EQ(found.unreadable, 0);
    if (ask.matching == nullptr) {
      EXPECT_EQ(found.compared, moment.rows);
    }
  }

  // One of the things that happen to a segment.
  void Step() {
    switch (random_() % 6) {
      case 0: Write(1 + random_() % 60, 0.05); break;
      case 1: Write(1 + random_() % 5, 0.1); break;
      case 2: SealOne(); break;
      case 3:
      case 4:
        for (int i = 0; i < 3; ++i) segment_->MoveToCard(1 + random_() % 50);
        break;
      case 5:
        if (random_() % 4 == 0) segment_->CloseChunk();
        break;
    }
  }

  struct Row {
    uint64_t key = 0;
    std::vector<float> vector;
    uint64_t died_at = 0;
  };

  const sightline::testing::TempFolder folder_;
  const Files files_;
  unsigned seed_ = 0;
  std::mt19937 random_;
  int next_file_ = 0;
  uint64_t next_key_ = 1;
  uint64_t clock_ = 0;
  std::vector<Row> rows_;
  std::shared_ptr<gpu::RowDevice> device_;
  std::unique_ptr<Segment> segment_;
};

TEST_F(ResidentSegmentTest, AnswersAreTheSameWhileRowsComeDieAndMove) {
  SCOPED_TRACE(Seed());
  Make();
  Write(150, 0);
  Moment before = Now();
  for (int i = 0; i < 60 && segment_->rows() < 1500; ++i) {
    Step();
    if (i % 2 == 0) Check(Now());
    if (i % 6 == 0) Check(before);
    if (i % 10 == 0) before = Now();
    if (HasFatalFailure()) return;
  }
  SealAndMoveAll();
  Check(Now());
  int64_t sealed = 0;
  for (const ChunkFileInfo& chunk : segment_->sealed_chunks()) sealed += chunk.rows;
  EXPECT_EQ(segment_->on_card().rows, sealed);
  const gpu::CardCounts counts = device_->card()->counts();
  EXPECT_GT(counts.scans, 5);
  EXPECT_EQ(counts.failures, 0);
  EXPECT_GT(device_->card()->used_bytes(gpu::CardUse::kRows), 0);
  segment_.reset();
  EXPECT_EQ(device_->card()->used_bytes(gpu::CardUse::kRows), 0);
}

// A search that began before rows died sees them, also when they are hidden on the card meanwhile.
TEST_F(ResidentSegmentTest, AnOlderMomentSeesWhatTheCardHidesSince) {
  SCOPED_TRACE(Seed());
  Make();
  Write(2 * kChunk, 0);
  SealAndMoveAll();
  const Moment before = Now();
  Write(1, 0.5);
  Check(Now());
  const int64_t scans = device_->card()->counts().scans;
  ASSERT_TRUE(segment_->MoveToCard(1)) << "half of the rows are dead, and not hidden yet";
  EXPECT_FALSE(segment_->MoveToCard(1));
  for (int i = 0; i < 3 && !HasFatalFailure(); ++i) Check(before);
  EXPECT_EQ(device_->card()->counts().scans, scans) << "of the dead, the card knows nothing any more";
  for (int i = 0; i < 3 && !HasFatalFailure(); ++i) Check(Now());
}

TEST_F(ResidentSegmentTest, RowsLeaveTheCardAndComeBack) {
  SCOPED_TRACE(Seed());
  Make();
  EXPECT_FALSE(segment_->LeaveCard());
  Write(3 * kChunk, 0);
  while (SealOne()) {
  }
  // In the middle of a chunk, and with all that there are.
  for (const int steps : {1, 100}) {
    for (int i = 0; i < steps && segment_->MoveToCard(kChunk / 2 + 1); ++i) {
    }
    EXPECT_EQ(segment_->on_card().rows, steps == 1 ? 0 : 3 * kChunk);
    EXPECT_GT(device_->card()->used_bytes(gpu::CardUse::kRows), 0);
    Check(Now());
    EXPECT_TRUE(segment_->LeaveCard());
    EXPECT_FALSE(segment_->LeaveCard());
    EXPECT_EQ(segment_->on_card().rows, 0);
    EXPECT_EQ(segment_->on_card().bytes, 0);
    EXPECT_EQ(device_->card()->used_bytes(gpu::CardUse::kRows), 0);
    const int64_t scans = device_->card()->counts().scans;
    Check(Now());
    EXPECT_EQ(device_->card()->counts().scans, scans);
  }
  Write(0, 0.1);
  while (segment_->MoveToCard(100)) {
  }
  EXPECT_EQ(segment_->on_card().rows, 3 * kChunk);
  EXPECT_EQ(segment_->on_card().bytes, 3 * 1024);
  for (int i = 0; i < 5 && !HasFatalFailure(); ++i) Check(Now());
}

TEST_F(ResidentSegmentTest, WhateverFailsTheCpuAnswers) {
  SCOPED_TRACE(Seed());
  Make();
  Write(300, 0);
  for (int i = 0; i < 40; ++i) {
    // A card that is nearly full, or refuses now and then.
    emulator::FailMallocAfter(random_() % 2 == 0 ? static_cast<int>(random_() % 4) : -1);
    emulator::SetMemory(random_() % 3 == 0 ? emulator::UsedMemory() + random_() % 3000 : size_t{1} << 30);
    Step();
    Check(Now());
    if (HasFatalFailure()) return;
  }
  emulator::FailMallocAfter(-1);
  emulator::SetMemory(size_t{1} << 30);
  gpu::Card& card = *device_->card();
  EXPECT_GT(card.counts().failures, 0);
  EXPECT_FALSE(card.lost());

  // Another one, so that what was refused is tried again.
  Make();
  Write(300, 0);
  SealAndMoveAll();
  EXPECT_EQ(segment_->on_card().rows, 300 / kChunk * kChunk);
  const int64_t scans = card.counts().scans;
  while (card.counts().scans == scans) Check(Now());
  emulator::FailLaunchAfter(static_cast<int>(random_() % 2));
  for (int i = 0; i < 100 && !card.lost() && !HasFatalFailure(); ++i) Check(Now());
  ASSERT_TRUE(card.lost());
  // Nothing more is tried.
  const gpu::CardCounts counts = card.counts();
  const int64_t blocks = emulator::BlocksRun();
  for (int i = 0; i < 5 && !HasFatalFailure(); ++i) Check(Now());
  EXPECT_FALSE(segment_->MoveToCard(10));
  EXPECT_EQ(segment_->on_card().rows, 0);
  EXPECT_EQ(card.used_bytes(gpu::CardUse::kRows), 0);
  EXPECT_EQ(card.counts().failures, counts.failures);
  EXPECT_EQ(card.counts().scans, counts.scans);
  EXPECT_EQ(emulator::BlocksRun(), blocks);
}

TEST_F(ResidentSegmentTest, TheBudgetIsKeptAndWhatIsGivenBackIsUsed) {
  SCOPED_TRACE(Seed());
  emulator::SetMemory(size_t{1} << 20);
  // Three chunks of 64 rows of 16 bytes.
  Make(3 * 1024 + 512);
  Write(5 * kChunk, 0);
  SealAndMoveAll();
  EXPECT_EQ(segment_->on_card().rows, 3 * kChunk);
  EXPECT_EQ(device_->card()->used_bytes(gpu::CardUse::kRows), 3 * 1024);
  for (int i = 0; i < 5 && !HasFatalFailure(); ++i) Check(Now());
  const std::unique_ptr<Segment> first = std::move(segment_);
  Make();
  Write(2 * kChunk, 0);
  SealAndMoveAll();
  EXPECT_EQ(segment_->on_card().rows, 0);
  EXPECT_EQ(device_->card()->counts().failures, 2) << "each segment is refused once";
  EXPECT_FALSE(segment_->MoveToCard(10));
  EXPECT_EQ(device_->card()->counts().failures, 2);
}

TEST_F(ResidentSegmentTest, ACardThatOthersHaveFilledIsAskedOnceAndThenWhenMemoryComesBack) {
  SCOPED_TRACE(Seed());
  Make();
  Write(3 * kChunk, 0);
  while (SealOne()) {
  }
  // One chunk of 1,024 bytes fits, its view beside it does not.
  emulator::SetMemory(emulator::UsedMemory() + 1030);
  int steps = 0;
  while (steps < 100 && segment_->MoveToCard(kChunk)) ++steps;
  EXPECT_LT(steps, 5);
  EXPECT_EQ(segment_->on_card().rows, 0);
  Check(Now());
  EXPECT_EQ(device_->card()->counts().scans, 0);
  emulator::SetMemory(size_t{1} << 30);
  EXPECT_FALSE(segment_->MoveToCard(kChunk));
  (void)*gpu::Card::Reserve(device_->card(), gpu::CardUse::kRows, 10);
  while (steps < 100 && segment_->MoveToCard(kChunk)) ++steps;
  EXPECT_EQ(segment_->on_card().rows, 3 * kChunk);
  Check(Now());
}

TEST_F(ResidentSegmentTest, AChunkThatTheCardCannotHoldStaysBehind) {
  SCOPED_TRACE(Seed());
  Make();
  Write(kChunk, 0);
  std::vector<float> huge(kRowDim, 1e6F);
  segment_->Append({next_key_, "huge", huge.data(), nullptr});
  rows_.push_back({next_key_++, huge, RowTable::kAlive});
  ++clock_;
  segment_->Publish();
  for (int i = 0; i < 3; ++i) Write(kChunk - 1, 0);
  SealAndMoveAll();
  EXPECT_EQ(segment_->on_card().rows, segment_->rows() / kChunk * kChunk - kChunk);
  for (int i = 0; i < 6 && !HasFatalFailure(); ++i) Check(Now());
  EXPECT_GT(device_->card()->counts().scans, 0);
}

class ResidentCollectionTest : public EngineTest {
 protected:
  ResidentCollectionTest() {
    options_.card = *gpu::OpenRows(*gpu::OpenCard({.token_bytes = 0}), {.min_rows = 0});
    options_.segments.segment_rows = 256;
    config_.index_kind = IndexKind::kExact;
  }

  // Exact searches, with and without a filter.
  void CheckSome() {
    const auto even = [](const Entry& entry) { return std::get<std::string>(entry.attributes.at("parity")) == "even"; };
    for (int i = 0; i < 4; ++i) {
      SearchQuery query;
      const std::vector<float> vector = Draw();
      query.descriptor = vector;
      query.exact = true;
      if (i % 2 == 1) query.filter = "parity = \"even\"";
      ASSERT_EQ(Ids(Ask(query)), i % 2 == 1 ? Expected(vector, 10, even) : Expected(vector, 10));
    }
  }
};

TEST_F(ResidentCollectionTest, UpkeepMovesSegmentsAndReplacesThem) {
  Start();
  Fill(400);
  CheckSome();
  Optimize();
  const gpu::Card& card = *options_.card->card();
  const int64_t used = card.used_bytes(gpu::CardUse::kRows), scans = card.counts().scans;
  EXPECT_GE(used, (400 - 64) * kDim * 2);
  CheckSome();
  EXPECT_GT(card.counts().scans, scans);
  Change(40, 3);
  CheckSome();
  // Replaces what has dead rows; their memory comes back.
  Optimize();
  EXPECT_LE(card.used_bytes(gpu::CardUse::kRows), used + 64 * kDim * 2);
  CheckSome();
  Restart();
  CheckSome();
  Optimize();
  CheckSome();
  EXPECT_EQ(card.counts().failures, 0);
  collection_.reset();
  database_.reset();
  EXPECT_EQ(card.used_bytes(gpu::CardUse::kRows), 0);
}

TEST_F(ResidentCollectionTest, SearchesGoOnWhileRowsMoveInTheBackground) {
  options_.segments.background = true;
  Start();
  for (int i = 0; i < 6 && !HasFatalFailure(); ++i) {
    Fill(60);
    CheckSome();
    Change(40, 3);
    CheckSome();
  }
  Optimize();
  CheckSome();
  EXPECT_GT(options_.card->card()->counts().scans, 0);
  EXPECT_EQ(options_.card->card()->counts().failures, 0);
}

}  // namespace
}  // namespace sightline::index
