// Models on a card that has no memory left: LibTorch's allocator is refused more and more, and the card is filled to
// 95 % and beyond by somebody else. Whatever is answered is right, everything else is DEVICE_MEMORY_FULL, and with the
// memory back all is as before.
#include <c10/cuda/CUDACachingAllocator.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/log.h"
#include "base/status.h"
#include "model/device/device.h"
#include "model/model.h"
#include "tests/gpu/card_filling.h"
#include "tests/gpu/smooth_images.h"

namespace sightline::model {
namespace {

using sightline::testing::CardFilling;
using sightline::testing::kMiB;

constexpr double kSame = 2e-3;  // batches of other sizes round in another order

// Of what LibTorch may take of the card, as a share; all of it again when it goes.
class Allowance {
 public:
  explicit Allowance(double share) { c10::cuda::CUDACachingAllocator::setMemoryFraction(share, 0); }
  ~Allowance() { c10::cuda::CUDACachingAllocator::setMemoryFraction(1, 0); }
  Allowance(const Allowance&) = delete;
  Allowance& operator=(const Allowance&) = delete;
};

class ModelMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (CardCount() == 0) GTEST_SKIP() << "there is no card";
    base::SetLogLevel(base::Severity::kOff);
    auto model = Model::Load(SIGHTLINE_ZOO "/dtop_r50_vit_b",
                             {.allow_untrained = true, .numeric = Numeric::kBf16, .device = {.cuda = true}});
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    for (unsigned i = 0; i < 16; ++i) {
      auto image = model_->Prepare(SmoothImage(640, 480, i), std::nullopt);
      ASSERT_TRUE(image.ok()) << image.status();
      images_.push_back(*std::move(image));
    }
    auto want = model_->Embed(Pointers(images_));
    ASSERT_TRUE(want.ok()) << want.status();
    want_ = *std::move(want);
  }

  // True when all were answered, rightly; false when the card was too full. Nothing else may come.
  bool Answers() {
    const auto have = model_->Embed(Pointers(images_));
    if (!have.ok()) {
      EXPECT_EQ(base::GetErrorInfo(have.status()).reason, "DEVICE_MEMORY_FULL") << have.status();
      return false;
    }
    EXPECT_EQ(have->size(), want_.size());
    for (size_t i = 0; i < want_.size() && i < have->size(); ++i) {
      const double off = CosineDistance((*have)[i].descriptor, want_[i].descriptor);
      EXPECT_LE(off, kSame) << "image " << i;
    }
    return true;
  }

  std::unique_ptr<Model> model_;
  std::vector<PreparedImage> images_;
  std::vector<Embedding> want_;
};

TEST_F(ModelMemoryTest, AllocationsThatAreRefusedCutBatchesOrRefuseImages) {
  int refused = 0, answered = 0;
  for (double share = 1e-6; share < 1; share *= 2) {
    SCOPED_TRACE(absl::StrCat("LibTorch may take ", share, " of the card"));
    const Allowance allowance(share);
    ++(Answers() ? answered : refused);
    if (HasFailure()) return;
  }
  std::printf("%d shares of the card were too small, %d were enough\n", refused, answered);
  EXPECT_GT(refused, 0) << "nothing was refused: this shows nothing";
  EXPECT_GT(answered, 0);
  EXPECT_TRUE(Answers()) << "with the memory back";
}

TEST_F(ModelMemoryTest, ACardThatIs95PercentFull) {
  const CardFilling filling(std::max(CardFilling::Total() / 20, kMiB));
  ASSERT_LE(CardFilling::Free(), CardFilling::Total() / 20 + 2 * kMiB);
  Answers();
}

TEST_F(ModelMemoryTest, ACardThatIsFull) {
  c10::cuda::CUDACachingAllocator::emptyCache();
  int answered = 0;
  for (const size_t leave : {size_t{0}, 32 * kMiB, 128 * kMiB, 512 * kMiB, 2048 * kMiB}) {
    SCOPED_TRACE(absl::StrCat(leave / kMiB, " MiB are left"));
    const CardFilling filling(leave);
    answered += Answers() ? 1 : 0;
    if (HasFailure()) return;
    c10::cuda::CUDACachingAllocator::emptyCache();
  }
  EXPECT_LT(answered, 5) << "even a card with nothing left had room: this shows nothing";
  EXPECT_TRUE(Answers()) << "with the memory back";
}

}  // namespace
}  // namespace sightline::model
