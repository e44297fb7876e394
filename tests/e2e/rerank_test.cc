// Re-ranking and evidence over the real server, with descriptors and tokens of the test's own, so that every order can
// be predicted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/e2e/refusals.h"
#include "tests/e2e/server_fixture.h"
#include "tests/e2e/tokens.h"

namespace sightline::testing {
namespace {

using ::testing::HasSubstr;

class RerankRpcTest : public ServerFixture {
 protected:
  // A collection whose image "i0" is nearest to (1, 0, 0, 0), then "i1" and so on; each has tokens of its own, side x
  // side of them, from the seed 100 + i.
  static void Fill(const std::string& name, int count, int side, bool drop_tokens = false) {
    v1::CreateCollectionRequest create = NewCollection(name);
    create.mutable_settings()->set_drop_tokens(drop_tokens);
    const auto made = client_->CreateCollection(create);
    ASSERT_TRUE(made.ok()) << made.status();
    int next = 0;
    const client::ItemSource source = [&]() -> std::optional<v1::IndexRequest> {
      if (next == count) return std::nullopt;
      v1::IndexRequest request = NewWrite(name, next, side);
      if (drop_tokens) request.mutable_item()->clear_tokens();
      ++next;
      return request;
    };
    const auto written = client_->IndexMany(
        source, [](const client::ItemOutcome& outcome) { EXPECT_TRUE(outcome.status.ok()) << outcome.status; });
    ASSERT_TRUE(written.ok()) << written.status();
    ASSERT_EQ(written->succeeded, count);
  }
  static void Drop(const std::string& name) { EXPECT_TRUE(client_->DeleteCollection(name).ok()); }

  static v1::IndexRequest NewWrite(const std::string& collection, int i, int side) {
    const float angle = 0.002f * static_cast<float>(i + 1);
    v1::IndexRequest request = NewImage(absl::StrCat("i", i), {std::cos(angle), std::sin(angle), 0, 0});
    request.set_collection(collection);
    *request.mutable_item()->mutable_tokens() = RandomTokens(static_cast<unsigned>(100 + i), side, side);
    return request;
  }

  // A query that shows what image `i` shows, but lies where "i0" lies.
  static v1::SearchRequest NewRerank(const std::string& collection, int i, int side) {
    v1::SearchRequest request = NewSearch({1, 0, 0, 0});
    request.set_collection(collection);
    *request.mutable_query()->mutable_parts(0)->mutable_tokens() =
        RandomTokens(static_cast<unsigned>(100 + i), side, side);
    request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
    return request;
  }

