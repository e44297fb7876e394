// From the bytes of an image to an answer, with models that have no network.
#include "server/embedder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "tests/server/model_hub_fixture.h"

namespace sightline::server {
namespace {

using ::testing::HasSubstr;

using EmbedderTest = NumberedModels;

TEST_F(EmbedderTest, RefusesBeforeDecodingWhatTheModelHasNoPlaceFor) {
  limits_.max_batch = 1;
  limits_.max_queue_delay = absl::ZeroDuration();
  pause_ = absl::Milliseconds(20);
  Make();
  const ModelPtr model = *hub_->Load("a");
  ASSERT_TRUE(Embed(model).get().ok()) << "which teaches it the pace";
  last_->Hold();
  std::vector<std::future<absl::StatusOr<EmbedResult>>> accepted;
  accepted.push_back(Embed(model));
  last_->WaitForBatches(2);
  accepted.push_back(Embed(model));
  // The place is taken at once, wherever that image is by now.
  auto refused = Embed(model);
  ASSERT_EQ(refused.wait_for(std::chrono::seconds(0)), std::future_status::ready) << "on the caller's own thread";
  const absl::Status status = refused.get().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Reason(status), "MODEL_QUEUE_FULL");
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_rejected_total{reason="model_queue"} 1)"));
  last_->Release();
  for (auto& one : accepted) EXPECT_TRUE(one.get().ok());
  EXPECT_TRUE(Embed(model).get().ok());
}

TEST_F(EmbedderTest, AnImageThatCannotBeDecodedGivesItsPlaceBack) {
  limits_.max_queue = 1;
  Make();
  const ModelPtr model = *hub_->Load("a");
  const std::string good = image_;
  // A header that promises what does not follow.
  image_ = good.substr(0, good.size() / 2);
  for (int i = 0; i < 5; ++i) {
    const absl::Status status = Embed(model).get().status();
    EXPECT_NE(status.code(), absl::StatusCode::kResourceExhausted) << status;
  }
  image_ = good;
  EXPECT_TRUE(Embed(model).get().ok());
}

// A decoder that notes how much memory was taken for the image.
class NotingDecoder final : public image::Decoder {
 public:
  explicit NotingDecoder(bool limits_memory) : limits_memory_(limits_memory) {}
  absl::StatusOr<image::Image> Decode(absl::string_view, const image::Limits&, const image::DecodeOptions&) override {
    taken_ = embedder_->decode_memory();
    return image::Image{8, 8, std::vector<uint8_t>(8 * 8 * 3), 8, 8};
  }
  bool limits_memory() const override { return limits_memory_; }
  image::DecoderRestarts restarts() const override { return {}; }
  void OnRestart(std::function<void(absl::string_view)>) override {}

  void SetEmbedder(const Embedder* embedder) { embedder_ = embedder; }
  int64_t taken() const { return taken_; }

 private:
  const bool limits_memory_;
  const Embedder* embedder_ = nullptr;
  int64_t taken_ = 0;
};

// The first bytes of a lossless WebP of 1000 x 1000 pixels.
std::string LosslessHeader() {
  const uint32_t bits = 999 | 999 << 14;
  std::string chunk = "VP8L";
  for (const uint32_t value : {uint32_t{5}}) {
    for (int i = 0; i < 4; ++i) chunk.push_back(static_cast<char>(value >> 8 * i));
  }
  chunk.push_back(0x2F);
  for (int i = 0; i < 4; ++i) chunk.push_back(static_cast<char>(bits >> 8 * i));
  chunk.push_back(0);  // to an even size
  std::string file = "RIFF";
  for (int i = 0; i < 4; ++i) file.push_back(static_cast<char>((4 + chunk.size()) >> 8 * i));
  return file + "WEBP" + chunk;
}

TEST_F(EmbedderTest, AnImageThatNothingLimitsIsDecodedAlone) {
  for (const bool limits_memory : {true, false}) {
    NotingDecoder decoder(limits_memory);
    Make(WarmUp::kNone, absl::ZeroDuration(), &decoder);
    decoder.SetEmbedder(embedder_.get());
    ASSERT_TRUE(hub_->Load("a").ok());
    const auto photograph = Embed(*hub_->Find("a")).get();
    ASSERT_TRUE(photograph.ok()) << photograph.status();
    EXPECT_LT(decoder.taken(), int64_t{10} << 20);
    std::string jpeg = LosslessHeader();
    image_.swap(jpeg);
    const auto lossless = Embed(*hub_->Find("a")).get();
    image_.swap(jpeg);
    ASSERT_TRUE(lossless.ok()) << lossless.status();
    // Tables of 18 KiB for each of 62,500 blocks are more than there is.
    if (limits_memory) {
      EXPECT_LT(decoder.taken(), int64_t{100} << 20);
    } else {
      EXPECT_EQ(decoder.taken(), limits_.decode_memory_bytes);
    }
    hub_.reset();
    embedder_.reset();
  }
}

}  // namespace
}  // namespace sightline::server
