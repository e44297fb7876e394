// Searches that are re-ranked and explained, over a fake collection: where the query's patches come from, what is
// refused, and what the reply says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/convert.h"
#include "tests/server/services_fixture.h"
#include "tests/support/random_tokens.h"

namespace sightline::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RandomTokens;

class SearchRerankTest : public ServicesTest {
 protected:
  SearchRerankTest() {
    collection_->SetTokenSpace("patches");
    collection_->outcome->hits = {{"a", 0.9, std::nullopt, 1},
                                  {"b", 0.8, std::nullopt, 2},
                                  {"c", 0.7, std::nullopt, 3},
                                  {"d", 0.6, std::nullopt, 4}};
    collection_->outcome->index = "exact";
    unsigned seed = 10;
    for (const char* id : {"a", "b", "c", "d"}) collection_->tokens[id] = RandomTokens(++seed, 4, 3);
    collection_->tokens["c"] = QueryPatches();
  }

  // What the query shows, and "c".
  static index::PatchTokens QueryPatches() { return RandomTokens(1, 4, 3); }

  static v1::SearchRequest NewRerank(const index::PatchTokens& tokens = QueryPatches()) {
    v1::SearchRequest request = NewSearch();
    ToProto(tokens, "patches", request.mutable_query()->mutable_parts(0)->mutable_tokens());
    request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
    return request;
  }

  static std::vector<std::string> Ids(const v1::SearchResponse& reply) {
    std::vector<std::string> ids;
    for (const v1::SearchResult& result : reply.results()) ids.push_back(result.id());
    return ids;
  }

  void ExpectRefused(const v1::SearchRequest& request, const std::string& reason, absl::StatusCode code) {
    v1::SearchResponse reply;
    const absl::Status status = Search(request, &reply);
    EXPECT_EQ(base::GetErrorInfo(status).reason, reason) << status;
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(". "));
  }
};

TEST_F(SearchRerankTest, PatchesOrderTheShortlist) {
  v1::SearchRequest request = NewRerank();
  request.mutable_rerank()->set_weight(2);
  v1::SearchResponse reply;
  bool here = true;
  const absl::Status status = Search(request, &reply, &here);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_FALSE(here);
  EXPECT_EQ(collection_->asked.top_k, 100);
  EXPECT_EQ(collection_->asked.offset, 0);
  ASSERT_EQ(reply.results_size(), 4);
  const v1::SearchResult& best = reply.results(0);
  EXPECT_EQ(best.id(), "c");
  EXPECT_EQ(best.rank(), 1);
  EXPECT_EQ(best.rank_before_rerank(), 3);
  EXPECT_EQ(best.score(), 0.7);
  EXPECT_NEAR(best.structural_score(), 1, 0.02);
  for (int i = 0; i < 4; ++i) {
    const v1::SearchResult& result = reply.results(i);
    EXPECT_DOUBLE_EQ(result.rerank_score(), result.score() + 2 * result.structural_score());
    EXPECT_EQ(result.rank(), i + 1);
    EXPECT_LE(result.rerank_score(), reply.results(std::max(0, i - 1)).rerank_score());
    EXPECT_FALSE(result.has_evidence());
  }
  EXPECT_EQ(reply.stats().rerank_requested(), 4);
  EXPECT_EQ(reply.stats().rerank_completed(), 4);
  EXPECT_FALSE(reply.stats().degraded());
  std::vector<std::string> stages;
  for (const v1::StageTime& stage : reply.stats().stages()) stages.push_back(stage.stage());
  EXPECT_THAT(stages, ElementsAre("search_queue", "search", "fetch_tokens", "rerank", "total"));
  EXPECT_THAT(metrics_.Text(), HasSubstr(R"(sightline_reranked_searches_total{result="complete"} 1)"));
}

// Has a score for the first of each portion, and leaves the others to the CPU.
class FakeTransport : public index::rerank::TransportDevice {
 public:
  absl::StatusOr<std::vector<std::optional<index::rerank::TransportScore>>> Score(
      const index::rerank::TransportQuery&, absl::Span<const index::rerank::Patches> results) override {
    ++calls;
    std::vector<std::optional<index::rerank::TransportScore>> scores(results.size());
    scores.front() = index::rerank::TransportScore{.structural = 0.25};
    return scores;
  }
  index::rerank::TransportDeviceStats Stats() const override { return {}; }

  int calls = 0;
};

