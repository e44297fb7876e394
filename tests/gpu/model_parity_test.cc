// Every model of the zoo on a card in bfloat16 against the CPU in float32, with the folder's weights or seeded ones.
// Without a card the smallest model meets itself on the CPU, which shows that the test works and nothing else.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "model/device/device.h"
#include "model/model.h"
#include "tests/gpu/smooth_images.h"

namespace sightline::model {
namespace {

constexpr double kMostOff = 2e-3;
constexpr size_t kImages = 4;

std::vector<std::string> ZooModels() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(SIGHTLINE_ZOO)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::unique_ptr<Model> LoadOn(const std::string& name, bool card) {
  auto model = Model::Load(absl::StrCat(SIGHTLINE_ZOO, "/", name), {.allow_untrained = true,
                                                                    .numeric = card ? Numeric::kBf16 : Numeric::kFp32,
                                                                    .device = card ? Device{.cuda = true} : Device{}});
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *std::move(model) : nullptr;
}

// The largest distance of a descriptor, and of the tokens' centres.
std::pair<double, double> Farthest(const std::vector<Embedding>& have, const std::vector<Embedding>& want) {
  std::pair<double, double> farthest = {0, 0};
  for (size_t i = 0; i < have.size(); ++i) {
    const double descriptor = CosineDistance(have[i].descriptor, want[i].descriptor);
    const double centre = CosineDistance(have[i].tokens.centre, want[i].tokens.centre);
    // Neither is left out for being NaN.
    if (!(descriptor <= farthest.first)) farthest.first = descriptor;
    if (!(centre <= farthest.second)) farthest.second = centre;
  }
  return farthest;
}

class ModelParityTest : public ::testing::TestWithParam<std::string> {};

TEST_P(ModelParityTest, TheCardAgreesWithTheCpu) {
  const bool card = CardCount() > 0;
  if (!card && GetParam() != "dtop_tiny") GTEST_SKIP() << "there is no card";
  const auto reference = LoadOn(GetParam(), false), model = LoadOn(GetParam(), card);
  ASSERT_TRUE(reference != nullptr && model != nullptr);
  std::vector<PreparedImage> images;
  for (unsigned i = 0; i < kImages; ++i) {
    auto image = reference->Prepare(SmoothImage(288, 224, i), std::nullopt);
    ASSERT_TRUE(image.ok()) << image.status();
    images.push_back(*std::move(image));
  }
  const auto batch = Pointers(images);
  const auto want = reference->Embed(batch);
  ASSERT_TRUE(want.ok()) << want.status();
  ASSERT_EQ(want->size(), images.size());
  const auto have = model->Embed(batch);
  ASSERT_TRUE(have.ok()) << have.status();
  ASSERT_EQ(have->size(), images.size());
  auto [descriptor, centre] = Farthest(*have, *want);
  // One by one, so often that a recording is made and played.
  for (size_t i = 0; i < images.size(); ++i) {
    const auto alone = model->Embed(absl::MakeConstSpan(batch).subspan(i, 1));
    ASSERT_TRUE(alone.ok()) << alone.status();
    const auto [descriptor_alone, centre_alone] = Farthest(*alone, {(*want)[i]});
    if (!(descriptor_alone <= descriptor)) descriptor = descriptor_alone;
    if (!(centre_alone <= centre)) centre = centre_alone;
  }
  EXPECT_LE(descriptor, kMostOff) << "of the descriptors";
  EXPECT_LE(centre, 10 * kMostOff) << "of the tokens' centres";
  std::printf("figure parity_%s %.1e %s\n", GetParam().c_str(), descriptor, model->info().numeric.c_str());
}

INSTANTIATE_TEST_SUITE_P(Zoo, ModelParityTest, ::testing::ValuesIn(ZooModels()),
                         [](const auto& model) { return model.param; });

}  // namespace
}  // namespace sightline::model