  // Those re-ranked first, by their sum; then the others in their old order.
  static void ExpectConsistent(const v1::SearchResponse& reply) {
    bool scored = true;
    double last = std::numeric_limits<double>::infinity();
    int place = 0;
    for (const v1::SearchResult& result : reply.results()) {
      if (result.has_structural_score()) {
        EXPECT_TRUE(scored) << result.id();
        EXPECT_DOUBLE_EQ(result.rerank_score(), result.score() + result.structural_score());
        EXPECT_LE(result.rerank_score(), last);
        last = result.rerank_score();
      } else {
        if (scored) place = 0;
        scored = false;
        EXPECT_GT(result.rank_before_rerank(), place);
        place = result.rank_before_rerank();
      }
    }
  }
};

TEST_F(RerankRpcTest, TheSamePatchesComeFirst) {
  Fill("patches", 60, 5);
  for (const int like : {0, 17, 59}) {
    v1::SearchRequest request = NewRerank("patches", like, 5);
    request.set_top_k(60);
    const auto reply = client_->Search(request);
    ASSERT_TRUE(reply.ok()) << reply.status();
    ASSERT_EQ(reply->results_size(), 60);
    EXPECT_EQ(reply->results(0).id(), absl::StrCat("i", like));
    EXPECT_EQ(reply->results(0).rank_before_rerank(), like + 1);
    EXPECT_EQ(reply->stats().rerank_requested(), 60);
    EXPECT_EQ(reply->stats().rerank_completed(), 60);
    EXPECT_FALSE(reply->stats().degraded());
    ExpectConsistent(*reply);

    // A shorter shortlist does not reach it, and the rest keeps its order.
    request.mutable_rerank()->set_shortlist(10);
    const auto shorter = client_->Search(request);
    ASSERT_TRUE(shorter.ok()) << shorter.status();
    for (int i = 10; i < 60; ++i) EXPECT_EQ(shorter->results(i).id(), absl::StrCat("i", i));
    ExpectConsistent(*shorter);

    request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OFF);
    const auto off = client_->Search(request);
    ASSERT_TRUE(off.ok()) << off.status();
    for (int i = 0; i < 60; ++i) EXPECT_EQ(off->results(i).id(), absl::StrCat("i", i));
    EXPECT_EQ(off->stats().rerank_requested(), 0);
  }
  Drop("patches");
}

TEST_F(RerankRpcTest, PagesFitTogether) {
  Fill("patches", 30, 4);
  v1::SearchRequest request = NewRerank("patches", 20, 4);
  request.set_top_k(30);
  const auto whole = client_->Search(request);
  ASSERT_TRUE(whole.ok()) << whole.status();
  request.set_top_k(7);
  for (int offset = 0; offset < 28; offset += 7) {
    request.set_offset(offset);
    const auto page = client_->Search(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (int i = 0; i < page->results_size(); ++i) {
      EXPECT_EQ(page->results(i).id(), whole->results(offset + i).id()) << offset << " " << i;
      EXPECT_EQ(page->results(i).rank(), offset + i + 1);
    }
  }
  Drop("patches");
}

TEST_F(RerankRpcTest, EvidenceIsConsistent) {
  Fill("patches", 12, 5);
  v1::SearchRequest request = NewRerank("patches", 4, 5);
  request.mutable_rerank()->set_mass(0.6);
  request.mutable_explain()->set_enabled(true);
  request.mutable_explain()->set_correspondences(200);
  request.mutable_explain()->set_heat_maps(true);
  const auto reply = client_->Search(request);
  ASSERT_TRUE(reply.ok()) << reply.status();
  ASSERT_EQ(reply->results(0).id(), "i4");
  for (const v1::SearchResult& result : reply->results()) {
    const v1::Evidence& evidence = result.evidence();
    EXPECT_NEAR(evidence.mass(), 0.6, 0.01);
    EXPECT_NEAR(evidence.structural_score(), result.structural_score(), 1e-3);
    double query_sum = 0, result_sum = 0, pairs = 0;
    for (const float value : evidence.query_heat_map().values()) query_sum += value;
    for (const float value : evidence.result_heat_map().values()) result_sum += value;
    EXPECT_NEAR(query_sum, evidence.mass(), 1e-5);
    EXPECT_NEAR(result_sum, evidence.mass(), 1e-5);
    double last = std::numeric_limits<double>::infinity();
    for (const v1::Correspondence& pair : evidence.correspondences()) {
      pairs += pair.mass();
      EXPECT_LE(pair.mass() * pair.cosine(), last + 1e-12);
      last = pair.mass() * pair.cosine();
      for (const v1::CropBox* box : {&pair.query_box(), &pair.result_box()}) {
        EXPECT_GE(box->x0(), 0);
        EXPECT_GE(box->y0(), 0);
        EXPECT_LE(box->x1(), 1 + 1e-12);
        EXPECT_LE(box->y1(), 1 + 1e-12);
        EXPECT_NEAR(box->x1() - box->x0(), 0.2, 1e-9);
        EXPECT_NEAR(box->y1() - box->y0(), 0.2, 1e-9);
      }
    }
    EXPECT_LE(pairs, evidence.mass() + 1e-9);
  }
  for (const v1::Correspondence& pair : reply->results(0).evidence().correspondences()) {
    // What carries any mass to speak of goes from a patch to itself.
    if (pair.mass() < 0.01) continue;
    EXPECT_EQ(pair.query_box().x0(), pair.result_box().x0());
    EXPECT_EQ(pair.query_box().y0(), pair.result_box().y0());
  }

  // Explain says the same of the two images.
  client::MatchOptions match;
  match.collection = "patches";
  match.query = client::Query::Id("i4");
  match.result = client::Query::Id(reply->results(3).id());
  match.rerank = request.rerank();
  match.options = request.explain();
  const auto explained = client_->Explain(match);
  ASSERT_TRUE(explained.ok()) << explained.status();
  EXPECT_EQ(explained->evidence().mass(), reply->results(3).evidence().mass());
  EXPECT_EQ(explained->evidence().structural_score(), reply->results(3).evidence().structural_score());
  Drop("patches");
}

// However little time there is, an answer is either the error or an order that holds together and says what it is.
TEST_F(RerankRpcTest, ATightDeadlineGivesLessAndSaysSo) {
  constexpr int kCount = 250;
  constexpr int kSide = 22;
  Fill("large", kCount, kSide);
  v1::SearchRequest request = NewRerank("large", 3, kSide);
  request.mutable_rerank()->set_shortlist(kCount);
  request.set_top_k(kCount);
  bool partial = false;
  for (int milliseconds = 10; milliseconds <= 10'000 && !partial; milliseconds = milliseconds * 5 / 4) {
    SCOPED_TRACE(absl::StrCat(milliseconds, " ms"));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(milliseconds));
    v1::SearchResponse reply;
    const absl::Status status = Rpc::Decode(rpc_->search->Search(&context, request, &reply));
    if (!status.ok()) {
      EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
      continue;
    }
    ASSERT_EQ(reply.results_size(), kCount);
    ExpectConsistent(reply);
    const v1::SearchStats& stats = reply.stats();
    EXPECT_EQ(stats.rerank_requested(), kCount);
    EXPECT_EQ(stats.degraded(), stats.rerank_completed() < kCount);
    if (!stats.degraded()) break;
    partial = stats.rerank_completed() > 0;
    ASSERT_EQ(stats.degraded_reasons_size(), 1);
    EXPECT_THAT(stats.degraded_reasons(0),
                HasSubstr(absl::StrCat("re-ranked ", stats.rerank_completed(), " of ", kCount, " results")));
    int scored = 0;
    for (const v1::SearchResult& result : reply.results()) {
      if (!result.has_structural_score()) continue;
      ++scored;
      // Those scored are the first of the old order.
      EXPECT_LE(result.rank_before_rerank(), stats.rerank_completed());
    }
    EXPECT_EQ(scored, stats.rerank_completed());
  }
  EXPECT_TRUE(partial);
  ASSERT_TRUE(server_->Running()) << server_->Log();
  Drop("large");
}

TEST_F(RerankRpcTest, EveryRefusalIsTyped) {
  Fill("patches", 3, 4);
  Fill("bare", 3, 4, /*drop_tokens=*/true);
  Cases cases;
  using R = v1::SearchRequest;
  const auto add = [&](const std::string& name, const std::string& reason, const std::function<void(R&)>& change,
                       absl::StatusCode code = kInvalid) {
    R request = NewRerank("patches", 1, 4);
    change(request);
    cases.Add("Search", name, reason, code,
              [request](const Rpc& rpc) { return Call(*rpc.search, &v1::SearchService::Stub::Search, request); });
  };
  for (const double value : {static_cast<double>(kNan), static_cast<double>(kInfinity)}) {
    add(absl::StrCat("mass ", value), "VALUE_NOT_FINITE", [&](R& r) { r.mutable_rerank()->set_mass(value); });
    add(absl::StrCat("epsilon ", value), "VALUE_NOT_FINITE", [&](R& r) { r.mutable_rerank()->set_epsilon(value); });
    add(absl::StrCat("temperature ", value), "VALUE_NOT_FINITE",
        [&](R& r) { r.mutable_rerank()->set_temperature(value); });
    add(absl::StrCat("weight ", value), "VALUE_NOT_FINITE", [&](R& r) { r.mutable_rerank()->set_weight(value); });
  }
  add("mass 0", "VALUE_OUT_OF_RANGE", [](R& r) { r.mutable_rerank()->set_mass(0); });
  add("mass 1.01", "VALUE_OUT_OF_RANGE", [](R& r) { r.mutable_rerank()->set_mass(1.01); });
  add("epsilon 1e-4", "VALUE_OUT_OF_RANGE", [](R& r) { r.mutable_rerank()->set_epsilon(1e-4); });
  add("weight -1", "VALUE_OUT_OF_RANGE", [](R& r) { r.mutable_rerank()->set_weight(-1); });
  add("temperature 0", "VALUE_OUT_OF_RANGE", [](R& r) { r.mutable_rerank()->set_temperature(0); });
  for (const int32_t value : {-1, 1001, std::numeric_limits<int32_t>::max()}) {
    add(absl::StrCat("shortlist ", value), "VALUE_OUT_OF_RANGE",
        [&](R& r) { r.mutable_rerank()->set_shortlist(value); });
  }
  for (const int32_t value : {-1, 1025, std::numeric_limits<int32_t>::max()}) {
    add(absl::StrCat("query_cells ", value), "VALUE_OUT_OF_RANGE",
        [&](R& r) { r.mutable_rerank()->set_query_cells(value); });
    add(absl::StrCat("result_cells ", value), "VALUE_OUT_OF_RANGE",
        [&](R& r) { r.mutable_rerank()->set_result_cells(value); });
  }
  add("marginals nobody knows", "ENUM_VALUE_UNKNOWN",
      [](R& r) { r.mutable_rerank()->set_marginals(static_cast<v1::RerankOptions::Marginals>(7)); });
  // Refused also where they would not be used.
  add("mass 2 with re-ranking off", "VALUE_OUT_OF_RANGE", [](R& r) {
    r.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OFF);
    r.mutable_rerank()->set_mass(2);
  });
  add("correspondences 201", "VALUE_OUT_OF_RANGE", [](R& r) { r.mutable_explain()->set_correspondences(201); });
  add("results 101", "VALUE_OUT_OF_RANGE", [](R& r) { r.mutable_explain()->set_results(101); });
  add(
      "no tokens", "QUERY_HAS_NO_TOKENS", [](R& r) { r.mutable_query()->mutable_parts(0)->clear_tokens(); },
      kPrecondition);
  add(
      "tokens of another space", "TOKEN_SPACE_MISMATCH",
      [](R& r) { r.mutable_query()->mutable_parts(0)->mutable_tokens()->set_token_space("elsewhere"); }, kPrecondition);
  add(
      "a collection without tokens", "COLLECTION_KEEPS_NO_TOKENS",
      [](R& r) {
        r.set_collection("bare");
        r.mutable_query()->mutable_parts(0)->clear_tokens();
      },
      kPrecondition);
  add("tokens beside an id", "TOKENS_WITHOUT_DESCRIPTOR",
      [](R& r) { r.mutable_query()->mutable_parts(0)->set_id("i1"); });
  add("two dimensions", "TOKEN_DIM_MISMATCH", [](R& r) {
    *r.mutable_query()->add_parts() = r.query().parts(0);
    *r.mutable_query()->mutable_parts(1)->mutable_tokens() = RandomTokens(1, 2, 2, /*dim=*/8);
  });

