// One card that the index and re-ranking share: it is opened once, with one budget for each, and when it is lost to the
// one it is to the other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "index/gpu/card.h"
#include "index/gpu/row_device.h"
#include "index/rerank/card_transport.h"
#include "tests/gpu/emulator/emulator.h"
#include "tests/gpu/transport_scene.h"

namespace sightline::index::gpu {
namespace {

using ::testing::HasSubstr;

TEST(OpenCardTest, RefusesACardThatIsNotThereOrTooSmall) {
  for (const int device : {-1, 1}) {
    EXPECT_EQ(base::GetErrorInfo(OpenCard({.device = device}).status()).reason, "NO_SUCH_CARD") << device;
  }
  emulator::SetMemory(size_t{1} << 30);
  constexpr int64_t kMore = (int64_t{1} << 30) + 1;
  for (const auto& [options, what] :
       {std::pair(CardOptions{.row_bytes = kMore}, "for the index"), {{.token_bytes = kMore}, "for re-ranking"}}) {
    const absl::Status refused = OpenCard(options).status();
    EXPECT_EQ(base::GetErrorInfo(refused).reason, "CARD_TOO_SMALL");
    EXPECT_THAT(std::string(refused.message()), HasSubstr(what));
    EXPECT_THAT(std::string(refused.message()), HasSubstr("has 1073741824 in all"));
  }
}

TEST(OpenCardTest, RowsHaveHalfOfTheCardUnlessTold) {
  emulator::SetMemory(size_t{1} << 30);
  const auto card = *OpenCard({.token_bytes = 5 << 20});
  EXPECT_EQ(card->name(), "emulated card");
  EXPECT_EQ(card->budget_bytes(CardUse::kRows), 1 << 29);
  EXPECT_EQ(card->budget_bytes(CardUse::kTokens), 5 << 20);
  EXPECT_EQ((*OpenCard({.row_bytes = 7 << 20}))->budget_bytes(CardUse::kRows), 7 << 20);
}

class SharedCardTest : public ::testing::Test {
 protected:
  SharedCardTest() { base::SetLogLevel(base::Severity::kOff); }
  ~SharedCardTest() override { emulator::FailLaunchAfter(-1); }

  absl::Status Search() {
    constexpr uint32_t kRows = 64;
    constexpr size_t kRowDim = 8;
    auto block = rows_->MakeBlock(kRowDim, kRows);
    if (!block.ok()) return block.status();
    const std::vector<float> values(kRows * kRowDim, 1);
    if (const absl::Status appended = (*block)->Append(values.data(), kRows); !appended.ok()) return appended;
    const std::vector<uint64_t> visible = {std::numeric_limits<uint64_t>::max()};
    auto view = rows_->MakeView({*std::move(block)}, kRows, visible);
    if (!view.ok()) return view.status();
    return (*view)->Best({.values = values.data(), .wanted = 3, .end = kRows}).status();
  }

  absl::Status Rerank() {
    std::mt19937 random(rerank::Seed());
    const PatchTokens image = rerank::Tokens(random, 3, 3, 16, TokenPrecision::kInt8);
    return transport_->Score(rerank::Query({&image}, {.max_rounds = 2}), {{rerank::Patches{&image}}}).status();
  }

  const std::shared_ptr<Card> card_ = *OpenCard({.row_bytes = 1 << 20, .token_bytes = 1 << 20});
  const std::shared_ptr<RowDevice> rows_ = *OpenRows(card_, {.min_rows = 0});
  std::unique_ptr<rerank::TransportDevice> transport_ = *rerank::OpenCardTransport(card_);
};

TEST_F(SharedCardTest, EachHasItsBudget) {
  EXPECT_EQ(rows_->card(), card_);
  EXPECT_EQ(card_->used_bytes(CardUse::kTokens), 1 << 20) << "taken at once";
  EXPECT_EQ(transport_->Stats().bytes, 1u << 20);
  auto block = rows_->MakeBlock(8, 64);
  ASSERT_TRUE(block.ok()) << block.status();
  EXPECT_EQ((*block)->bytes(), 1024);
  EXPECT_EQ(card_->used_bytes(CardUse::kRows), 1024);
  EXPECT_EQ(base::GetErrorInfo(rerank::OpenCardTransport(card_).status()).reason, "CARD_BUDGET");
  transport_.reset();
  EXPECT_EQ(card_->used_bytes(CardUse::kTokens), 0);
  EXPECT_TRUE(rerank::OpenCardTransport(card_).ok());
}

TEST_F(SharedCardTest, WhatIsLostToReRankingIsLostToTheIndex) {
  EXPECT_TRUE(Search().ok());
  EXPECT_TRUE(Rerank().ok());
  emulator::FailLaunchAfter(0);
  EXPECT_TRUE(IsCardLost(Rerank()));
  emulator::FailLaunchAfter(-1);
  EXPECT_TRUE(card_->lost());
  EXPECT_EQ(card_->counts().failures, 1);
  EXPECT_EQ(transport_->Stats().failures, 1);
}

TEST_F(SharedCardTest, WhatIsLostToTheIndexIsLostToReRanking) {
  emulator::FailLaunchAfter(0);
  const absl::Status lost = Search();
  EXPECT_TRUE(IsCardLost(lost)) << lost;
  emulator::FailLaunchAfter(-1);
  rows_->card()->Failed(lost);
  const int64_t blocks = emulator::BlocksRun();
  EXPECT_TRUE(IsCardLost(Rerank()));
  EXPECT_EQ(emulator::BlocksRun(), blocks) << "nothing more is tried";
}

}  // namespace
}  // namespace sightline::index::gpu