TEST_F(SearchRerankTest, ACardScoresUnlessTheCollectionIsKeptOffIt) {
  const auto card = std::make_shared<FakeTransport>();
  context_.card.transport = card;
  SearchService service(context_);
  v1::SearchResponse reply;
  ASSERT_TRUE(Call(service, &SearchService::Search, NewRerank(), &reply).ok());
  EXPECT_EQ(card->calls, 1);
  ASSERT_EQ(reply.results_size(), 4);
  EXPECT_EQ(reply.stats().rerank_completed(), 4) << "the CPU did the rest";
  for (const v1::SearchResult& result : reply.results()) {
    if (result.id() == "a") {
      EXPECT_EQ(result.structural_score(), 0.25) << "the card's word";
    }
  }

  ASSERT_TRUE(collection_->ChangeSettings({.device = index::IndexDevice::kCpu}).ok());
  v1::SearchResponse on_cpu;
  ASSERT_TRUE(Call(service, &SearchService::Search, NewRerank(), &on_cpu).ok());
  EXPECT_EQ(card->calls, 1);
  for (const v1::SearchResult& result : on_cpu.results()) EXPECT_NE(result.structural_score(), 0.25) << result.id();
}

TEST_F(SearchRerankTest, ThePageIsCutAfterReranking) {
  v1::SearchRequest request = NewRerank();
  request.set_offset(1);
  request.set_top_k(2);
  request.mutable_rerank()->set_shortlist(3);
  v1::SearchResponse reply;
  ASSERT_TRUE(Search(request, &reply).ok());
  EXPECT_EQ(collection_->asked.top_k, 3);
  EXPECT_EQ(collection_->asked.offset, 0);
  ASSERT_EQ(reply.results_size(), 2);
  EXPECT_EQ(reply.results(0).rank(), 2);
  EXPECT_EQ(reply.stats().rerank_requested(), 3);

  request.set_offset(2000);
  ASSERT_TRUE(Search(request, &reply).ok());
  EXPECT_EQ(collection_->asked.top_k, 2002);
}

TEST_F(SearchRerankTest, TheRestOfTheOptionsStillReachTheIndex) {
  v1::SearchRequest request = NewRerank();
  request.set_min_score(0.25);
  request.set_filter("a = 1");
  request.set_group_by("brand");
  request.mutable_expansion()->set_method(v1::QueryExpansion::METHOD_SUPER_GLOBAL);
  v1::SearchResponse reply;
  ASSERT_TRUE(Search(request, &reply).ok());
  EXPECT_EQ(collection_->asked.min_score, 0.25);
  EXPECT_EQ(collection_->asked.filter, "a = 1");
  EXPECT_EQ(collection_->asked.group_by, "brand");
  EXPECT_EQ(collection_->asked.refinement.method, index::Refinement::Method::kSuperGlobal);
}

TEST_F(SearchRerankTest, ARefinementComesFirst) {
  collection_->outcome->hits = {{"b", 0.5, 0.99, 2}, {"a", 0.75, 0.8, 1}, {"c", 0.25, 0.7, 3}, {"d", 0.2, 0.6, 0}};
  v1::SearchRequest request = NewRerank();
  request.mutable_expansion()->set_method(v1::QueryExpansion::METHOD_SUPER_GLOBAL);
  request.mutable_rerank()->set_shortlist(3);
  v1::SearchResponse reply;
  ASSERT_TRUE(Search(request, &reply).ok());
  for (int i = 0; i < 3; ++i) {
    const v1::SearchResult& result = reply.results(i);
    EXPECT_DOUBLE_EQ(result.rerank_score(), result.score() + result.structural_score());
  }
  // Below the shortlist the refinement's order and score stand.
  EXPECT_EQ(reply.results(3).id(), "d");
  EXPECT_EQ(reply.results(3).rerank_score(), 0.6);
  EXPECT_FALSE(reply.results(3).has_structural_score());
}

TEST_F(SearchRerankTest, AStoredImageBringsItsOwnPatches) {
  collection_->tokens["q"] = QueryPatches();
  v1::SearchRequest request = NewRerank();
  request.mutable_query()->mutable_parts(0)->Clear();
  request.mutable_query()->mutable_parts(0)->set_id("q");
  v1::SearchResponse reply;
  const absl::Status status = Search(request, &reply);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(reply.results(0).id(), "c");

  collection_->tokens.erase("q");
  ExpectRefused(request, "QUERY_HAS_NO_TOKENS", absl::StatusCode::kFailedPrecondition);
}

