// DeviceNetwork with LibTorch's CPU in the place of a card, and against the network as a CPU computes it: that folding,
// short types, batches under way, recordings and cut batches change nothing but the last digits.
#include "model/device/device_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "model/weights/load.h"
#include "model/weights/seeded_init.h"

namespace sightline::model {
namespace {

// Does what a card does as late as a card may: uploads when something is computed, downloads when somebody waits.
class FakeCard : public Accelerator {
 public:
  struct State {
    int64_t most_images = 1000;  // of a batch, before memory is full
    bool fails = false;
    bool can_record = true;
    int computed = 0, recorded = 0, played = 0, freed = 0, waited = 0;
    std::vector<int64_t> batches;  // images of each that was tried
  };
  explicit FakeCard(State* state) : state_(state) {}

  torch::Device device() const override { return torch::kCPU; }
  torch::Tensor HostTensor(int64_t values) override { return torch::full({values}, std::nan("")); }

  void Upload(absl::Span<const Copy> copies) override {
    for (const Copy& copy : copies) uploads_.push_back(copy);
    images_ = copies.front().to.size(0);
    state_->batches.push_back(images_);
  }

  void Compute(absl::FunctionRef<void()> work) override {
    for (Copy& copy : uploads_) copy.to.copy_(copy.from);
    uploads_.clear();
    if (state_->fails) throw std::runtime_error("the card fell off the bus\nstack trace");
    TORCH_CHECK_WITH(OutOfMemoryError, images_ <= state_->most_images, "full");
    ++state_->computed;
    work();
  }

  class Again : public Recording {
   public:
    Again(std::function<void()> work, State* state) : work_(std::move(work)), state_(state) {}
    void Play() override {
      ++state_->played;
      work_();
    }

   private:
    const std::function<void()> work_;
    State* const state_;
  };
  std::unique_ptr<Recording> Record(const std::function<void()>& work) override {
    ++state_->recorded;
    if (!state_->can_record) return nullptr;
    return std::make_unique<Again>(work, state_);
  }

  class Later : public Point {
   public:
    Later(absl::Span<const Copy> copies, State* state) : copies_(copies.begin(), copies.end()), state_(state) {}
    void Wait() override {
      ++state_->waited;
      for (Copy& copy : copies_) copy.to.copy_(copy.from);
    }

   private:
    std::vector<Copy> copies_;
    State* const state_;
  };
  std::unique_ptr<Point> Download(absl::Span<const Copy> copies) override {
    return std::make_unique<Later>(copies, state_);
  }
  void FreeUnused() override { ++state_->freed; }

 private:
  State* const state_;
  std::vector<Copy> uploads_;
  int64_t images_ = 0;
};

double CosineDistance(const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return 1 - dot / std::sqrt(aa * bb);
}

class DeviceNetworkTest : public ::testing::Test {
 protected:
  void Read(const std::string& name) {
    const auto text = base::ReadFile(absl::StrCat(SIGHTLINE_ZOO, "/", name, "/model.json"), 1 << 20);
    ASSERT_TRUE(text.ok()) << text.status();
    auto config = ParseModelConfig(*text);
    ASSERT_TRUE(config.ok()) << config.status();
    config_ = *std::move(config);
    form_ = config_.tokens;
    torch::manual_seed(kSeed);
    projection_ = torch::randn({Facts(config_.backbone).dim, form_.dim});
  }

  std::shared_ptr<Network> MakeNetwork() const {
    auto network = std::make_shared<Network>(config_.backbone, config_.head, config_.whitening);
    InitialiseSeeded(InferenceTensors(*network), std::max(1, Facts(config_.backbone).blocks), kSeed);
    return network;
  }

  DeviceNetwork MakeDevice(const DeviceNetwork::Options& options) {
    return {MakeNetwork(), projection_, form_, config_, std::make_unique<FakeCard>(&card_), options};
  }

  // Smooth, as photographs are.
  PreparedImage Image(int height, int width, unsigned seed) const {
    PreparedImage image;
    image.bucket = absl::StrCat(height, "x", width);
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> phase(0, 6), wave(0.02f, 0.3f);
    for (size_t scale = 0; scale < config_.preprocess.scales.size(); ++scale) {
      PreparedImage::Plane plane{.height = height, .width = width, .chw = {}};
      for (int channel = 0; channel < 3; ++channel) {
        const float a = phase(random), b = wave(random), c = wave(random);
        for (int y = 0; y < height; ++y) {
          for (int x = 0; x < width; ++x) {
            plane.chw.push_back(std::sin(a + b * static_cast<float>(x)) + std::cos(c * static_cast<float>(y)));
          }
        }
      }
      image.planes.push_back(std::move(plane));
    }
    return image;
  }

  std::vector<PreparedImage> Images(int count, int height = 64, int width = 96) const {
    std::vector<PreparedImage> images;
    for (int i = 0; i < count; ++i) images.push_back(Image(height, width, kSeed + static_cast<unsigned>(i)));
    return images;
  }

