// What CUDA hands out is owned, and its failures are typed.
#include "index/gpu/device_memory.h"

#include <gtest/gtest.h>

#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "base/log.h"
#include "index/gpu/exact_rows.h"
#include "tests/gpu/emulator/emulator.h"

namespace sightline::index::gpu {
namespace {

TEST(DeviceMemoryTest, IsGivenBackByTheLastOwner) {
  const size_t before = emulator::UsedMemory();
  {
    auto first = DeviceBuffer<float>::Allocate(1000);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(emulator::UsedMemory(), before + 4000);
    DeviceBuffer<float> second = *std::move(first);
    EXPECT_EQ(first->data(), nullptr);
    EXPECT_EQ(first->size(), 0u);
    EXPECT_EQ(second.size(), 1000u);
    second = *DeviceBuffer<float>::Allocate(10);
    EXPECT_EQ(emulator::UsedMemory(), before + 40);
    EXPECT_EQ(DeviceBuffer<float>::Allocate(0)->data(), nullptr);
  }
  EXPECT_EQ(emulator::UsedMemory(), before);
}

TEST(DeviceMemoryTest, WhatIsCopiedThereComesBack) {
  std::vector<int> values(100), back(100);
  std::iota(values.begin(), values.end(), 1);
  const auto buffer = *DeviceBuffer<int>::Allocate(100);
  const auto stream = *Stream::Create();
  ASSERT_TRUE(Upload<int>(values, buffer, stream.get()).ok());
  ASSERT_TRUE(Download(buffer, absl::MakeSpan(back), stream.get()).ok());
  ASSERT_TRUE(stream.Wait("a copy").ok());
  EXPECT_EQ(back, values);
  auto begin = *Event::Create(/*timed=*/true), end = *Event::Create(/*timed=*/true);
  ASSERT_TRUE(begin.Record(stream.get()).ok());
  ASSERT_TRUE(end.Record(stream.get()).ok());
  ASSERT_TRUE(end.Wait("a copy").ok());
  EXPECT_TRUE(end.MillisecondsSince(begin).ok());
}

TEST(DeviceMemoryTest, ACardThatIsFullSaysWhatWasAskedAndWhatIsFree) {
  const size_t before = emulator::UsedMemory();
  emulator::SetMemory(before + 1000);
  const absl::Status full = DeviceBuffer<char>::Allocate(2000).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  const base::ErrorInfo info = base::GetErrorInfo(full);
  EXPECT_EQ(info.reason, "CARD_FULL");
  EXPECT_EQ(info.facts,
            (base::ErrorFacts{{"asked", "2000"}, {"free", "1000"}, {"total", std::to_string(before + 1000)}}));
  // The next launch is not blamed for it.
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);

  DeviceBuffer<char> buffer = *DeviceBuffer<char>::Allocate(600);
  EXPECT_TRUE(Grow(700, &buffer).ok()) << "not by half, but by what is needed";
  EXPECT_EQ(buffer.size(), 900u);
  EXPECT_TRUE(Grow(1000, &buffer).ok());
  EXPECT_EQ(buffer.size(), 1000u);
  EXPECT_EQ(Grow(1001, &buffer).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(buffer.data(), nullptr);
  emulator::SetMemory(size_t{1} << 30);
}

TEST(DeviceMemoryTest, ErrorsAreTypedAndALaunchThatFailsLosesTheCard) {
  base::SetLogLevel(base::Severity::kOff);
  EXPECT_TRUE(CudaStatus(cudaSuccess, "nothing").ok());
  const absl::Status refused = MakeCurrent(7);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(base::GetErrorInfo(refused).reason, "CUDA_REFUSED");
  EXPECT_FALSE(IsCardLost(refused));

  emulator::FailLaunchAfter(0);
  uint64_t nothing = 0;
  const absl::Status lost = CudaStatus(LaunchMerge(&nothing, 1, 1, 1, &nothing, nullptr), "a merge");
  emulator::FailLaunchAfter(-1);
  EXPECT_EQ(lost.code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(IsCardLost(lost)) << lost;

  Card card(0, "card", {.rows = 100});
  card.Failed(refused);
  EXPECT_FALSE(card.lost());
  card.Failed(lost);
  card.Failed(lost);
  EXPECT_TRUE(card.lost());
  EXPECT_EQ(card.counts().failures, 3);
}

TEST(CardTest, TheBudgetIsKept) {
  const auto card = std::make_shared<Card>(0, "card", CardBudget{.rows = 100, .tokens = 50});
  {
    const auto first = Card::Reserve(card, CardUse::kRows, 60);
    ASSERT_TRUE(first.ok()) << first.status();
    const auto tokens = Card::Reserve(card, CardUse::kTokens, 50);
    ASSERT_TRUE(tokens.ok()) << tokens.status();
    for (const auto& [use, bytes] : {std::pair(CardUse::kRows, 41), {CardUse::kTokens, 1}}) {
      const absl::Status refused = Card::Reserve(card, use, bytes).status();
      EXPECT_EQ(base::GetErrorInfo(refused).reason, "CARD_BUDGET");
      EXPECT_TRUE(absl::StrContains(refused.message(), use == CardUse::kRows ? "the index" : "re-ranking")) << refused;
    }
    EXPECT_TRUE(Card::Reserve(card, CardUse::kRows, 40).ok());
    EXPECT_EQ(card->used_bytes(CardUse::kRows), 60);
    EXPECT_EQ(card->used_bytes(CardUse::kTokens), 50);
  }
  EXPECT_EQ(card->used_bytes(CardUse::kRows), 0);
  EXPECT_EQ(card->used_bytes(CardUse::kTokens), 0);
  EXPECT_EQ(card->releases(), 3);
}

}  // namespace
}  // namespace sightline::index::gpu
