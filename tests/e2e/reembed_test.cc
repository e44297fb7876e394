// Embedding a collection again with another model, over the real server: under writes and searches, killed in the
// middle and at the swap, with images that keep no original, and back.
#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <thread>

#include "tests/e2e/models_fixture.h"

namespace sightline::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kPictures = 24;

class ReembedTest : public ModelsFixture {
 protected:
  static std::string IdOf(int i) { return absl::StrCat("p", i); }

  void Fill(const std::string& collection, int pictures = kPictures) {
    for (int i = 0; i < pictures; ++i) Write(collection, IdOf(i), static_cast<unsigned>(i));
  }

  static v1::ReembedCollectionRequest To(const std::string& model) {
    v1::ReembedCollectionRequest request;
    request.set_name("shop");
    request.set_model(model);
    return request;
  }

  // Follows the newest operation to its end.
  v1::Operation WaitForEnd() {
    for (int i = 0; i < 6000; ++i) {
      const auto listed = client_->ListOperations({});
      EXPECT_TRUE(listed.ok()) << listed.status();
      if (listed.ok() && listed->operations_size() > 0) {
        const v1::Operation& operation = listed->operations(0);
        if (operation.state() != v1::Operation::STATE_PENDING && operation.state() != v1::Operation::STATE_RUNNING) {
          return operation;
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "the operation does not end: " << server_->Log();
    return {};
  }
  v1::ReembedCollectionResult Reembed(const v1::ReembedCollectionRequest& request) {
    const auto started = client_->ReembedCollection(request);
    EXPECT_TRUE(started.ok()) << started.status();
    const v1::Operation ended = WaitForEnd();
    EXPECT_EQ(ended.state(), v1::Operation::STATE_SUCCEEDED) << ended.ShortDebugString() << server_->Log();
    v1::ReembedCollectionResult result;
    EXPECT_TRUE(ended.result().UnpackTo(&result));
    return result;
  }
  std::string ModelOf(const std::string& collection) { return client_->GetCollection(collection)->model(); }
};

TEST_F(ReembedTest, SwapsUnderWritesAndGoesBack) {
  Start();
  Create("shop", "a");
  Fill("shop");
  auto cropped = NewWrite("shop", "cropped", 7);
  cropped.mutable_item()->mutable_crop()->set_x1(0.5);
  cropped.mutable_item()->mutable_crop()->set_y1(0.5);
  ASSERT_TRUE(client_->Index(cropped).ok());
  const std::string space_a = client_->GetCollection("shop")->embedding_space();

  // Writes, changes, deletes and searches all the while; what was acknowledged must be there in the end.
  std::atomic<bool> stop = false;
  std::atomic<int> written = 0;
  std::atomic<int> searched = 0;
  std::thread writer([&] {
    const auto client = *client::Client::Connect({.address = server_->address()});
    for (int i = 0; !stop; ++i) {
      const auto indexed = client->Index(NewWrite("shop", absl::StrCat("w", i), static_cast<unsigned>(1000 + i)));
      EXPECT_TRUE(indexed.ok()) << indexed.status();
      if (!indexed.ok()) return;
      written = i + 1;
      v1::UpdateAttributesRequest update;
      update.set_collection("shop");
      update.set_id(IdOf(i % kPictures));
      (*update.mutable_set())["round"].set_int64_value(i);
      EXPECT_TRUE(client->UpdateAttributes(update).ok());
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
  });
  std::thread searcher([&] {
    const auto client = *client::Client::Connect({.address = server_->address()});
    while (!stop) {
      const auto answer = client->Search({.collection = "shop", .query = client::Query::Image(NoisePicture(3))});
      EXPECT_TRUE(answer.ok()) << answer.status();
      if (!answer.ok()) return;
      EXPECT_EQ(answer->results(0).id(), IdOf(3));
      ++searched;
    }
  });
  const v1::ReembedCollectionResult result = Reembed(To("b"));
  while (searched < 5) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  stop = true;
  writer.join();
  searcher.join();
  EXPECT_GE(result.embedded(), kPictures + 1);
  EXPECT_EQ(result.left_out(), 0);
  auto shop = *client_->GetCollection("shop");
  EXPECT_EQ(shop.model(), "b");
  EXPECT_NE(shop.embedding_space(), space_a);
  EXPECT_EQ(shop.stats().images(), kPictures + 1 + written);
  EXPECT_EQ(shop.other_space().state(), v1::OtherSpace::STATE_PREVIOUS);
  EXPECT_EQ(shop.other_space().embedding_space(), space_a);
  EXPECT_GT(shop.other_space().drop_time().seconds(), 0);
  for (int i = 0; i < kPictures; i += 7) ExpectFound("shop", IdOf(i), static_cast<unsigned>(i));
  ExpectFound("shop", absl::StrCat("w", written - 1), static_cast<unsigned>(1000 + written - 1));

  // The same image with its crop, embedded by the new model.
  v1::GetImageRequest get;
  get.set_collection("shop");
  get.set_id("cropped");
  get.set_view(v1::IMAGE_VIEW_VECTORS);
  const auto image = client_->GetImage(get);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->crop().x1(), 0.5);
  v1::EmbedRequest embed;
  embed.set_model("b");
  embed.set_image(NoisePicture(7));
  *embed.mutable_crop() = cropped.item().crop();
  const auto expected = client_->Embed(embed);
  ASSERT_TRUE(expected.ok()) << expected.status();
  double cosine = 0;
  for (int i = 0; i < expected->global_descriptor().values_size(); ++i) {
    cosine += static_cast<double>(expected->global_descriptor().values(i)) * image->global_descriptor().values(i);
  }
  EXPECT_NEAR(cosine, 1, 1e-4);

  // Nothing to do twice, and no third space beside two.
  EXPECT_EQ(Reason(client_->ReembedCollection(To("b")).status()), "ALREADY_EMBEDDED");
  AddModel("third", 3);
  ASSERT_TRUE(client_->LoadModel("third").ok());
  EXPECT_EQ(Reason(client_->ReembedCollection(To("third")).status()), "OTHER_SPACE_KEPT");

  // Back: only what was written since is embedded.
  Write("shop", "since", 5000);
  v1::ReembedCollectionRequest rollback;
  rollback.set_name("shop");
  rollback.set_rollback(true);
  const v1::ReembedCollectionResult back = Reembed(rollback);
  EXPECT_EQ(back.collection().embedding_space(), space_a);
  EXPECT_LE(back.embedded(), 2 + written);
  EXPECT_GE(back.embedded(), 1);
  EXPECT_EQ(client_->GetCollection("shop")->stats().images(), kPictures + 2 + written);
  ExpectFound("shop", "since", 5000);
  ExpectFound("shop", IdOf(11), 11);
  ASSERT_TRUE(client_->DropOtherSpace("shop").ok());
  EXPECT_FALSE(client_->GetCollection("shop")->has_other_space());
  EXPECT_EQ(Reason(client_->ReembedCollection(rollback).status()), "NO_PREVIOUS_SPACE");
}

TEST_F(ReembedTest, AKillAtAnyStepIsGoneOnFrom) {
  for (const char* point : {"reembed.chunk:2", "reembed.filled", "space.before_swap", "space.after_swap"}) {
    SCOPED_TRACE(point);
    std::filesystem::remove_all(folder_.path() + "/data");
    Start("a,b", {}, {"SIGHTLINE_ALLOW_KILL_POINTS=1", absl::StrCat("SIGHTLINE_KILL_POINT=", point)});
    Create("shop", "a");
    Fill("shop");
    // The server may die before it has answered.
    client_->ReembedCollection(To("b")).IgnoreError();
    EXPECT_EQ(server_->WaitForEnd(), -SIGKILL);
    Start();
    const v1::Operation ended = WaitForEnd();
    EXPECT_EQ(ended.kind(), "reembed");
    ASSERT_EQ(ended.state(), v1::Operation::STATE_SUCCEEDED) << ended.ShortDebugString();
    v1::ReembedCollectionResult result;
    ASSERT_TRUE(ended.result().UnpackTo(&result));
    if (std::string(point) != "reembed.chunk:2") {
      EXPECT_EQ(result.embedded(), 0) << "nothing is done twice";
    } else {
      EXPECT_LT(result.embedded(), kPictures);
    }
    EXPECT_EQ(ModelOf("shop"), "b");
    EXPECT_EQ(client_->ListAllCollections()->size(), 1u);
    EXPECT_EQ(client_->GetCollection("shop")->stats().images(), kPictures);
    for (int i = 0; i < kPictures; i += 9) ExpectFound("shop", IdOf(i), static_cast<unsigned>(i));
    EXPECT_EQ(server_->Terminate(), 0);
  }
}

TEST_F(ReembedTest, ImagesWithoutOriginalsAreSentAgainOrLeftOut) {
  Start();
  Create("shop", "a", v1::CollectionSettings::KEEP_IMAGE_PREVIEW);
  Fill("shop", 3);
  v1::UpdateAttributesRequest update;
  update.set_collection("shop");
  update.set_id(IdOf(1));
  (*update.mutable_set())["colour"].set_string_value("red");
  ASSERT_TRUE(client_->UpdateAttributes(update).ok());
  auto again = NewWrite("shop", IdOf(0), 0);
  again.set_model("b");
  EXPECT_EQ(Reason(client_->Index(again).status()), "NO_OTHER_SPACE");
  ASSERT_TRUE(client_->ReembedCollection(To("b")).ok());
  const v1::Operation blocked = WaitForEnd();
  EXPECT_EQ(blocked.state(), v1::Operation::STATE_FAILED);
  EXPECT_THAT(blocked.error().message(), HasSubstr("3 images"));
  auto shop = *client_->GetCollection("shop");
  EXPECT_EQ(shop.model(), "a") << "nothing was swapped";
  EXPECT_EQ(shop.other_space().state(), v1::OtherSpace::STATE_FILLING);

  // Only the very image, of an id that there is, for the model that it is about.
  auto other = NewWrite("shop", IdOf(0), 17);
  other.set_model("b");
  EXPECT_EQ(Reason(client_->Index(other).status()), "IMAGE_DIFFERS");
  other.mutable_item()->set_id("nobody");
  EXPECT_TRUE(absl::IsNotFound(client_->Index(other).status()));
  other.mutable_item()->clear_id();
  EXPECT_EQ(Reason(client_->Index(other).status()), "FIELD_MISSING");
  again.set_model("nobody");
  EXPECT_EQ(Reason(client_->Index(again).status()), "MODEL_MISMATCH");
  for (int i = 0; i < 2; ++i) {
    again = NewWrite("shop", IdOf(i), static_cast<unsigned>(i));
    again.set_model("b");
    const auto sent = client_->Index(again);
    ASSERT_TRUE(sent.ok()) << sent.status();
    EXPECT_EQ(sent->model().model(), "b");
  }
  EXPECT_EQ(client_->GetCollection("shop")->other_space().images(), 2);
  EXPECT_EQ(client_->GetCollection("shop")->stats().images(), 3);
  // Its attributes may change meanwhile.
  (*update.mutable_set())["colour"].set_string_value("blue");
  ASSERT_TRUE(client_->UpdateAttributes(update).ok());
  auto partial = To("b");
  partial.set_allow_partial(true);
  const v1::ReembedCollectionResult result = Reembed(partial);
  EXPECT_EQ(result.embedded(), 0);
  EXPECT_EQ(result.left_out(), 1);
  ASSERT_EQ(result.left_out_images_size(), 1);
  EXPECT_EQ(result.left_out_images(0).id(), IdOf(2));
  EXPECT_EQ(result.collection().stats().images(), 2);
  ExpectFound("shop", IdOf(1), 1);
  v1::GetImageRequest get;
  get.set_collection("shop");
  get.set_id(IdOf(1));
  EXPECT_EQ(client_->GetImage(get)->attributes().at("colour").string_value(), "blue");
  EXPECT_EQ(client_->GetImage(get)->revision(), 3);
}

TEST_F(ReembedTest, CancelledWorkIsGoneOnWith) {
  Start();
  Create("shop", "a");
  Fill("shop");
  const auto started = client_->ReembedCollection(To("b"));
  ASSERT_TRUE(started.ok()) << started.status();
  ASSERT_TRUE(client_->CancelOperation(started->name()).ok());
  const v1::Operation ended = WaitForEnd();
  if (ended.state() == v1::Operation::STATE_CANCELLED) {
    EXPECT_EQ(ModelOf("shop"), "a");
    Reembed(To("b"));
  }
  EXPECT_EQ(ModelOf("shop"), "b");
  EXPECT_EQ(client_->GetCollection("shop")->stats().images(), kPictures);
}

TEST_F(ReembedTest, RefusesWhatMakesNoSense) {
  Start();
  Create("shop", "a");
  using R = v1::ReembedCollectionRequest;
  const auto refused = [&](const std::string& reason, const std::function<void(R&)>& change) {
    R request = To("b");
    change(request);
    EXPECT_EQ(Reason(client_->ReembedCollection(request).status()), reason) << request.ShortDebugString();
  };
  refused("FIELD_MISSING", [](R& r) { r.clear_name(); });
  refused("FIELD_MISSING", [](R& r) { r.clear_model(); });
  refused("COLLECTION_NOT_FOUND", [](R& r) { r.set_name("../shop"); });
  refused("MODEL_NOT_LOADED", [](R& r) { r.set_model("../b"); });
  refused("MODEL_AND_ROLLBACK", [](R& r) { r.set_rollback(true); });
  refused("NO_PREVIOUS_SPACE", [](R& r) { r.set_rollback(true), r.clear_model(); });
  refused("VALUE_OUT_OF_RANGE", [](R& r) { r.set_keep_old_hours(-1); });
  refused("VALUE_OUT_OF_RANGE", [](R& r) { r.set_keep_old_hours(8761); });
  refused("MODEL_CHANGED", [](R& r) { r.set_embedding_space("another"); });
  refused("ALREADY_EMBEDDED", [](R& r) { r.set_model("a"); });
  EXPECT_EQ(Reason(client_->DropOtherSpace("shop")), "NO_OTHER_SPACE");
  EXPECT_EQ(Reason(client_->DropOtherSpace("")), "FIELD_MISSING");
  EXPECT_EQ(Reason(client_->DropOtherSpace("nowhere")), "COLLECTION_NOT_FOUND");
}

}  // namespace
}  // namespace sightline::testing
