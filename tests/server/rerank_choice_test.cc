#include "server/services/rerank_choice.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/rerank/transport_options.h"

namespace sightline::server {
namespace {

using R = v1::RerankOptions;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Refused with the field's name, the value and two sentences.
void ExpectRefused(const absl::Status& status, const std::string& field, const std::string& actual) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << field << " " << actual;
  EXPECT_TRUE(absl::StrContains(status.message(), field)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), actual)) << status;
  EXPECT_TRUE(absl::StrContains(status.message(), ". ")) << status;
  EXPECT_TRUE(absl::EndsWith(status.message(), ".")) << status;
}

TEST(ValidateRerankTest, RefusesNumbersOutOfRange) {
  struct Field {
    std::string name;
    std::function<void(R&, double)> set;
    std::vector<double> good, bad;
  };
  const std::vector<Field> fields = {
      {"rerank.mass", &R::set_mass, {1e-9, 0.5, 1}, {0, -0.5, 1.0001, kNan, kInfinity, -kInfinity}},
      {"rerank.epsilon", &R::set_epsilon, {0.001, 0.05, 10}, {0, 0.0009, 10.1, -1, kNan, kInfinity}},
      {"rerank.temperature", &R::set_temperature, {0.001, 1000}, {0, 1000.5, -1, kNan, kInfinity}},
      {"rerank.weight", &R::set_weight, {0, 1, 100}, {-0.1, 100.1, 1e300, kNan, -kInfinity}}};
  for (const Field& field : fields) {
    for (const double value : field.good) {
      R options;
      field.set(options, value);
      EXPECT_TRUE(ValidateRerank(options, {}).ok()) << field.name << " " << value;
    }
    for (const double value : field.bad) {
      R options;
      field.set(options, value);
      ExpectRefused(ValidateRerank(options, {}), field.name,
                    std::isfinite(value) ? absl::StrCat(value) : "not a finite number");
    }
  }
}

TEST(ValidateRerankTest, RefusesCountsOutOfRange) {
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
  constexpr int32_t kLeast = std::numeric_limits<int32_t>::min();
  const std::vector<std::pair<std::string, void (R::*)(int32_t)>> fields = {
      {"rerank.shortlist", &R::set_shortlist},
      {"rerank.query_cells", &R::set_query_cells},
      {"rerank.result_cells", &R::set_result_cells}};
  for (const auto& [name, set] : fields) {
    const int limit = name == "rerank.shortlist" ? 1000 : index::RecordLimits().max_token_cells;
    for (const int32_t value : {0, 1, limit}) {
      R options;
      (options.*set)(value);
      EXPECT_TRUE(ValidateRerank(options, {}).ok()) << name << " " << value;
    }
    for (const int32_t value : {-1, limit + 1, kMost, kLeast}) {
      R options;
      (options.*set)(value);
      const absl::Status status = ValidateRerank(options, {});
      ExpectRefused(status, name, absl::StrCat(value));
      EXPECT_TRUE(absl::StrContains(status.message(), absl::StrCat(limit))) << status;
    }
  }
}

TEST(ValidateRerankTest, RefusesUnknownNames) {
  for (const int value : {-1, 3, 99}) {
    R options;
    options.set_method(static_cast<R::Method>(value));
    ExpectRefused(ValidateRerank(options, {}), "rerank.method", absl::StrCat(value));
  }
  for (const int value : {-1, 7, 99}) {
    R options;
    options.set_marginals(static_cast<R::Marginals>(value));
    ExpectRefused(ValidateRerank(options, {}), "rerank.marginals", absl::StrCat(value));
  }
}

// Whatever passes here, the transport takes.
TEST(ValidateRerankTest, WhatPassesTheTransportTakes) {
  for (const double mass : {1e-9, 1.0}) {
    for (const double epsilon : {0.001, 10.0}) {
      for (const double temperature : {0.001, 1000.0}) {
        R options;
        options.set_mass(mass);
        options.set_epsilon(epsilon);
        options.set_temperature(temperature);
        options.set_query_cells(1024);
        ASSERT_TRUE(ValidateRerank(options, {}).ok());
        const absl::Status taken = index::rerank::ValidateTransport(ChooseRerank(options, nullptr).transport);
        EXPECT_TRUE(taken.ok()) << taken;
      }
    }
  }
}