  static std::vector<const PreparedImage*> Pointers(const std::vector<PreparedImage>& images) {
    std::vector<const PreparedImage*> pointers;
    for (const PreparedImage& image : images) pointers.push_back(&image);
    return pointers;
  }

  std::vector<Embedding> Reference(const std::vector<PreparedImage>& images) const {
    const c10::InferenceMode inference;
    const auto network = MakeNetwork();
    PlanInference(*network);
    return RunInference(*network, projection_, form_, config_, Pointers(images));
  }

  static void ExpectSame(const std::vector<Embedding>& have, const std::vector<Embedding>& want, double most) {
    ASSERT_EQ(have.size(), want.size());
    for (size_t i = 0; i < have.size(); ++i) {
      EXPECT_LE(CosineDistance(have[i].descriptor, want[i].descriptor), most) << "image " << i;
      ASSERT_EQ(have[i].tokens.values.size(), want[i].tokens.values.size());
      const std::vector<float> tokens(have[i].tokens.values.begin(), have[i].tokens.values.end());
      const std::vector<float> expected(want[i].tokens.values.begin(), want[i].tokens.values.end());
      EXPECT_LE(CosineDistance(tokens, expected), 10 * most + 1e-3) << "tokens of image " << i;
      EXPECT_LE(CosineDistance(have[i].tokens.importance, want[i].tokens.importance), 10 * most + 1e-3);
      EXPECT_LE(CosineDistance(have[i].tokens.centre, want[i].tokens.centre), 10 * most + 1e-3);
    }
  }

