// R25: numbers that are none, and numbers at the edge of what floats hold, as descriptors and as patch tokens, over the
// API and in re-ranking: refused in words, or computed with finite scores in the same order every time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/e2e/server_fixture.h"
#include "tests/e2e/tokens.h"

namespace sightline::testing {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr int kTokenDim = 16;

class NumericsTest : public ServerFixture {
 protected:
  static void ExpectRefused(const absl::Status& status, const std::string& what) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << what << ": " << status;
    EXPECT_FALSE(base::GetErrorInfo(status).reason.empty()) << what;
  }

  static v1::IndexRequest WithTokens(const std::string& id, const v1::PatchTokens& tokens) {
    v1::IndexRequest request = NewImage(id, {1, 1, 0, 0});
    *request.mutable_item()->mutable_tokens() = tokens;
    return request;
  }

  static v1::SearchRequest Reranked(const v1::PatchTokens& tokens) {
    v1::SearchRequest search = NewSearch({1, 1, 0, 0});
    *search.mutable_query()->mutable_parts(0)->mutable_tokens() = tokens;
    search.mutable_rerank()->set_method(v1::RerankOptions::METHOD_OPTIMAL_TRANSPORT);
    search.set_top_k(50);
    return search;
  }

  // Every score is a number, and a repeat gives the same ids in the same order.
  static void ExpectSane(const v1::SearchRequest& search, const std::string& what) {
    const auto first = client_->Search(search);
    ASSERT_TRUE(first.ok()) << what << ": " << first.status();
    const auto second = client_->Search(search);
    ASSERT_TRUE(second.ok()) << what << ": " << second.status();
    ASSERT_EQ(first->results_size(), second->results_size()) << what;
    for (int i = 0; i < first->results_size(); ++i) {
      const v1::SearchResult& result = first->results(i);
      EXPECT_TRUE(std::isfinite(result.score())) << what << " " << result.id();
      EXPECT_LE(std::abs(result.score()), 1.001) << what << " " << result.id();
      EXPECT_TRUE(std::isfinite(result.rerank_score())) << what << " " << result.id();
      EXPECT_EQ(result.id(), second->results(i).id()) << what;
      EXPECT_EQ(result.rerank_score(), second->results(i).rerank_score()) << what;
    }
  }
};

TEST_F(NumericsTest, DescriptorsThatAreNoneAreRefused) {
  for (const float bad : {kNan, kInf, -kInf}) {
    const std::string what = absl::StrCat(bad);
    ExpectRefused(client_->Index(NewImage("x", {1, bad, 0, 0})).status(), what);
    ExpectRefused(client_->Search(NewSearch({1, bad, 0, 0})).status(), what);
  }
  ExpectRefused(client_->Index(NewImage("x", {0, 0, 0, 0})).status(), "zeros");
  ExpectRefused(client_->Index(NewImage("x", {-0.0F, 0, -0.0F, 0})).status(), "negative zeros");
  ExpectRefused(client_->Search(NewSearch({0, 0, 0, 0})).status(), "zeros");
  EXPECT_EQ(client_->GetCollection("v")->stats().images(), 2);
}

TEST_F(NumericsTest, DescriptorsAtTheEdgeKeepTheirDirection) {
  const std::vector<std::pair<std::string, std::vector<float>>> edge = {{"least", {1e-12F, 1e-12F, 0, 0}},
                                                                        {"largest", {kLargest, kLargest, 0, 0}},
                                                                        {"far apart", {kLargest, kDenormal, 0, 0}}};
  for (const auto& [name, values] : edge) {
    const auto written = client_->Index(NewImage("edge", values));
    ASSERT_TRUE(written.ok()) << name << ": " << written.status();
    const auto found = client_->Search(NewSearch(values));
    ASSERT_TRUE(found.ok()) << name << ": " << found.status();
    bool there = false;
    for (const v1::SearchResult& result : found->results()) {
      EXPECT_TRUE(std::isfinite(result.score())) << name;
      there |= result.id() == "edge" && result.score() > 0.999;
    }
    EXPECT_TRUE(there) << name;
  }
  // Too small to point anywhere, and the sentence says how small that is.
  const absl::Status tiny = client_->Index(NewImage("tiny", {kDenormal, kDenormal, 0, 0})).status();
  ExpectRefused(tiny, "denormals");
  EXPECT_THAT(std::string(tiny.message()), ::testing::HasSubstr("at least 1e-12"));
  v1::DeleteImagesRequest remove;
  remove.set_collection("v");
  remove.add_ids("edge");
  ASSERT_TRUE(client_->DeleteImages(remove).ok());
}

