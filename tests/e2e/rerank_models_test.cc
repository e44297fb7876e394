// Re-ranking and evidence of images, with real models: the model's default, crops, and tokens that may not be compared.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "tests/e2e/models_fixture.h"

namespace sightline::testing {
namespace {

using client::Query;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RerankModelsTest : public ModelsFixture {
 protected:
  v1::EmbedResponse Embed(unsigned picture) {
    v1::EmbedRequest request;
    request.set_image(NoisePicture(picture));
    request.set_return_tokens(true);
    const auto embedded = client_->Embed(request);
    EXPECT_TRUE(embedded.ok()) << embedded.status();
    return embedded.value_or(v1::EmbedResponse());
  }

  void WriteVector(const std::string& collection, const std::string& id, const v1::EmbeddingVector& descriptor,
                   const v1::PatchTokens& tokens) {
    v1::IndexRequest request;
    request.set_collection(collection);
    request.mutable_item()->set_id(id);
    *request.mutable_item()->mutable_global_descriptor() = descriptor;
    *request.mutable_item()->mutable_tokens() = tokens;
    const auto written = client_->Index(request);
    ASSERT_TRUE(written.ok()) << written.status();
  }

  absl::StatusOr<v1::SearchResponse> Search(const std::string& collection, const Query& query,
                                            v1::RerankOptions::Method method = v1::RerankOptions::METHOD_UNSPECIFIED,
                                            bool explain = false) {
    client::SearchOptions options;
    options.collection = collection;
    options.query = query;
    options.rerank.set_method(method);
    options.explain.set_enabled(explain);
    options.explain.set_correspondences(50);
    options.explain.set_heat_maps(explain);
    return client_->Search(options);
  }

  // Changes model.json of "a" and loads it again.
  void Change(const std::vector<std::pair<std::string, std::string>>& replacements) {
    const std::string path = absl::StrCat(models_, "/a/model.json");
    const std::string text = *base::ReadFile(path, 1 << 20);
    std::string changed = text;
    for (const auto& [from, to] : replacements) {
      ASSERT_EQ(absl::StrReplaceAll({{from, to}}, &changed), 1) << from;
    }
    ASSERT_TRUE(base::WriteFileDurably(path, changed).ok());
    const auto loaded = client_->LoadModel("a");
    ASSERT_TRUE(loaded.ok()) << loaded.status();
  }

  void RerankByDefault() {
    Change({{R"("backbone": {)", R"("rerank": {"method": "optimal_transport"}, "backbone": {)"}});
  }

  static void ExpectWithin(const v1::CropBox& box, double x0, double y0, double x1, double y1) {
    EXPECT_GE(box.x0(), x0 - 1e-9);
    EXPECT_GE(box.y0(), y0 - 1e-9);
    EXPECT_LE(box.x1(), x1 + 1e-9);
    EXPECT_LE(box.y1(), y1 + 1e-9);
    EXPECT_LT(box.x0(), box.x1());
    EXPECT_LT(box.y0(), box.y1());
  }

  static constexpr auto kTransport = v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT;
};

TEST_F(RerankModelsTest, APictureIsRerankedAsItsModelSays) {
  Start("a");
  Create("shop", "a");
  const auto model = client_->GetModel("a");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->rerank().method(), v1::RerankOptions::METHOD_OFF) << "nobody has trained it";
  RerankByDefault();
  EXPECT_EQ(client_->GetModel("a")->rerank().method(), kTransport);

  // "near" has the picture's descriptor and another picture's patches; "same" has its patches and lies a little off.
  const v1::EmbedResponse picture = Embed(1);
  v1::EmbeddingVector off = picture.global_descriptor();
  off.set_values(0, off.values(0) + 0.01f);
  WriteVector("shop", "near", picture.global_descriptor(), Embed(2).tokens());
  WriteVector("shop", "same", off, picture.tokens());
  const auto plain = Search("shop", Query::Image(NoisePicture(1)), v1::RerankOptions::METHOD_OFF);
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_EQ(plain->results_size(), 2);
  EXPECT_EQ(plain->results(0).id(), "near");
  EXPECT_EQ(plain->stats().rerank_requested(), 0);

