// Collections whose sealed rows are compared by a device that is none: what upkeep and searches do around a card, on
// several threads, also where there is neither CUDA nor its emulator. tests/gpu has the kernels.
#include <atomic>
#include <cmath>
#include <thread>

#include "index/gpu/row_device.h"
#include "index/kernels/float16.h"
#include "tests/index/engine_fixture.h"

namespace sightline::index {
namespace {

class FakeBlock : public gpu::RowBlock {
 public:
  FakeBlock(size_t dim, gpu::CardMemory memory) : dim_(dim), memory_(std::move(memory)) {
    errors_.rounding = static_cast<double>(dim) * 0x1p-22;
  }

  absl::Status Append(const float* values, uint32_t count) override {
    for (uint32_t row = 0; row < count; ++row) {
      double residual = 0;
      for (size_t i = 0; i < dim_; ++i) {
        const float value = values[row * dim_ + i];
        values_.push_back(kernels::FloatFromFloat16(kernels::Float16FromFloat(value)));
        residual += std::pow(static_cast<double>(value) - values_.back(), 2);
      }
      errors_.residual = std::max(errors_.residual, std::sqrt(residual) * 1.000001);
    }
    errors_.norm = 1.000001;
    return absl::OkStatus();
  }

  const gpu::RowErrors& errors() const override { return errors_; }
  float Score(const float* query, uint32_t row) const {
    float sum = 0;
    for (size_t i = 0; i < dim_; ++i) sum += query[i] * values_[row * dim_ + i];
    return sum;
  }

 private:
  const size_t dim_;
  const gpu::CardMemory memory_;
  std::vector<float> values_;
  gpu::RowErrors errors_;
};

class FakeView : public gpu::RowView {
 public:
  FakeView(std::vector<std::shared_ptr<const gpu::RowBlock>> blocks, uint32_t block_rows,
           absl::Span<const uint64_t> visible, const std::atomic<bool>& broken)
      : blocks_(std::move(blocks)), block_rows_(block_rows), visible_(visible.begin(), visible.end()), broken_(broken) {
    for (const auto& block : blocks_) {
      if (block == nullptr) continue;
      errors_.residual = std::max(errors_.residual, block->errors().residual);
      errors_.norm = std::max(errors_.norm, block->errors().norm);
      errors_.rounding = std::max(errors_.rounding, block->errors().rounding);
    }
  }

  absl::StatusOr<std::vector<ScoredRow>> Best(const Query& query) const override {
    if (broken_) return base::Error(absl::StatusCode::kInternal, "CARD_LOST", "the fake card is broken. Mend it.");
    const absl::Span<const uint64_t> visible = query.visible.empty() ? visible_ : query.visible;
    const uint32_t end = std::min(query.end, static_cast<uint32_t>(blocks_.size()) * block_rows_);
    TopK top(query.wanted);
    for (uint32_t row = 0; row < end; ++row) {
      if ((visible[row / 64] >> row % 64 & 1) == 0) continue;
      top.Add(static_cast<const FakeBlock&>(*blocks_[row / block_rows_]).Score(query.values, row % block_rows_), row);
    }
    return std::move(top).Take();
  }
  const gpu::RowErrors& errors() const override { return errors_; }
  size_t most_wanted() const override { return 256; }

 private:
  const std::vector<std::shared_ptr<const gpu::RowBlock>> blocks_;
  const uint32_t block_rows_;
  const std::vector<uint64_t> visible_;
  const std::atomic<bool>& broken_;
  gpu::RowErrors errors_;
};

class FakeDevice : public gpu::RowDevice {
 public:
  const std::shared_ptr<gpu::Card>& card() const override { return card_; }
  uint32_t min_rows() const override { return 0; }
  absl::StatusOr<std::unique_ptr<gpu::RowBlock>> MakeBlock(size_t dim, uint32_t rows) override {
    SIGHTLINE_ASSIGN_OR_RETURN(gpu::CardMemory memory,
                               gpu::Card::Reserve(card_, static_cast<int64_t>(dim * rows * sizeof(uint16_t))));
    return std::make_unique<FakeBlock>(dim, std::move(memory));
  }
  absl::StatusOr<std::shared_ptr<const gpu::RowView>> MakeView(std::vector<std::shared_ptr<const gpu::RowBlock>> blocks,
                                                               uint32_t block_rows,
                                                               absl::Span<const uint64_t> visible) override {
    return std::make_shared<FakeView>(std::move(blocks), block_rows, visible, broken);
  }

  std::atomic<bool> broken = false;

 private:
  // Nine chunks of 64 rows.
  const std::shared_ptr<gpu::Card> card_ = std::make_shared<gpu::Card>(0, "fake", 9 * 64 * kDim * 2);
};

class CardTest : public EngineTest {
 protected:
  CardTest() {
    options_.card = device_;
    options_.segments.background = true;
    config_.index_kind = IndexKind::kExact;
  }

  void CheckSome() {
    for (int i = 0; i < 8; ++i) {
      const auto vector = Draw();
      SearchQuery query;
      query.descriptor = vector;
      query.exact = true;
      ASSERT_EQ(Ids(Ask(query)), Expected(vector, 10));
    }
  }

  const std::shared_ptr<FakeDevice> device_ = std::make_shared<FakeDevice>();
};

TEST_F(CardTest, SearchesWritesAndUpkeepGoOnBesideEachOther) {
  Start();
  Fill(200);
  std::atomic<bool> stop = false;
  std::vector<std::thread> searchers;
  for (unsigned seed = 1; seed <= 2; ++seed) {
    searchers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      while (!stop) {
        const std::vector<float> vector = RandomVector(random, kDim);
        SearchQuery query;
        query.descriptor = vector;
        query.exact = true;
        query.filter = random() % 2 == 0 ? "parity = \"even\"" : "";
        const SearchOutcome outcome = Ask(query);
        ASSERT_EQ(outcome.hits.size(), 10u);
        const auto ids = Ids(outcome);
        ASSERT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 10u) << "an image and its replacement";
      }
    });
  }
  for (int round = 0; round < 8; ++round) {
    Fill(40);
    for (int i = 0; i < 20; ++i) {
      const std::string id = absl::StrCat("r", random_() % static_cast<unsigned>(next_));
      if (truth_.count(id) == 0) continue;
      if (i % 4 == 0) {
        Delete(id);
      } else {
        Put(id, Draw(), {{"parity", std::string("even")}});
      }
    }
    CheckSome();
  }
  stop = true;
  for (std::thread& searcher : searchers) searcher.join();
  Optimize();
  CheckSome();
  const gpu::CardCounts counts = device_->card()->counts();
  EXPECT_GT(counts.scans, 10);
  EXPECT_LE(device_->card()->used_bytes(), device_->card()->budget_bytes());
}

TEST_F(CardTest, ACardLostInASearchIsNotAskedAgain) {
  Start();
  Fill(300);
  Optimize();
  CheckSome();
  const gpu::Card& card = *device_->card();
  const int64_t scans = card.counts().scans;
  EXPECT_GT(scans, 0);
  device_->broken = true;
  CheckSome();
  EXPECT_TRUE(card.lost());
  EXPECT_EQ(card.counts().failures, 1);
  device_->broken = false;
  Fill(100);
  Optimize();
  CheckSome();
  EXPECT_EQ(card.counts().scans, scans);
  EXPECT_EQ(card.used_bytes(), 0);
}

}  // namespace
}  // namespace sightline::index