TEST_F(NumericsTest, TokensThatAreNoneAreRefused) {
  const v1::PatchTokens good = RandomTokens(1, 3, 4, kTokenDim);
  ASSERT_TRUE(client_->Index(WithTokens("t", good)).ok());
  for (const float bad : {kNan, kInf, -kInf}) {
    const std::string what = absl::StrCat(bad);
    v1::PatchTokens tokens = good;
    tokens.mutable_values()->replace(8, sizeof bad, reinterpret_cast<const char*>(&bad), sizeof bad);
    ExpectRefused(client_->Index(WithTokens("x", tokens)).status(), "values " + what);
    ExpectRefused(client_->Search(Reranked(tokens)).status(), "query values " + what);
    tokens = good;
    tokens.set_importance(2, bad);
    ExpectRefused(client_->Index(WithTokens("x", tokens)).status(), "importance " + what);
    tokens = good;
    tokens.set_centre(2, bad);
    ExpectRefused(client_->Index(WithTokens("x", tokens)).status(), "centre " + what);
    tokens = good;
    tokens.set_precision(v1::PatchTokens::PRECISION_INT8);
    tokens.set_values(std::string(12 * kTokenDim, 'a'));
    for (int i = 0; i < 12; ++i) tokens.add_scales(i == 5 ? bad : 0.01F);
    ExpectRefused(client_->Index(WithTokens("x", tokens)).status(), "scales " + what);
  }
  v1::DeleteImagesRequest remove;
  remove.set_collection("v");
  remove.add_ids("t");
  ASSERT_TRUE(client_->DeleteImages(remove).ok());
}

TEST_F(NumericsTest, RerankingStaysFiniteWhateverItIsGiven) {
  std::vector<std::string> ids;
  const auto put = [&](const std::string& id, const v1::PatchTokens& tokens) {
    const auto written = client_->Index(WithTokens(id, tokens));
    // What it does not want it says; what it takes it can compare.
    if (written.ok()) {
      ids.push_back(id);
    } else {
      ExpectRefused(written.status(), id);
    }
  };
  for (unsigned i = 0; i < 6; ++i) put(absl::StrCat("good-", i), RandomTokens(i, 3, 4, kTokenDim));
  put("one patch", RandomTokens(10, 1, 1, kTokenDim));
  v1::PatchTokens tokens = RandomTokens(11, 3, 4, kTokenDim);
  for (int i = 0; i < 12; ++i) tokens.set_importance(i, i == 3 ? 1.0F : 0.0F);
  put("all but one patch masked", tokens);
  for (int i = 0; i < 12; ++i) tokens.set_importance(i, 0.0F);
  put("all patches masked", tokens);
  for (int i = 0; i < 12; ++i) tokens.set_importance(i, kDenormal);
  put("denormal importance", tokens);
  tokens = RandomTokens(12, 3, 4, kTokenDim);
  tokens.set_values(std::string(tokens.values().size(), '\0'));
  put("zero tokens", tokens);
  std::string denormals;
  for (int i = 0; i < 12 * kTokenDim; ++i)
    denormals.append(reinterpret_cast<const char*>(&kDenormal), sizeof kDenormal);
  tokens.set_values(denormals);
  put("denormal tokens", tokens);
  tokens = RandomTokens(13, 3, 4, kTokenDim);
  for (int i = 0; i < kTokenDim; ++i) tokens.set_centre(i, 0);
  put("zero centre", tokens);
  ASSERT_GE(ids.size(), 8U);

  const v1::PatchTokens query = RandomTokens(1, 3, 4, kTokenDim);
  for (const double epsilon : {1e-300, 1e-6, 1e-3, 0.05, 1.0, 1e6}) {
    for (const double mass : {1e-9, 0.5, 1.0}) {
      for (int marginals = 1; marginals <= 6; ++marginals) {
        v1::SearchRequest search = Reranked(query);
        search.mutable_rerank()->set_epsilon(epsilon);
        search.mutable_rerank()->set_mass(mass);
        search.mutable_rerank()->set_marginals(static_cast<v1::RerankOptions::Marginals>(marginals));
        const auto answer = client_->Search(search);
        const std::string what = absl::StrCat("epsilon ", epsilon, " mass ", mass, " marginals ", marginals);
        if (answer.ok()) {
          ASSERT_NO_FATAL_FAILURE(ExpectSane(search, what));
        } else {
          ExpectRefused(answer.status(), what);
        }
      }
    }
  }
  for (const double temperature : {1e-300, 1e-12, 1.0, 1e12}) {
    v1::SearchRequest search = Reranked(query);
    search.mutable_rerank()->set_marginals(v1::RerankOptions::MARGINALS_SOFTMAX);
    search.mutable_rerank()->set_temperature(temperature);
    const auto answer = client_->Search(search);
    if (answer.ok()) {
      ASSERT_NO_FATAL_FAILURE(ExpectSane(search, absl::StrCat("temperature ", temperature)));
    } else {
      ExpectRefused(answer.status(), absl::StrCat("temperature ", temperature));
    }
  }
  for (const double bad : {std::nan(""), -1.0, 0.0, std::numeric_limits<double>::infinity()}) {
    v1::SearchRequest search = Reranked(query);
    search.mutable_rerank()->set_epsilon(bad);
    ExpectRefused(client_->Search(search).status(), absl::StrCat("epsilon ", bad));
  }
  ASSERT_NO_FATAL_FAILURE(ExpectSane(Reranked(RandomTokens(10, 1, 1, kTokenDim)), "a query of one patch"));
  v1::DeleteImagesRequest remove;
  remove.set_collection("v");
  for (const std::string& id : ids) remove.add_ids(id);
  ASSERT_TRUE(client_->DeleteImages(remove).ok());
}

}  // namespace
}  // namespace sightline::testing