TEST_F(SearchRerankTest, PartsWithoutPatchesAreTold) {
  v1::SearchRequest request = NewRerank();
  *request.mutable_query()->add_parts() = NewSearch().query().parts(0);
  v1::SearchResponse reply;
  ASSERT_TRUE(Search(request, &reply).ok());
  EXPECT_EQ(reply.results(0).id(), "c");
  EXPECT_THAT(reply.stats().degraded_reasons(), ElementsAre(HasSubstr("1 of 2 parts of the query")));
}

TEST_F(SearchRerankTest, APartThatPushesAwayDoesSoByItsPatchesToo) {
  v1::SearchRequest request = NewRerank(RandomTokens(99, 4, 3));
  v1::QueryPart* const away = request.mutable_query()->add_parts();
  *away = NewRerank().query().parts(0);
  away->set_weight(-0.5);
  v1::SearchResponse reply;
  const absl::Status status = Search(request, &reply);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(reply.results(3).id(), "c");
}

TEST_F(SearchRerankTest, WhatCannotBeDoneIsRefused) {
  v1::SearchRequest without = NewRerank();
  without.mutable_query()->mutable_parts(0)->clear_tokens();
  ExpectRefused(without, "QUERY_HAS_NO_TOKENS", absl::StatusCode::kFailedPrecondition);

  v1::SearchRequest foreign = NewRerank();
  foreign.mutable_query()->mutable_parts(0)->mutable_tokens()->set_token_space("others");
  ExpectRefused(foreign, "TOKEN_SPACE_MISMATCH", absl::StatusCode::kFailedPrecondition);

  v1::SearchRequest with_id = NewRerank();
  with_id.mutable_query()->mutable_parts(0)->set_id("a");
  ExpectRefused(with_id, "TOKENS_WITHOUT_DESCRIPTOR", absl::StatusCode::kInvalidArgument);

  v1::SearchRequest of_two_sizes = NewRerank();
  *of_two_sizes.mutable_query()->add_parts() = NewRerank(RandomTokens(5, 4, 3, /*dim=*/8)).query().parts(0);
  ExpectRefused(of_two_sizes, "TOKEN_DIM_MISMATCH", absl::StatusCode::kInvalidArgument);

  collection_->SetTokenSpace("");
  ExpectRefused(without, "COLLECTION_KEEPS_NO_TOKENS", absl::StatusCode::kFailedPrecondition);
  without.clear_rerank();
  v1::SearchResponse reply;
  EXPECT_TRUE(Search(without, &reply).ok());
}

TEST_F(SearchRerankTest, MalformedPatchesAreRefused) {
  using Change = std::function<void(v1::PatchTokens&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"height", [](v1::PatchTokens& t) { t.set_height(-4); }},
      {"huge", [](v1::PatchTokens& t) { t.set_height(1 << 30), t.set_width(1 << 30); }},
      {"dim", [](v1::PatchTokens& t) { t.set_dim(0); }},
      {"values", [](v1::PatchTokens& t) { t.mutable_values()->pop_back(); }},
      {"centre", [](v1::PatchTokens& t) { t.mutable_centre()->RemoveLast(); }},
      {"importance", [](v1::PatchTokens& t) { t.clear_importance(); }},
      {"NaN", [](v1::PatchTokens& t) { t.set_centre(0, NAN); }},
      {"precision", [](v1::PatchTokens& t) { t.set_precision(static_cast<v1::PatchTokens::Precision>(9)); }}};
  for (const auto& [name, change] : changes) {
    SCOPED_TRACE(name);
    v1::SearchRequest request = NewRerank();
    change(*request.mutable_query()->mutable_parts(0)->mutable_tokens());
    v1::SearchResponse reply;
    const absl::Status status = Search(request, &reply);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  }
}

