// Images over the real server with a real model, untrained: what goes well, and images and crop boxes that must be
// refused, through every RPC that takes an image.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/sha256.h"
#include "base/status.h"
#include "client/cpp/client.h"
#include "model/image/encode.h"
#include "tests/e2e/picture.h"
#include "tests/e2e/rpc.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_folder.h"

namespace sightline::testing {
namespace {

using client::Client;
using client::Query;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

class ImageTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempFolder>();
    auto server =
        ServerProcess::Start({.folder = folder_->path(),
                              .flags = {"--models=dtop_seeded", "--allow_untrained", "--model_root=" SIGHTLINE_MODEL_ROOT,
                                        "--max_image_bytes=1000000", "--max_pixels=1000000", "--max_image_side=2000"}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    client_ = *Client::Connect({.address = server_->address()});
    v1::CreateCollectionRequest create;
    create.set_name("pictures");
    create.mutable_settings()->set_keep_image(v1::CollectionSettings::KEEP_IMAGE_ORIGINAL);
    const auto collection = client_->CreateCollection(create);
    ASSERT_TRUE(collection.ok()) << collection.status();
    EXPECT_EQ(collection->model(), "dtop_seeded");
    for (unsigned i = 1; i <= 3; ++i) {
      const auto written = client_->Index(Write(absl::StrCat("p", i), NoisePicture(i)));
      ASSERT_TRUE(written.ok()) << written.status();
      EXPECT_TRUE(written->model().untrained());
    }
  }

  static void TearDownTestSuite() {
    client_.reset();
    if (server_ != nullptr) {
      EXPECT_EQ(server_->Terminate(), 0) << server_->Log();
    }
    server_.reset();
    folder_.reset();
  }

  static v1::IndexRequest Write(const std::string& id, const std::string& image) {
    v1::IndexRequest request;
    request.set_collection("pictures");
    request.mutable_item()->set_id(id);
    request.mutable_item()->set_image(image);
    return request;
  }

  static v1::CropBox Box(double x0, double y0, double x1, double y1, v1::CropBox::Unit unit) {
    v1::CropBox box;
    box.set_x0(x0);
    box.set_y0(y0);
    box.set_x1(x1);
    box.set_y1(y1);
    box.set_unit(unit);
    return box;
  }

  static void ExpectRefusal(const absl::Status& status, const std::string& reason) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(base::GetErrorInfo(status).reason, reason) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), ". ") && absl::EndsWith(status.message(), ".")) << status;
    EXPECT_TRUE(server_->Running()) << server_->Log();
  }

  inline static std::unique_ptr<TempFolder> folder_;
  inline static std::unique_ptr<ServerProcess> server_;
  inline static std::unique_ptr<Client> client_;
};

TEST_F(ImageTest, AnIndexedImageFindsItself) {
  for (unsigned i = 1; i <= 3; ++i) {
    const auto answer = client_->Search({.collection = "pictures", .query = Query::Image(NoisePicture(i)), .top_k = 3});
    ASSERT_TRUE(answer.ok()) << answer.status();
    ASSERT_EQ(answer->results_size(), 3);
    EXPECT_EQ(answer->results(0).id(), absl::StrCat("p", i));
    EXPECT_NEAR(answer->results(0).score(), 1, 1e-4);
    EXPECT_TRUE(answer->stats().model().untrained());
  }
}

TEST_F(ImageTest, WhatIsStoredIsWhatWasSent) {
  v1::GetImageRequest get;
  get.set_collection("pictures");
  get.set_id("p1");
  get.set_view(v1::IMAGE_VIEW_ORIGINAL);
  const auto image = client_->GetImage(get);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->image(), NoisePicture(1));
  EXPECT_EQ(image->image_mime_type(), "image/jpeg");
  EXPECT_EQ(image->sha256(), base::Sha256Hex(NoisePicture(1)));
  EXPECT_EQ(image->width(), 96);
  EXPECT_EQ(image->height(), 64);
}

TEST_F(ImageTest, EmbedAndItsDescriptorSearchAlike) {
  v1::EmbedRequest request;
  request.set_image(NoisePicture(2));
  request.set_return_tokens(true);
  const auto embedded = client_->Embed(request);
  ASSERT_TRUE(embedded.ok()) << embedded.status();
  EXPECT_EQ(embedded->width(), 96);
  const auto& tokens = embedded->tokens();
  ASSERT_GT(tokens.height() * tokens.width(), 0);
  EXPECT_EQ(tokens.values().size(), static_cast<size_t>(tokens.height() * tokens.width() * tokens.dim()));
  const auto& vector = embedded->global_descriptor();
  const auto answer = client_->Search(
      {.collection = "pictures",
       .query = Query::Descriptor({vector.values().begin(), vector.values().end()}, vector.embedding_space()),
       .top_k = 1});
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->results(0).id(), "p2");
  EXPECT_NEAR(answer->results(0).score(), 1, 1e-4);
}