  static constexpr unsigned kSeed = 11;
  const c10::InferenceMode inference_;
  ModelConfig config_;
  TokensConfig form_;
  torch::Tensor projection_;
  FakeCard::State card_;
};

class DeviceNetworkZooTest : public DeviceNetworkTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(DeviceNetworkZooTest, SettledNetworksComputeTheSame) {
  ASSERT_NO_FATAL_FAILURE(Read(GetParam()));
  const std::vector<PreparedImage> images = Images(2);
  const std::vector<Embedding> want = Reference(images);
  // bf16: the bar of parity on a card. There bfloat16 sums in float32, as this CPU does.
  for (const auto& [type, most] : {std::pair(torch::kFloat, 1e-6), std::pair(torch::kBFloat16, 2e-3)}) {
    DeviceNetwork device = MakeDevice({.type = type});
    const auto batch = device.Start(Pointers(images));
    ASSERT_TRUE(batch.ok()) << batch.status();
    const auto have = (*batch)->Finish();
    ASSERT_TRUE(have.ok()) << have.status();
    SCOPED_TRACE(torch::toString(type));
    ExpectSame(*have, want, most);
    std::printf("%s in %s: cosine distance %.2e\n", GetParam(), torch::toString(type),
                CosineDistance(have->front().descriptor, want.front().descriptor));
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, DeviceNetworkZooTest,
                         ::testing::Values("dtop_tiny", "vit_tiny_patch16_224", "resnet50_gem", "resnet101_solar",
                                           "resnet101_glam", "resnet101_dolg", "swin_tiny", "cvt_13"));

TEST_F(DeviceNetworkTest, TwoBatchesUnderWayDoNotTouchEachOther) {
  ASSERT_NO_FATAL_FAILURE(Read("dtop_tiny"));
  DeviceNetwork device = MakeDevice({.type = torch::kFloat, .recorded_after = 1000});
  const std::vector<PreparedImage> first = Images(3), second = Images(5, 96, 64), third = Images(1, 128, 128);
  auto a = device.Start(Pointers(first));
  auto b = device.Start(Pointers(second));
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(device.Start(Pointers(third)).status().code(), absl::StatusCode::kFailedPrecondition);
  ExpectSame(*(*a)->Finish(), Reference(first), 1e-6);
  a->reset();
  auto c = device.Start(Pointers(third));
  ASSERT_TRUE(c.ok()) << c.status();
  ExpectSame(*(*b)->Finish(), Reference(second), 1e-6);
  ExpectSame(*(*c)->Finish(), Reference(third), 1e-6);
}

TEST_F(DeviceNetworkTest, ABatchThatNobodyWaitsForGivesItsPlaceBack) {
  ASSERT_NO_FATAL_FAILURE(Read("dtop_tiny"));
  DeviceNetwork device = MakeDevice({.type = torch::kFloat});
  const std::vector<PreparedImage> images = Images(1);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(device.Start(Pointers(images)).ok());
  EXPECT_EQ(card_.waited, 5) << "before its buffers were used again";
}

TEST_F(DeviceNetworkTest, SmallShapesThatComeAgainAreRecorded) {
  ASSERT_NO_FATAL_FAILURE(Read("dtop_tiny"));
  DeviceNetwork device = MakeDevice({.type = torch::kFloat, .recorded_after = 2, .most_recorded_images = 2});
  for (unsigned i = 0; i < 5; ++i) {
    const std::vector<PreparedImage> images = {Image(64, 96, i), Image(64, 96, 100 + i)};
    const auto batch = device.Start(Pointers(images));
    ASSERT_TRUE(batch.ok()) << batch.status();
    ExpectSame(*(*batch)->Finish(), Reference(images), 1e-6);
  }
  EXPECT_EQ(card_.recorded, 1);
  EXPECT_EQ(card_.played, 3);
  const std::vector<PreparedImage> large = Images(3);
  for (int i = 0; i < 4; ++i) ExpectSame(*(*device.Start(Pointers(large)))->Finish(), Reference(large), 1e-6);
  EXPECT_EQ(card_.recorded, 1) << "three images are not a small batch here";
}

TEST_F(DeviceNetworkTest, OnlySoManyRecordingsAreKept) {
  ASSERT_NO_FATAL_FAILURE(Read("dtop_tiny"));
  DeviceNetwork device = MakeDevice({.type = torch::kFloat, .recorded_after = 1, .most_recordings = 2});
  for (int round = 0; round < 3; ++round) {
    for (const int height : {64, 80, 96}) {
      const std::vector<PreparedImage> images = Images(1, height, 64);
      ExpectSame(*(*device.Start(Pointers(images)))->Finish(), Reference(images), 1e-6);
      EXPECT_LE(device.recordings(), 2u);
    }
  }
  EXPECT_EQ(device.recordings(), 2u);
}

TEST_F(DeviceNetworkTest, WhatCannotBeRecordedIsTriedOnceAndComputed) {
  ASSERT_NO_FATAL_FAILURE(Read("dtop_tiny"));
  card_.can_record = false;
  DeviceNetwork device = MakeDevice({.type = torch::kFloat, .recorded_after = 1});
  const std::vector<PreparedImage> images = Images(1);
  for (int i = 0; i < 4; ++i) ExpectSame(*(*device.Start(Pointers(images)))->Finish(), Reference(images), 1e-6);
  EXPECT_EQ(card_.recorded, 1);
}

TEST_F(DeviceNetworkTest, ABatchWithoutMemoryIsCut) {
  ASSERT_NO_FATAL_FAILURE(Read("dtop_tiny"));
  DeviceNetwork device = MakeDevice({.type = torch::kFloat});
  const std::vector<PreparedImage> images = Images(7);
  card_.most_images = 2;
  const auto batch = device.Start(Pointers(images));
  ASSERT_TRUE(batch.ok()) << batch.status();
  ExpectSame(*(*batch)->Finish(), Reference(images), 1e-6);
  EXPECT_THAT(card_.batches, ::testing::ElementsAre(7, 7, 4, 2, 2, 2, 1));
  EXPECT_GT(card_.freed, 0);
}

TEST_F(DeviceNetworkTest, AnImageWithoutMemoryIsRefusedAndTheNextOneServed) {
  ASSERT_NO_FATAL_FAILURE(Read("dtop_tiny"));
  DeviceNetwork device = MakeDevice({.type = torch::kFloat});
  const std::vector<PreparedImage> images = Images(3);
  card_.most_images = 0;
  const auto refused = device.Start(Pointers(images));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.status().message()), ::testing::HasSubstr("one image of 96 x 64 pixels"));
  card_.most_images = 3;
  // A place that was not given back would show in the third of these.
  for (int i = 0; i < 3; ++i) ExpectSame(*(*device.Start(Pointers(images)))->Finish(), Reference(images), 1e-6);
}

TEST_F(DeviceNetworkTest, AFailureIsNamedWithoutItsStackTrace) {
  ASSERT_NO_FATAL_FAILURE(Read("dtop_tiny"));
  DeviceNetwork device = MakeDevice({.type = torch::kFloat});
  card_.fails = true;
  const auto failed = device.Start(Pointers(Images(1)));
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(failed.status().message()),
              ::testing::AllOf(::testing::HasSubstr("the card fell off the bus"),
                               ::testing::Not(::testing::HasSubstr("stack trace"))));
}

TEST(DeviceTest, NamesAreParsedAndOthersRefused) {
  EXPECT_EQ(*ParseDevice("cpu"), Device{});
  EXPECT_EQ(ParseDevice("cuda")->Name(), "cuda:0");
  EXPECT_EQ(ParseDevice("cuda:3")->Name(), "cuda:3");
  for (const char* text : {"", "gpu", "cuda:", "cuda:-1", "cuda:64", "cuda:1x", "cuda:99999999999", "cpu:0", "CUDA:0",
                           "cuda:0:1", " cpu", "auto"}) {
    EXPECT_EQ(ParseDevice(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(ParseDevices("cuda:1,cuda:0")->size(), 2u);
  for (const char* text : {"cuda:0,cuda:0", "cuda,cuda:0", "cpu,cuda:0", "cpu,cpu", "cuda:0,", ",", ""}) {
    EXPECT_EQ(ParseDevices(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
  EXPECT_EQ(ParseDevices("auto")->front().cuda, CardCount() > 0);
  EXPECT_TRUE(CheckDevice({}).ok());
  const absl::Status missing = CheckDevice({.cuda = true, .index = 63});
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(missing.message()), ::testing::HasSubstr("cuda:63 is not there"));
}

}  // namespace
}  // namespace sightline::model