TEST_F(SearchRerankTest, EvidenceIsOfTheResultsAndConsistent) {
  collection_->records["c"].width = 300;
  collection_->records["c"].height = 400;
  collection_->records["c"].crop = index::RecordCrop{.in_pixels = true, .x0 = 150, .y0 = 0, .x1 = 300, .y1 = 200};
  v1::SearchRequest request = NewRerank();
  request.mutable_explain()->set_enabled(true);
  request.mutable_explain()->set_results(2);
  request.mutable_explain()->set_correspondences(5);
  request.mutable_explain()->set_heat_maps(true);
  v1::SearchResponse reply;
  const absl::Status status = Search(request, &reply);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_FALSE(reply.results(2).has_evidence());
  for (int i = 0; i < 2; ++i) {
    const v1::SearchResult& result = reply.results(i);
    const v1::Evidence& evidence = result.evidence();
    EXPECT_NEAR(evidence.structural_score(), result.structural_score(), 1e-4);
    EXPECT_EQ(evidence.score(), result.score());
    EXPECT_DOUBLE_EQ(evidence.rerank_score(), evidence.score() + evidence.weight() * evidence.structural_score());
    EXPECT_NEAR(evidence.mass(), 1, 0.01);
    for (const v1::HeatMap* heat : {&evidence.query_heat_map(), &evidence.result_heat_map()}) {
      EXPECT_EQ(heat->height(), 4);
      EXPECT_EQ(heat->width(), 3);
      ASSERT_EQ(heat->values_size(), 12);
      double sum = 0;
      for (const float value : heat->values()) sum += value;
      EXPECT_NEAR(sum, evidence.mass(), 1e-5);
    }
    EXPECT_GT(evidence.correspondences_size(), 0);
    EXPECT_LE(evidence.correspondences_size(), 5);
  }
  // "c" shows what the query shows, in the upper right quarter of its image.
  ASSERT_EQ(reply.results(0).id(), "c");
  for (const v1::Correspondence& pair : reply.results(0).evidence().correspondences()) {
    EXPECT_NEAR(pair.cosine(), 1, 1e-4);
    EXPECT_NEAR(pair.result_box().x0(), 0.5 + pair.query_box().x0() / 2, 1e-9);
    EXPECT_NEAR(pair.result_box().x1(), 0.5 + pair.query_box().x1() / 2, 1e-9);
    EXPECT_NEAR(pair.result_box().y0(), pair.query_box().y0() / 2, 1e-9);
    EXPECT_NEAR(pair.result_box().y1(), pair.query_box().y1() / 2, 1e-9);
  }
  const v1::CropBox& region = reply.results(0).evidence().result_heat_map().region();
  EXPECT_NEAR(region.x0(), 0.5, 1e-9);
  EXPECT_NEAR(region.y0(), 0, 1e-9);
  EXPECT_NEAR(region.x1(), 1, 1e-9);
  EXPECT_NEAR(region.y1(), 0.5, 1e-9);
  EXPECT_EQ(region.unit(), v1::CropBox::UNIT_FRACTION);
}

TEST_F(SearchRerankTest, EvidenceDoesNotNeedReranking) {
  v1::SearchRequest request = NewRerank();
  request.clear_rerank();
  request.mutable_explain()->set_enabled(true);
  v1::SearchResponse reply;
  ASSERT_TRUE(Search(request, &reply).ok());
  EXPECT_THAT(Ids(reply), ElementsAre("a", "b", "c", "d"));
  EXPECT_FALSE(reply.results(0).has_structural_score());
  EXPECT_TRUE(reply.results(3).has_evidence());
  EXPECT_FALSE(reply.results(3).evidence().has_query_heat_map());
  EXPECT_EQ(reply.stats().rerank_requested(), 0);
}

TEST_F(SearchRerankTest, EvidenceThatCannotBeMadeIsTold) {
  v1::SearchRequest request = NewSearch();
  request.mutable_explain()->set_enabled(true);
  v1::SearchResponse reply;
  ASSERT_TRUE(Search(request, &reply).ok());
  EXPECT_THAT(reply.stats().degraded_reasons(), ElementsAre(HasSubstr("no part of the query has patch tokens")));
  EXPECT_FALSE(reply.results(0).has_evidence());

  collection_->tokens.erase("a");
  request = NewRerank();
  request.clear_rerank();
  request.mutable_explain()->set_enabled(true);
  reply.Clear();
  ASSERT_TRUE(Search(request, &reply).ok());
  EXPECT_THAT(reply.stats().degraded_reasons(), ElementsAre(HasSubstr("1 of 4 results have no patch tokens")));
  EXPECT_FALSE(reply.results(0).has_evidence());
  EXPECT_TRUE(reply.results(1).has_evidence());

  collection_->SetTokenSpace("");
  request = NewSearch();
  request.mutable_explain()->set_enabled(true);
  reply.Clear();
  ASSERT_TRUE(Search(request, &reply).ok());
  EXPECT_THAT(reply.stats().degraded_reasons(), ElementsAre(HasSubstr("the collection keeps no patch tokens")));
}