TEST(ChooseRerankTest, WithoutAModelOnlyWhatIsAskedFor) {
  R options;
  RerankChoice choice = ChooseRerank(options, nullptr);
  EXPECT_FALSE(choice.on);
  EXPECT_FALSE(choice.asked);
  EXPECT_EQ(choice.shortlist, 100);
  EXPECT_EQ(choice.weight, 1);
  EXPECT_EQ(choice.transport.mass, 1);
  EXPECT_EQ(choice.transport.epsilon, 0.05);
  EXPECT_EQ(choice.transport.marginals, index::rerank::Marginals::kCrossCorrelation);
  options.set_method(R::METHOD_OPTIMAL_TRANSPORT);
  choice = ChooseRerank(options, nullptr);
  EXPECT_TRUE(choice.on);
  EXPECT_TRUE(choice.asked);
}

TEST(ChooseRerankTest, TheModelsWordsStandWhereTheRequestHasNone) {
  model::ModelInfo info;
  info.rerank = {.method = model::RerankDefaults::Method::kOptimalTransport,
                 .mass = 0.6,
                 .epsilon = 0.1,
                 .marginals = model::RerankDefaults::Marginals::kInverse,
                 .temperature = 0.25,
                 .weight = 2};
  R options;
  RerankChoice choice = ChooseRerank(options, &info);
  EXPECT_TRUE(choice.on);
  EXPECT_FALSE(choice.asked);
  EXPECT_EQ(choice.weight, 2);
  EXPECT_EQ(choice.transport.mass, 0.6);
  EXPECT_EQ(choice.transport.epsilon, 0.1);
  EXPECT_EQ(choice.transport.temperature, 0.25);
  EXPECT_EQ(choice.transport.marginals, index::rerank::Marginals::kInverse);

  options.set_weight(0);
  options.set_mass(1);
  options.set_marginals(R::MARGINALS_IMPORTANCE);
  options.set_shortlist(7);
  options.set_query_cells(64);
  options.set_result_cells(32);
  choice = ChooseRerank(options, &info);
  EXPECT_EQ(choice.weight, 0);
  EXPECT_EQ(choice.transport.mass, 1);
  EXPECT_EQ(choice.transport.epsilon, 0.1);
  EXPECT_EQ(choice.transport.marginals, index::rerank::Marginals::kImportance);
  EXPECT_EQ(choice.shortlist, 7);
  EXPECT_EQ(choice.transport.query_cells, 64);
  EXPECT_EQ(choice.transport.result_cells, 32);

  options.set_method(R::METHOD_OFF);
  EXPECT_FALSE(ChooseRerank(options, &info).on);
  info.rerank.method = model::RerankDefaults::Method::kOff;
  options.set_method(R::METHOD_UNSPECIFIED);
  EXPECT_FALSE(ChooseRerank(options, &info).on);
  options.set_method(R::METHOD_OPTIMAL_TRANSPORT);
  EXPECT_TRUE(ChooseRerank(options, &info).on);
}

TEST(ValidateExplainTest, RefusesMoreThanTheLimits) {
  for (const int value : {-1, 201, std::numeric_limits<int>::max()}) {
    v1::ExplainOptions options;
    options.set_correspondences(value);
    ExpectRefused(ValidateExplain("explain", options), "explain.correspondences", absl::StrCat(value));
  }
  for (const int value : {-1, 101, std::numeric_limits<int>::min()}) {
    v1::ExplainOptions options;
    options.set_results(value);
    ExpectRefused(ValidateExplain("options", options), "options.results", absl::StrCat(value));
  }
  v1::ExplainOptions most;
  most.set_correspondences(200);
  most.set_results(100);
  EXPECT_TRUE(ValidateExplain("explain", most).ok());
}

}  // namespace
}  // namespace sightline::server