  using E = v1::ExplainRequest;
  const auto explain = [&](const std::string& name, const std::string& reason, const std::function<void(E&)>& change,
                           absl::StatusCode code = kInvalid) {
    E request;
    request.set_collection("patches");
    request.mutable_query()->set_id("i0");
    request.mutable_result()->set_id("i1");
    change(request);
    cases.Add("Explain", name, reason, code,
              [request](const Rpc& rpc) { return Call(*rpc.search, &v1::SearchService::Stub::Explain, request); });
  };
  explain("no query", "EXPLAIN_IMAGE_MISSING", [](E& r) { r.clear_query(); });
  explain("no result", "EXPLAIN_IMAGE_MISSING", [](E& r) { r.clear_result(); });
  explain("ids without a collection", "FIELD_MISSING", [](E& r) { r.clear_collection(); });
  explain("a crop of an id", "CROP_WITHOUT_IMAGE", [](E& r) { r.mutable_query()->mutable_crop()->set_x1(1); });
  explain("mass NaN", "VALUE_NOT_FINITE", [](E& r) { r.mutable_rerank()->set_mass(kNan); });
  explain("correspondences -1", "VALUE_OUT_OF_RANGE", [](E& r) { r.mutable_options()->set_correspondences(-1); });
  explain("correspondences 201", "VALUE_OUT_OF_RANGE", [](E& r) { r.mutable_options()->set_correspondences(201); });
  explain(
      "an unknown collection", "COLLECTION_NOT_FOUND", [](E& r) { r.set_collection("nowhere"); }, kNotFound);
  explain(
      "an unknown image", "IMAGE_NOT_FOUND", [](E& r) { r.mutable_result()->set_id("nobody"); }, kNotFound);
  explain(
      "a collection without tokens", "NO_PATCH_TOKENS", [](E& r) { r.set_collection("bare"); }, kPrecondition);
  explain(
      "an image for a collection without a model", "COLLECTION_HAS_NO_MODEL",
      [](E& r) { r.mutable_query()->set_image("x"); }, kPrecondition);
  explain(
      "images without a model", "NO_MODEL_LOADED",
      [](E& r) {
        r.clear_collection();
        r.mutable_query()->set_image("x");
        r.mutable_result()->set_image("y");
      },
      kPrecondition);
  ExpectTyped(cases, *rpc_, *server_);
  Drop("patches");
  Drop("bare");
}

}  // namespace
}  // namespace sightline::testing