TEST_F(SearchRerankTest, EvidenceIsAboutThePartThatContributesMost) {
  v1::SearchRequest request = NewRerank(RandomTokens(50, 2, 2));
  *request.mutable_query()->add_parts() = NewRerank().query().parts(0);
  request.mutable_explain()->set_enabled(true);
  v1::SearchResponse reply;
  ASSERT_TRUE(Search(request, &reply).ok());
  ASSERT_EQ(reply.results(0).id(), "c");
  EXPECT_EQ(reply.results(0).evidence().query_part(), 1);
}

// ---- Explain

class ExplainTest : public SearchRerankTest {
 protected:
  absl::Status Explain(const v1::ExplainRequest& request, v1::ExplainResponse* reply) {
    SearchService service(context_);
    return Call(service, &SearchService::Explain, request, reply);
  }

  static v1::ExplainRequest Pair(const std::string& query, const std::string& result) {
    v1::ExplainRequest request;
    request.set_collection("shop");
    request.mutable_query()->set_id(query);
    request.mutable_result()->set_id(result);
    return request;
  }

  void ExpectNot(const v1::ExplainRequest& request, const std::string& reason, absl::StatusCode code) {
    v1::ExplainResponse reply;
    const absl::Status status = Explain(request, &reply);
    EXPECT_EQ(base::GetErrorInfo(status).reason, reason) << status;
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(". "));
  }
};

TEST_F(ExplainTest, TwoStoredImages) {
  collection_->tokens["q"] = QueryPatches();
  v1::ExplainRequest request = Pair("q", "c");
  request.mutable_options()->set_heat_maps(true);
  request.mutable_rerank()->set_mass(0.5);
  request.mutable_rerank()->set_weight(3);
  v1::ExplainResponse reply;
  const absl::Status status = Explain(request, &reply);
  ASSERT_TRUE(status.ok()) << status;
  const v1::Evidence& evidence = reply.evidence();
  EXPECT_EQ(evidence.score(), 1);
  EXPECT_EQ(evidence.weight(), 3);
  EXPECT_NEAR(evidence.mass(), 0.5, 0.01);
  EXPECT_NEAR(evidence.structural_score(), 0.5, 0.01);
  EXPECT_DOUBLE_EQ(evidence.rerank_score(), 1 + 3 * evidence.structural_score());
  EXPECT_EQ(evidence.correspondences_size(), 10);
  EXPECT_EQ(evidence.query_heat_map().values_size(), 12);
  EXPECT_FALSE(reply.has_model());
  EXPECT_EQ(reply.stages(reply.stages_size() - 1).stage(), "total");
}

TEST_F(ExplainTest, OffMeansTheDefaultTransport) {
  v1::ExplainRequest request = Pair("a", "b");
  v1::ExplainResponse on, off;
  ASSERT_TRUE(Explain(request, &on).ok());
  request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OFF);
  ASSERT_TRUE(Explain(request, &off).ok());
  EXPECT_EQ(on.evidence().SerializeAsString(), off.evidence().SerializeAsString());
}

TEST_F(ExplainTest, WhatCannotBeDoneIsRefused) {
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  v1::ExplainRequest request = Pair("a", "b");
  request.clear_query();
  ExpectNot(request, "EXPLAIN_IMAGE_MISSING", kInvalid);
  request = Pair("a", "b");
  request.clear_collection();
  ExpectNot(request, "FIELD_MISSING", kInvalid);
  request = Pair("a", "b");
  request.mutable_result()->mutable_crop()->set_x1(1);
  ExpectNot(request, "CROP_WITHOUT_IMAGE", kInvalid);
  request = Pair("a", "b");
  request.mutable_options()->set_correspondences(201);
  ExpectNot(request, "VALUE_OUT_OF_RANGE", kInvalid);
  request = Pair("a", "b");
  request.mutable_rerank()->set_epsilon(NAN);
  ExpectNot(request, "VALUE_NOT_FINITE", kInvalid);
  request = Pair("a", "b");
  request.set_collection("nowhere");
  ExpectNot(request, "COLLECTION_NOT_FOUND", absl::StatusCode::kNotFound);
  ExpectNot(Pair("a", "unknown"), "NO_PATCH_TOKENS", absl::StatusCode::kFailedPrecondition);
  request = Pair("a", "b");
  request.mutable_query()->set_image("no image");
  ExpectNot(request, "COLLECTION_HAS_NO_MODEL", absl::StatusCode::kFailedPrecondition);
  collection_->tokens["small"] = RandomTokens(3, 2, 2, /*dim=*/8);
  v1::ExplainResponse reply;
  EXPECT_EQ(Explain(Pair("a", "small"), &reply).code(), kInvalid);
}

}  // namespace
}  // namespace sightline::server