  for (const auto method : {v1::RerankOptions::METHOD_UNSPECIFIED, kTransport}) {
    const auto reranked = Search("shop", Query::Image(NoisePicture(1)), method);
    ASSERT_TRUE(reranked.ok()) << reranked.status();
    EXPECT_EQ(reranked->results(0).id(), "same");
    EXPECT_EQ(reranked->results(0).rank_before_rerank(), 2);
    EXPECT_LT(reranked->results(0).score(), reranked->results(1).score());
    EXPECT_GT(reranked->results(0).rerank_score(), reranked->results(1).rerank_score());
    EXPECT_EQ(reranked->stats().rerank_completed(), 2);
    EXPECT_FALSE(reranked->stats().degraded());
  }
  // A descriptor brings no patches: what nobody asked for is left out without a word, what was asked for is refused.
  const std::vector<float> values(off.values().begin(), off.values().end());
  const auto silent = Search("shop", Query::Descriptor(values, off.embedding_space()));
  ASSERT_TRUE(silent.ok()) << silent.status();
  EXPECT_EQ(silent->stats().rerank_requested(), 0);
  EXPECT_FALSE(silent->stats().degraded());
  EXPECT_EQ(Reason(Search("shop", Query::Descriptor(values, off.embedding_space()), kTransport).status()),
            "QUERY_HAS_NO_TOKENS");
  const auto with_tokens =
      Search("shop", Query::Descriptor(values, off.embedding_space()).Tokens(picture.tokens()), kTransport);
  ASSERT_TRUE(with_tokens.ok()) << with_tokens.status();
  EXPECT_EQ(with_tokens->results(0).id(), "same");
}

TEST_F(RerankModelsTest, EvidenceLiesWhereTheCropsAre) {
  Start("a");
  Create("shop", "a");
  Write("shop", "whole", 1);
  v1::IndexRequest cropped = NewWrite("shop", "cropped", 1);
  cropped.mutable_item()->mutable_crop()->set_x0(48);
  cropped.mutable_item()->mutable_crop()->set_y0(16);
  cropped.mutable_item()->mutable_crop()->set_x1(96);
  cropped.mutable_item()->mutable_crop()->set_y1(64);
  cropped.mutable_item()->mutable_crop()->set_unit(v1::CropBox::UNIT_PIXEL);
  ASSERT_TRUE(client_->Index(cropped).ok());

  const auto answer = Search("shop", Query::Image(NoisePicture(1)).Crop(0, 0, 0.25, 1).Crop(0.5, 0.25, 1, 1),
                             v1::RerankOptions::METHOD_UNSPECIFIED, /*explain=*/true);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->results_size(), 2);
  for (const v1::SearchResult& result : answer->results()) {
    const v1::Evidence& evidence = result.evidence();
    ASSERT_GT(evidence.correspondences_size(), 0);
    EXPECT_EQ(evidence.query_part(), 0);
    for (const v1::Correspondence& pair : evidence.correspondences()) {
      if (evidence.query_crop() == 0) ExpectWithin(pair.query_box(), 0, 0, 0.25, 1);
      if (evidence.query_crop() == 1) ExpectWithin(pair.query_box(), 0.5, 0.25, 1, 1);
      if (result.id() == "cropped") ExpectWithin(pair.result_box(), 0.5, 0.25, 1, 1);
      if (result.id() == "whole") ExpectWithin(pair.result_box(), 0, 0, 1, 1);
    }
    double sum = 0;
    for (const float value : evidence.query_heat_map().values()) sum += value;
    EXPECT_NEAR(sum, evidence.mass(), 1e-4);
    EXPECT_EQ(evidence.result_heat_map().values_size(),
              evidence.result_heat_map().height() * evidence.result_heat_map().width());
    // The crop that was indexed is the query's second.
    if (result.id() == "cropped") {
      EXPECT_EQ(evidence.query_crop(), 1);
    }
  }
}

