// The memory that server and helper share: what one image leaves there.
#include "model/image/sandbox/helper_link.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/image/memory.h"
#include "tests/model/image/make_image.h"
#include "tests/model/image/make_jpeg.h"
#include "tests/model/image/make_png.h"

namespace sightline::image {
namespace {

bool IsZero(const uint8_t* bytes, size_t size) {
  return std::all_of(bytes, bytes + size, [](uint8_t byte) { return byte == 0; });
}

class HelperLinkTest : public ::testing::Test {
 protected:
  // Several times what is kept between images, of input and of pixels.
  static constexpr size_t kInput = size_t{32} << 20;
  static constexpr size_t kOutput = size_t{160} << 20;

  void SetUp() override {
    auto spawner = SpawnerLink::Start(SIGHTLINE_DECODER_PROGRAM);
    ASSERT_TRUE(spawner.ok()) << spawner.status();
    spawner_ = *std::move(spawner);
    helper_ = std::make_unique<HelperLink>(spawner_.get(), SharedLayout{kInput, kOutput, 40'000'000});
    const absl::Status started = helper_->Restart();
    ASSERT_TRUE(started.ok()) << started;
  }
  absl::Status Run(const std::string& encoded) {
    absl::Status status;
    std::optional<int> signal;
    EXPECT_EQ(helper_->Run(encoded, {.max_encoded_bytes = kInput}, 0, absl::Seconds(10), &status, &signal),
              HelperLink::End::kAnswered);
    return status;
  }
  const uint8_t* input() const { return helper_->pixels() - kInput; }

  std::unique_ptr<SpawnerLink> spawner_;
  std::unique_ptr<HelperLink> helper_;
};

TEST_F(HelperLinkTest, NothingOfAnImageIsLeftForTheNext) {
  const std::string small = MakePng(Noise(40, 30, 1));
  ASSERT_TRUE(Run(small).ok());
  EXPECT_FALSE(IsZero(input(), small.size()));
  EXPECT_FALSE(IsZero(helper_->pixels(), 40 * 30 * 3));
  helper_->Forget(small.size(), 40 * 30 * 3);
  EXPECT_TRUE(IsZero(input(), small.size()));
  EXPECT_TRUE(IsZero(helper_->pixels(), 40 * 30 * 3));
}

TEST_F(HelperLinkTest, NorOfWhatIsLargerThanWhatIsKept) {
  const int width = 4200;
  const int height = 4100;
  const size_t pixels = size_t{width} * height * 3;
  const std::string large = MakeJpeg({width, height, std::vector<uint8_t>(pixels, 100), width, height});
  ASSERT_TRUE(Run(large).ok());
  EXPECT_FALSE(IsZero(helper_->pixels() + pixels - 100, 100));
  helper_->Forget(large.size(), pixels);
  EXPECT_TRUE(IsZero(helper_->pixels(), pixels));

  const std::string no_image(kInput - 1, 'x');
  EXPECT_FALSE(Run(no_image).ok());
  helper_->Forget(no_image.size(), 0);
  EXPECT_TRUE(IsZero(input(), no_image.size()));
  // And it is of use as before.
  EXPECT_TRUE(Run(MakePng(Noise(9, 9, 3))).ok());
}

}  // namespace
}  // namespace sightline::image