TEST_F(ImageTest, ACropOfAllIsTheImageAndAnotherIsNot) {
  auto query = Query::Image(NoisePicture(3));
  const auto whole = client_->Search({.collection = "pictures", .query = query.Crop(0, 0, 1, 1), .top_k = 1});
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_NEAR(whole->results(0).score(), 1, 1e-4);
  const auto part = client_->Search({.collection = "pictures",
                                     .query = Query::Image(NoisePicture(3)).Crop(0, 0, 30, 20, v1::CropBox::UNIT_PIXEL),
                                     .top_k = 1});
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_LT(part->results(0).score(), 0.9999);
}

TEST_F(ImageTest, RefusesWhatIsNoImage) {
  std::mt19937 random(7);
  std::string noise(5000, '\0');
  for (char& byte : noise) byte = static_cast<char>(random());
  const std::string good = NoisePicture(1);
  std::string cut_header = good.substr(0, 12);
  const std::vector<std::pair<std::string, std::string>> images = {
      {"", "IMAGE_EMPTY"},
      {"x", "IMAGE_TYPE_UNKNOWN"},
      {noise, "IMAGE_TYPE_UNKNOWN"},
      {"GIF89a" + noise, "IMAGE_TYPE_UNKNOWN"},
      {good.substr(0, good.size() / 2), "IMAGE_TRUNCATED"},
      {cut_header, "IMAGE_TRUNCATED"},
      {good + std::string(1'000'001, '\0'), "IMAGE_TOO_LARGE"},
      {NoisePicture(1, 1200, 1000), "IMAGE_TOO_MANY_PIXELS"},
      {NoisePicture(1, 2001, 8), "IMAGE_SIDE_TOO_LONG"},
  };
  for (const auto& [image, reason] : images) {
    SCOPED_TRACE(absl::StrCat(reason, ", ", image.size(), " bytes"));
    ExpectRefusal(client_->Index(Write("refused", image)).status(), reason);
    ExpectRefusal(client_->Search({.collection = "pictures", .query = Query::Image(image)}).status(), reason);
    v1::EmbedRequest embed;
    embed.set_image(image);
    ExpectRefusal(client_->Embed(embed).status(), reason);
  }
  EXPECT_EQ(client_->GetCollection("pictures")->stats().images(), 3);
}

TEST_F(ImageTest, RefusesBoxesThatAreNoBoxes) {
  const auto fraction = v1::CropBox::UNIT_FRACTION;
  const auto pixel = v1::CropBox::UNIT_PIXEL;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const v1::CropBox& box :
       {Box(kNan, 0, 1, 1, fraction), Box(0, 0, kInfinity, 1, fraction), Box(0, 0, 0, 0, fraction),
        Box(0.6, 0, 0.4, 1, fraction), Box(0, 0.5, 1, 0.5, fraction), Box(2, 2, 3, 3, fraction),
        Box(-3, -3, -2, -2, fraction), Box(96, 0, 200, 64, pixel), Box(1e300, 0, 1e301, 1, pixel)}) {
    SCOPED_TRACE(box.ShortDebugString());
    auto write = Write("refused", NoisePicture(1));
    *write.mutable_item()->mutable_crop() = box;
    ExpectRefusal(client_->Index(write).status(), "CROP_BOX_INVALID");
    v1::SearchRequest search;
    search.set_collection("pictures");
    search.mutable_query()->add_parts()->set_image(NoisePicture(1));
    *search.mutable_query()->mutable_parts(0)->add_crops() = box;
    ExpectRefusal(client_->Search(search).status(), "CROP_BOX_INVALID");
    v1::EmbedRequest embed;
    embed.set_image(NoisePicture(1));
    *embed.mutable_crop() = box;
    ExpectRefusal(client_->Embed(embed).status(), "CROP_BOX_INVALID");
  }
  v1::SearchRequest many;
  many.set_collection("pictures");
  many.mutable_query()->add_parts()->set_image(NoisePicture(1));
  for (int i = 0; i < 9; ++i) *many.mutable_query()->mutable_parts(0)->add_crops() = Box(0, 0, 1, 1, fraction);
  ExpectRefusal(client_->Search(many).status(), "VALUE_OUT_OF_RANGE");
  auto both = Write("refused", NoisePicture(1));
  both.mutable_item()->mutable_tokens()->set_height(1);
  ExpectRefusal(client_->Index(both).status(), "TOKENS_WITH_IMAGE");
}

}  // namespace
}  // namespace sightline::testing