TEST_F(RerankModelsTest, ExplainsImagesAndIdsInEveryMixture) {
  Start("a");
  Create("shop", "a");
  Write("shop", "one", 1);
  const Query image = Query::Image(NoisePicture(1));
  const Query other = Query::Image(NoisePicture(2));
  for (const auto& [collection, query, result] :
       std::vector<std::tuple<std::string, Query, Query>>{{"", image, image},
                                                          {"shop", image, image},
                                                          {"shop", Query::Id("one"), image},
                                                          {"shop", image, Query::Id("one")},
                                                          {"shop", Query::Id("one"), Query::Id("one")}}) {
    const auto same = client_->Explain({.collection = collection, .query = query, .result = result});
    ASSERT_TRUE(same.ok()) << same.status();
    EXPECT_NEAR(same->evidence().score(), 1, 1e-4);
    EXPECT_EQ(same->evidence().correspondences_size(), 10);
    EXPECT_FALSE(same->evidence().has_query_heat_map());
    EXPECT_EQ(same->model().model(), "a");
    EXPECT_TRUE(same->model().untrained());
  }
  const auto same = client_->Explain({.query = image, .result = image});
  const auto different = client_->Explain({.query = image, .result = other});
  ASSERT_TRUE(same.ok() && different.ok()) << different.status();
  EXPECT_GT(same->evidence().structural_score(), different->evidence().structural_score());
  EXPECT_GT(same->evidence().score(), different->evidence().score());

  // A crop of the upper left quarter is explained there.
  client::MatchOptions match{.query = Query::Image(NoisePicture(1)).Crop(0, 0, 0.5, 0.5), .result = image};
  const auto quarter = client_->Explain(match);
  ASSERT_TRUE(quarter.ok()) << quarter.status();
  for (const v1::Correspondence& pair : quarter->evidence().correspondences()) {
    ExpectWithin(pair.query_box(), 0, 0, 0.5, 0.5);
  }
  match.query = Query::Descriptor({1, 0}, "space");
  EXPECT_EQ(Reason(client_->Explain(match).status()), "EXPLAIN_IMAGE_INVALID");
  match.query = Query::Image("no image");
  EXPECT_EQ(client_->Explain(match).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(RerankModelsTest, ACentreCropIsExplainedInTheMiddle) {
  Start("a");
  Change({{R"("image_size": 224,)", R"("mode": "centre_crop", "short_side": 256, "image_size": 224,)"},
          {R"("aspect_ratios": [0.5, 0.5625, 0.6667, 0.75, 0.8, 1, 1.25, 1.3333, 1.5, 1.7778, 2])",
           R"("aspect_ratios": [])"}});
  const Query image = Query::Image(NoisePicture(1, /*width=*/120, /*height=*/60));
  client::MatchOptions match{.query = image, .result = image};
  match.options.set_correspondences(200);
  const auto answer = client_->Explain(match);
  ASSERT_TRUE(answer.ok()) << answer.status();
  // 224 of 256 of the short side, and as many pixels of the long one.
  const double short_half = 0.5 * 224 / 256, long_half = short_half / 2, pixel = 1.0 / 256;
  double least = 1, most = 0;
  for (const v1::Correspondence& pair : answer->evidence().correspondences()) {
    ExpectWithin(pair.query_box(), 0.5 - long_half - pixel, 0.5 - short_half - pixel, 0.5 + long_half + pixel,
                 0.5 + short_half + pixel);
    least = std::min(least, pair.query_box().x0());
    most = std::max(most, pair.query_box().x1());
  }
  EXPECT_NEAR(least, 0.5 - long_half, 0.1);
  EXPECT_NEAR(most, 0.5 + long_half, 0.1);
}

TEST_F(RerankModelsTest, TokensOfAnotherSpaceAreNeverCompared) {
  Start("a");
  RerankByDefault();
  Create("shop", "a");
  for (unsigned i = 1; i <= 3; ++i) Write("shop", absl::StrCat("p", i), i);
  ASSERT_EQ(Search("shop", Query::Image(NoisePicture(1)))->stats().rerank_completed(), 3);
  Change({{R"("dim": 64,)", R"("dim": 32,)"}});

  const auto answer = Search("shop", Query::Image(NoisePicture(1)));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->results(0).id(), "p1");
  EXPECT_FALSE(answer->results(0).has_structural_score());
  EXPECT_EQ(answer->stats().rerank_requested(), 0);
  EXPECT_TRUE(answer->stats().degraded());
  EXPECT_THAT(answer->stats().degraded_reasons(), ElementsAre(HasSubstr("token space")));
  EXPECT_EQ(Reason(Search("shop", Query::Image(NoisePicture(1)), kTransport).status()), "TOKEN_SPACE_MISMATCH");
  EXPECT_EQ(
      Reason(client_->Explain({.collection = "shop", .query = Query::Image(NoisePicture(1)), .result = Query::Id("p1")})
                 .status()),
      "TOKEN_SPACE_MISMATCH");
  // Stored patches are still of one space.
  const auto stored = Search("shop", Query::Id("p1"), kTransport, /*explain=*/true);
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->stats().rerank_completed(), 3);
  EXPECT_TRUE(stored->results(0).has_evidence());
  EXPECT_TRUE(client_->Explain({.collection = "shop", .query = Query::Id("p1"), .result = Query::Id("p2")}).ok());
}

