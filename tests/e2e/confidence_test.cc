// What is the same thing: the confidence fitted on labelled images, searches that ask for it, and duplicates; over the
// real server, with descriptors and tokens of the test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/e2e/refusals.h"
#include "tests/e2e/server_fixture.h"
#include "tests/e2e/tokens.h"

namespace sightline::testing {
namespace {

using ::testing::ElementsAre;

constexpr int kObjects = 12;
constexpr int kViews = 4;

class ConfidenceTest : public ServerFixture {
 protected:
  void SetUp() override {
    ASSERT_TRUE(client_->CreateCollection(NewCollection("things")).ok());
    for (int view = 0; view < kViews; ++view) {
      for (int object = 0; object < kObjects; ++object) {
        ASSERT_TRUE(client_->Index(NewView(object, view)).ok());
      }
    }
  }
  void TearDown() override { EXPECT_TRUE(client_->DeleteCollection("things").ok()); }

  static std::string IdOf(int object, int view) { return absl::StrCat("o", object, "v", view); }

  static std::vector<float> DescriptorOf(int object, int view) {
    const float angle = 0.01f * static_cast<float>(object * kViews + view);
    return {std::cos(angle), std::sin(angle), 0, 0};
  }

  // All descriptors are much alike; what tells the objects apart is their patches.
  static v1::IndexRequest NewView(int object, int view) {
    v1::IndexRequest request = NewImage(IdOf(object, view), DescriptorOf(object, view));
    request.set_collection("things");
    *request.mutable_item()->mutable_tokens() = RandomTokens(static_cast<unsigned>(500 + object), 4, 4);
    (*request.mutable_item()->mutable_attributes())["object"].set_string_value(absl::StrCat(object));
    return request;
  }

  static v1::Operation End(const absl::StatusOr<v1::Operation>& started) {
    EXPECT_TRUE(started.ok()) << started.status();
    return started.ok() ? WaitForEnd(*client_, started->name()) : v1::Operation();
  }

  static v1::ConfidenceModel Fit() {
    v1::FitConfidenceRequest request;
    request.set_collection("things");
    request.set_label_attribute("object");
    const v1::Operation ended = End(client_->FitConfidence(request));
    v1::ConfidenceModel model;
    EXPECT_TRUE(ended.result().UnpackTo(&model)) << ended.ShortDebugString();
    return model;
  }

  static v1::FindDuplicatesResult Duplicates(const v1::FindDuplicatesRequest& request) {
    const v1::Operation ended = End(client_->FindDuplicates(request));
    v1::FindDuplicatesResult result;
    EXPECT_TRUE(ended.result().UnpackTo(&result)) << ended.ShortDebugString();
    return result;
  }

  static v1::SearchRequest SearchLike(int object) {
    v1::SearchRequest request = NewSearch(DescriptorOf(object, 0));
    request.set_collection("things");
    request.set_top_k(kObjects * kViews);
    *request.mutable_query()->mutable_parts(0)->mutable_tokens() =
        RandomTokens(static_cast<unsigned>(500 + object), 4, 4);
    request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
    return request;
  }
};

TEST_F(ConfidenceTest, IsFittedKeptAndAskedFor) {
  const v1::ConfidenceModel model = Fit();
  EXPECT_GT(model.b(), 0);
  EXPECT_GT(model.accuracy(), 0.95);
  EXPECT_GE(model.pairs(), 40);
  EXPECT_EQ(client_->GetCollection("things")->confidence().pairs(), model.pairs());

  // Every result tells it; only what is sure enough is returned when that is asked.
  v1::SearchRequest request = SearchLike(5);
  const auto all = client_->Search(request);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_EQ(all->results_size(), kObjects * kViews);
  std::set<std::string> sure;
  for (const v1::SearchResult& result : all->results()) {
    ASSERT_TRUE(result.has_confidence());
    const double logit = model.a() * result.score() + model.b() * result.structural_score() + model.c();
    EXPECT_NEAR(result.confidence(), 1 / (1 + std::exp(-logit)), 1e-9);
    if (result.confidence() >= 0.5) sure.insert(result.id());
  }
  EXPECT_EQ(sure, (std::set<std::string>{IdOf(5, 0), IdOf(5, 1), IdOf(5, 2), IdOf(5, 3)}));
  request.set_min_confidence(0.5);
  request.set_top_k(3);
  request.set_offset(1);
  const auto some = client_->Search(request);
  ASSERT_TRUE(some.ok()) << some.status();
  EXPECT_EQ(some->results_size(), 3) << "of the four, without the first";
  for (const v1::SearchResult& result : some->results()) EXPECT_TRUE(sure.contains(result.id()));

  // Without re-ranking it is that of the cosine alone.
  request.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OFF);
  request.set_min_confidence(0);
  request.set_offset(0);
  const auto plain = client_->Search(request);
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_EQ(plain->results_size(), 3);
  for (const v1::SearchResult& result : plain->results()) {
    EXPECT_NEAR(result.confidence(), 1 / (1 + std::exp(-model.score_only_a() * result.score() - model.score_only_c())),
                1e-9);
  }

