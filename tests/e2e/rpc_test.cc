// Every RPC that works without a model, used as meant, over the client library and the real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

using ::testing::HasSubstr;

class RpcTest : public ServerFixture {};

TEST_F(RpcTest, ServerTellsWhatItIs) {
  const auto info = client_->GetServerInfo();
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_FALSE(info->version().empty());
  EXPECT_FALSE(info->simd_level().empty());
  EXPECT_GT(info->start_time().seconds(), 0);
  EXPECT_EQ(info->models_size(), 0);
  const auto& limits = info->limits();
  EXPECT_GE(limits.max_message_bytes(), 2 * limits.max_image_bytes());
  EXPECT_EQ(limits.max_top_k(), 1000);
  EXPECT_EQ(limits.max_result_window(), 10'000);
  EXPECT_EQ(limits.request_id_retention().seconds(), 24 * 3600);
}

TEST_F(RpcTest, TheServerAndEachServiceSayThatTheyServe) {
  EXPECT_EQ(*client_->CheckHealth(), client::Health::kServing);
  for (const char* service : {"SearchService", "IndexService", "CollectionService", "ServerService"}) {
    EXPECT_EQ(*client_->CheckHealth(absl::StrCat("sightline.v1.", service)), client::Health::kServing) << service;
  }
}

TEST_F(RpcTest, CollectionsAreCreatedGotListedAndDeleted) {
  auto request = NewCollection("second", 8);
  request.mutable_settings()->set_description("for a test");
  const auto created = client_->CreateCollection(request);
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->name(), "second");
  EXPECT_EQ(created->descriptor_dim(), 8);
  EXPECT_EQ(created->embedding_space(), "space");
  EXPECT_EQ(created->settings().description(), "for a test");
  EXPECT_GT(created->create_time().seconds(), 0);
  EXPECT_EQ(client_->GetCollection("second")->SerializeAsString(), created->SerializeAsString());

  v1::ListCollectionsRequest page;
  page.set_page_size(1);
  const auto first = client_->ListCollections(page);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->collections_size(), 1);
  EXPECT_EQ(first->collections(0).name(), "second");
  page.set_page_token(first->next_page_token());
  EXPECT_EQ(client_->ListCollections(page)->collections(0).name(), "v");
  EXPECT_EQ(client_->ListAllCollections()->size(), 2u);

  EXPECT_EQ(*client_->DeleteCollection("second"), 0);
  EXPECT_EQ(client_->GetCollection("second").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RpcTest, SearchFindsTheNearestFirst) {
  auto request = NewSearch({0.8f, 0.6f, 0, 0});
  request.set_request_id("my search");
  const auto answer = client_->Search(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->results_size(), 2);
  EXPECT_EQ(answer->results(0).id(), "a");
  EXPECT_EQ(answer->results(0).rank(), 1);
  EXPECT_NEAR(answer->results(0).score(), 0.8, 1e-6);
  EXPECT_EQ(answer->results(1).id(), "b");
  EXPECT_NEAR(answer->results(1).score(), 0.6, 1e-6);
  EXPECT_EQ(answer->request_id(), "my search");
  EXPECT_EQ(answer->stats().images(), 2);
  EXPECT_EQ(answer->stats().index(), "exact");
  EXPECT_EQ(answer->stats().embedding_space(), "space");
  EXPECT_FALSE(answer->stats().degraded());
  EXPECT_GT(answer->stats().stages_size(), 0);
}

TEST_F(RpcTest, SearchTakesIdsWeightsOffsetsAndScores) {
  v1::SearchRequest request;
  request.set_collection("v");
  request.mutable_query()->add_parts()->set_id("a");
  auto& part = *request.mutable_query()->add_parts();
  part.set_id("b");
  part.set_weight(2);
  auto answer = client_->Search(request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->results(0).id(), "b");
  EXPECT_NEAR(answer->results(0).score(), 2 / std::sqrt(5.0), 1e-6);
  request.set_offset(1);
  answer = client_->Search(request);
  ASSERT_EQ(answer->results_size(), 1);
  EXPECT_EQ(answer->results(0).id(), "a");
  EXPECT_EQ(answer->results(0).rank(), 2);
  request.set_offset(0);
  request.set_min_score(0.5);
  EXPECT_EQ(client_->Search(request)->results_size(), 1);
  request.set_top_k(1);
  request.set_exact(true);
  EXPECT_EQ(client_->Search(request)->results_size(), 1);
}