TEST_F(RerankModelsTest, ACollectionWithoutTokensOrModel) {
  Start("a");
  v1::CreateCollectionRequest create;
  create.set_name("bare");
  create.mutable_settings()->set_drop_tokens(true);
  ASSERT_TRUE(client_->CreateCollection(create).ok());
  Create("shop", "a");
  for (unsigned i = 1; i <= 2; ++i) {
    Write("bare", absl::StrCat("p", i), i);
    Write("shop", absl::StrCat("p", i), i);
  }
  const auto bare = Search("bare", Query::Image(NoisePicture(1)));
  ASSERT_TRUE(bare.ok()) << bare.status();
  EXPECT_FALSE(bare->stats().degraded());
  EXPECT_EQ(bare->stats().rerank_requested(), 0);
  EXPECT_EQ(Reason(Search("bare", Query::Image(NoisePicture(1)), kTransport).status()), "COLLECTION_KEEPS_NO_TOKENS");
  EXPECT_EQ(
      Reason(client_->Explain({.collection = "bare", .query = Query::Id("p1"), .result = Query::Id("p2")}).status()),
      "NO_PATCH_TOKENS");
  const auto explained = Search("bare", Query::Image(NoisePicture(1)), v1::RerankOptions::METHOD_UNSPECIFIED, true);
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_THAT(explained->stats().degraded_reasons(), ElementsAre(HasSubstr("keeps no patch tokens")));

  // Without its model nobody knows its default; stored patches can be compared all the same, but not shown.
  ASSERT_TRUE(client_->UnloadModel("a").ok());
  const auto unloaded = Search("shop", Query::Id("p1"));
  ASSERT_TRUE(unloaded.ok()) << unloaded.status();
  EXPECT_EQ(unloaded->stats().rerank_requested(), 0);
  EXPECT_THAT(unloaded->stats().degraded_reasons(), IsEmpty());
  EXPECT_EQ(Search("shop", Query::Id("p1"), kTransport)->stats().rerank_completed(), 2);
  EXPECT_EQ(Reason(Search("shop", Query::Id("p1"), kTransport, /*explain=*/true).status()), "NO_MODEL_LOADED");
  EXPECT_EQ(Reason(client_->Explain({.query = Query::Image("x"), .result = Query::Image("y")}).status()),
            "NO_MODEL_LOADED");
}

}  // namespace
}  // namespace sightline::testing