  v1::ExplainRequest explain;
  explain.set_collection("things");
  explain.mutable_query()->set_id(IdOf(1, 0));
  explain.mutable_result()->set_id(IdOf(1, 2));
  const auto same = client_->Explain(explain);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_GT(same->evidence().confidence(), 0.5);
  explain.mutable_result()->set_id(IdOf(2, 0));
  EXPECT_LT(client_->Explain(explain)->evidence().confidence(), 0.5);

  ASSERT_EQ(server_->Terminate(), 0);
  auto server = ServerProcess::Start({.folder = folder_->path()});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  client_ = *client::Client::Connect({.address = server_->address()});
  rpc_ = std::make_unique<Rpc>(server_->address());
  EXPECT_EQ(client_->GetCollection("things")->confidence().a(), model.a());
}

TEST_F(ConfidenceTest, DuplicatesAreWhatThePatchesSay) {
  v1::FindDuplicatesRequest request;
  request.set_collection("things");
  // Without a fit, by thresholds; the ids come in the order of writing.
  request.set_neighbours(kObjects * kViews);
  const v1::FindDuplicatesResult by_scores = Duplicates(request);
  EXPECT_EQ(by_scores.images(), kObjects * kViews);
  EXPECT_EQ(by_scores.total_groups(), kObjects);
  ASSERT_EQ(by_scores.groups_size(), kObjects);
  EXPECT_THAT(by_scores.groups(0).ids(), ElementsAre("o0v0", "o0v1", "o0v2", "o0v3"));
  EXPECT_EQ(by_scores.groups(0).pairs_size(), 6);
  EXPECT_FALSE(by_scores.groups(0).pairs(0).has_confidence());

  Fit();
  request.set_min_confidence(0.5);
  request.set_filter("object IN (\"3\", \"4\")");
  const v1::FindDuplicatesResult by_confidence = Duplicates(request);
  EXPECT_EQ(by_confidence.images(), 2 * kViews);
  ASSERT_EQ(by_confidence.groups_size(), 2);
  EXPECT_GE(by_confidence.groups(0).min_confidence(), 0.5);
  EXPECT_GE(by_confidence.groups(1).pairs(0).confidence(), 0.5);
}

TEST_F(ConfidenceTest, PairsMayBeNamed) {
  v1::FitConfidenceRequest request;
  request.set_collection("things");
  for (int object = 0; object < kObjects; ++object) {
    for (int view = 1; view < kViews; ++view) {
      auto* same = request.add_pairs();
      same->set_first_id(IdOf(object, 0));
      same->set_second_id(IdOf(object, view));
      same->set_same(true);
      auto* other = request.add_pairs();
      other->set_first_id(IdOf(object, 0));
      other->set_second_id(IdOf((object + view) % kObjects, view));
    }
  }
  v1::ConfidenceModel model;
  ASSERT_TRUE(End(client_->FitConfidence(request)).result().UnpackTo(&model));
  EXPECT_EQ(model.pairs(), request.pairs_size());
  // A pair of an image that is not there ends the operation, and the fit before stays.
  request.mutable_pairs(7)->set_second_id("gone");
  const v1::Operation failed = End(client_->FitConfidence(request));
  EXPECT_EQ(failed.state(), v1::Operation::STATE_FAILED);
  EXPECT_THAT(failed.error().message(), ::testing::HasSubstr("gone"));
  EXPECT_EQ(client_->GetCollection("things")->confidence().pairs(), model.pairs());
}

TEST_F(ConfidenceTest, WhatCannotBeMeantIsRefused) {
  Cases cases;
  using F = v1::FitConfidenceRequest;
  const auto fit = [&](const std::string& name, const std::string& reason, const std::function<void(F&)>& change,
                       absl::StatusCode code = kInvalid) {
    F request;
    request.set_collection("things");
    request.set_label_attribute("object");
    change(request);
    cases.Add("FitConfidence", name, reason, code, [request](const Rpc& rpc) {
      return Call(*rpc.collections, &v1::CollectionService::Stub::FitConfidence, request);
    });
  };
  fit("no collection", "FIELD_MISSING", [](F& r) { r.clear_collection(); });
  fit(
      "another collection", "COLLECTION_NOT_FOUND", [](F& r) { r.set_collection("nowhere"); }, kNotFound);
  fit("neither pairs nor label", "PAIRS_OR_LABEL", [](F& r) { r.clear_label_attribute(); });
  fit("both", "PAIRS_OR_LABEL", [](F& r) { r.add_pairs(); });
  fit("a key too long", "ATTRIBUTE_KEY_INVALID", [](F& r) { r.set_label_attribute(std::string(65, 'k')); });
  fit("a mass of 2", "VALUE_OUT_OF_RANGE", [](F& r) { r.mutable_rerank()->set_mass(2); });
  const auto pair = [](F& r, const std::string& a, const std::string& b) {
    r.clear_label_attribute();
    auto* added = r.add_pairs();
    added->set_first_id(a);
    added->set_second_id(b);
  };
  fit("a pair without an id", "FIELD_MISSING", [&](F& r) { pair(r, "a", ""); });
  fit("a pair of one", "PAIR_OF_ONE", [&](F& r) { pair(r, "a", "a"); });
  fit("too few", "TOO_FEW_PAIRS", [&](F& r) { pair(r, "a", "b"); });

  using D = v1::FindDuplicatesRequest;
  const auto find = [&](const std::string& name, const std::string& reason, const std::function<void(D&)>& change,
                        absl::StatusCode code = kInvalid) {
    D request;
    request.set_collection("things");
    change(request);
    cases.Add("FindDuplicates", name, reason, code, [request](const Rpc& rpc) {
      return Call(*rpc.collections, &v1::CollectionService::Stub::FindDuplicates, request);
    });
  };
  find("no collection", "FIELD_MISSING", [](D& r) { r.clear_collection(); });
  find("a filter that cannot be read", "FILTER_INVALID", [](D& r) { r.set_filter("object ="); });
  find("too many neighbours", "VALUE_OUT_OF_RANGE", [](D& r) { r.set_neighbours(101); });
  find("a score above 1", "VALUE_OUT_OF_RANGE", [](D& r) { r.set_min_score(1.01); });
  find("a confidence that is no number", "VALUE_NOT_FINITE", [](D& r) { r.set_min_confidence(std::nan("")); });
  find("both", "CONFIDENCE_AND_SCORES", [](D& r) {
    r.set_min_confidence(0.5);
    r.set_min_score(0.5);
  });
  find(
      "a confidence without a fit", "CONFIDENCE_NOT_FITTED", [](D& r) { r.set_min_confidence(0.5); }, kPrecondition);
  ExpectTyped(cases, *rpc_, *server_);
}

}  // namespace
}  // namespace sightline::testing
