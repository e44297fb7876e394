// The index beside somebody who has taken 95 % of the card, then all of it: searches and re-ranking are right, from the
// card or from the CPU, and memory that comes back is used again.
#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "index/gpu/card.h"
#include "index/gpu/row_device.h"
#include "index/rerank/card_transport.h"
#include "tests/gpu/card_filling.h"
#include "tests/support/random_tokens.h"

namespace sightline::index {
namespace {

using sightline::testing::CardFilling;
using sightline::testing::kMiB;

constexpr size_t kDim = 256;
constexpr uint32_t kRows = 65'536;

class CardFullTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int cards = 0;
    if (cudaGetDeviceCount(&cards) != cudaSuccess || cards == 0) GTEST_SKIP() << "there is no card";
    base::SetLogLevel(base::Severity::kOff);
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(kDim)));
    values_.resize(kRows * kDim);
    for (float& value : values_) value = normal(random);
  }

  // Whether the rows went to the card and a search finds the row it was made from.
  static bool SearchFinds(const std::vector<float>& values) {
    const auto card = gpu::OpenCard({});
    EXPECT_TRUE(card.ok()) << card.status();
    if (!card.ok()) return false;
    const auto device = gpu::OpenRows(*card, {.min_rows = 0});
    EXPECT_TRUE(device.ok()) << device.status();
    if (!device.ok()) return false;
    const auto full = [](const absl::Status& status) {
      EXPECT_EQ(base::GetErrorInfo(status).reason, "CARD_FULL") << status;
      return false;
    };
    auto block = (*device)->MakeBlock(kDim, kRows);
    if (!block.ok()) return full(block.status());
    const absl::Status appended = (*block)->Append(values.data(), kRows);
    if (!appended.ok()) return full(appended);
    const std::vector<uint64_t> visible(kRows / 64, ~uint64_t{0});
    const auto view = (*device)->MakeView({*std::move(block)}, kRows, visible);
    if (!view.ok()) return full(view.status());
    const uint32_t row = 4711;
    const auto best = (*view)->Best({.values = values.data() + row * kDim, .wanted = 10, .end = kRows});
    if (!best.ok()) return full(best.status());
    EXPECT_EQ(best->front().row, row);
    return true;
  }

  // Whether re-ranking could be opened; what it gives is the CPU's.
  static bool Reranks() {
    const auto opened = gpu::OpenCard({});
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (!opened.ok()) return false;
    const auto card = rerank::OpenCardTransport(*opened);
    if (!card.ok()) {
      EXPECT_EQ(base::GetErrorInfo(card.status()).reason, "CARD_FULL") << card.status();
      return false;
    }
    const PatchTokens query_tokens = sightline::testing::RandomTokens(1, 7, 7),
                      result = sightline::testing::RandomTokens(2, 7, 7);
    const auto query = rerank::TransportQuery::Make({&query_tokens}, {});
    EXPECT_TRUE(query.ok()) << query.status();
    const std::vector<rerank::Patches> results = {{&result}};
    const auto scores = (*card)->Score(*query, results);
    EXPECT_TRUE(scores.ok()) << scores.status();
    const auto expected = query->Score(results);
    EXPECT_TRUE(expected.ok()) << expected.status();
    if (scores.ok() && expected.ok() && scores->at(0)) {
      EXPECT_NEAR(scores->at(0)->structural, expected->at(0).structural, 1e-4);
    }
    return true;
  }

  std::vector<float> values_;
};

TEST_F(CardFullTest, NinetyFivePercent) {
  const CardFilling filling(CardFilling::Total() / 20);
  EXPECT_TRUE(SearchFinds(values_)) << CardFilling::Free() / kMiB << " MiB are left";
  EXPECT_TRUE(Reranks()) << CardFilling::Free() / kMiB << " MiB are left";
}

TEST_F(CardFullTest, AllOfItAndThenBack) {
  // The context, before nothing is left for it.
  ASSERT_TRUE(SearchFinds(values_));
  {
    const CardFilling filling(0);
    EXPECT_FALSE(SearchFinds(values_)) << CardFilling::Free() / kMiB << " MiB are left";
    EXPECT_FALSE(Reranks()) << CardFilling::Free() / kMiB << " MiB are left";
  }
  EXPECT_TRUE(SearchFinds(values_));
  EXPECT_TRUE(Reranks());
}

}  // namespace
}  // namespace sightline::index