TEST_F(RpcTest, AnImageIsWrittenReplacedReadAndDeleted) {
  auto request = NewImage("c", {0, 0, 3, 4});
  request.set_request_id("write c");
  (*request.mutable_item()->mutable_attributes())["brand"].set_string_value("acme");
  (*request.mutable_item()->mutable_attributes())["n"].set_int64_value(int64_t{1} << 60);
  request.mutable_item()->set_source_uri("file:///c.jpg");
  const auto written = client_->Index(request);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->id(), "c");
  EXPECT_EQ(written->revision(), 1);
  EXPECT_FALSE(written->replayed());
  const auto repeated = client_->Index(request);
  EXPECT_TRUE(repeated->replayed());
  EXPECT_EQ(repeated->revision(), 1);

  v1::GetImageRequest get;
  get.set_collection("v");
  get.set_id("c");
  get.set_view(v1::IMAGE_VIEW_VECTORS);
  const auto image = client_->GetImage(get);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->attributes().at("brand").string_value(), "acme");
  EXPECT_EQ(image->attributes().at("n").int64_value(), int64_t{1} << 60);
  EXPECT_EQ(image->source_uri(), "file:///c.jpg");
  EXPECT_NEAR(image->global_descriptor().values(2), 0.6, 1e-6) << "descriptors are normalised";
  EXPECT_NEAR(image->global_descriptor().values(3), 0.8, 1e-6);

  request.set_request_id("write c again");
  EXPECT_EQ(client_->Index(request)->revision(), 2);

  v1::UpdateAttributesRequest update;
  update.set_collection("v");
  update.set_id("c");
  (*update.mutable_set())["brand"].set_string_value("other");
  update.add_remove("n");
  const auto updated = client_->UpdateAttributes(update);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->attributes().at("brand").string_value(), "other");
  EXPECT_FALSE(updated->attributes().contains("n"));

  v1::DeleteImagesRequest remove;
  remove.set_collection("v");
  remove.add_ids("c");
  remove.add_ids("never there");
  const auto removed = client_->DeleteImages(remove);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(removed->deleted(), 1);
  EXPECT_EQ(removed->not_found(), 1);
  EXPECT_EQ(client_->GetImage(get).status().code(), absl::StatusCode::kNotFound);
  const auto answer = client_->Search(NewSearch({0, 0, 3, 4}));
  ASSERT_TRUE(answer.ok()) << answer.status();
  for (const auto& result : answer->results()) EXPECT_NE(result.id(), "c");
}

TEST_F(RpcTest, TheServerNamesAnImageWithoutId) {
  const auto first = client_->Index(NewImage("", {0, 0, 0, 1}));
  const auto second = client_->Index(NewImage("", {0, 0, 0, 1}));
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_FALSE(first->id().empty());
  EXPECT_NE(first->id(), second->id());
  v1::DeleteImagesRequest remove;
  remove.set_collection("v");
  remove.add_ids(first->id());
  remove.add_ids(second->id());
  EXPECT_EQ(client_->DeleteImages(remove)->deleted(), 2);
}

TEST_F(RpcTest, ListsPageByPage) {
  std::set<std::string> seen;
  v1::ListImagesRequest request;
  request.set_collection("v");
  request.set_page_size(1);
  do {
    const auto page = client_->ListImages(request);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_LE(page->images_size(), 1);
    for (const auto& image : page->images()) EXPECT_TRUE(seen.insert(image.id()).second);
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, (std::set<std::string>{"a", "b"}));
}

TEST_F(RpcTest, AStreamWritesManyAndTellsEachOutcome) {
  ASSERT_TRUE(client_->CreateCollection(NewCollection("many")).ok());
  int next = 0;
  const auto source = [&]() -> std::optional<v1::IndexRequest> {
    if (next == 300) return std::nullopt;
    auto request = NewImage(absl::StrCat("image ", next), {1, static_cast<float>(next), 0, 0});
    request.set_collection("many");
    // One in a hundred is broken; the others are written all the same.
    if (next % 100 == 50) request.mutable_item()->mutable_global_descriptor()->add_values(1);
    ++next;
    return request;
  };
  std::set<std::string> failed;
  const auto summary = client_->IndexMany(source, [&](const client::ItemOutcome& outcome) {
    if (!outcome.status.ok()) failed.insert(outcome.id);
  });
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->succeeded, 297);
  EXPECT_EQ(failed, (std::set<std::string>{"image 50", "image 150", "image 250"}));
  EXPECT_EQ(client_->GetCollection("many")->stats().images(), 297);
  EXPECT_EQ(*client_->DeleteCollection("many"), 297);
}

TEST_F(RpcTest, ASearchStreamAnswersEveryRequestById) {
  grpc::ClientContext context;
  Rpc::SetDeadline(context);
  const auto stream = rpc_->search->SearchStream(&context);
  for (int i = 0; i < 50; ++i) {
    v1::SearchStreamRequest message;
    *message.mutable_request() = NewSearch({1, static_cast<float>(i), 0, 0});
    message.mutable_request()->set_request_id(absl::StrCat(i));
    if (i == 7) message.mutable_request()->set_top_k(-1);
    ASSERT_TRUE(stream->Write(message));
  }
  stream->WritesDone();
  std::set<std::string> answered;
  for (v1::SearchStreamResponse reply; stream->Read(&reply);) {
    EXPECT_TRUE(answered.insert(reply.request_id()).second);
    const absl::Status status = client::FromRpcStatus(reply.status());
    EXPECT_EQ(status.ok(), reply.request_id() != "7") << status;
    if (status.ok()) {
      EXPECT_EQ(reply.response().request_id(), reply.request_id());
    }
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(answered.size(), 50u);
}

}  // namespace
}  // namespace sightline::testing
