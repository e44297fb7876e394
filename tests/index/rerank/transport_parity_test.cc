// Scores and plans against an independent reference in Python (tests/parity/transport_reference.py): every kind of
// weights, full and partial, every stop rule, grids from 1x1 to 24x24 and of two shapes, float32, float16 and int8.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "index/rerank/transport.h"
#include "tests/index/rerank/patch_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index::rerank {
namespace {

constexpr int kModuleMissing = 77;

struct Grid {
  int height, width;
};

struct ParityCase {
  Grid query;
  std::vector<Grid> results;
  TransportOptions options;
  int dim = 16;
  TokenPrecision precision = TokenPrecision::kFloat32;
  bool masks = false;
  double mean_cosine = 0.3;
};

const char* Name(Marginals marginals) {
  switch (marginals) {
    case Marginals::kUniform: return "uniform";
    case Marginals::kCrossCorrelation: return "cross_correlation";
    case Marginals::kInverse: return "inverse";
    case Marginals::kMinus: return "minus";
    case Marginals::kSoftmax: return "softmax";
    case Marginals::kImportance: return "importance";
  }
  return "";
}

const char* Name(StopRule stop) {
  switch (stop) {
    case StopRule::kMarginalError: return "marginal_error";
    case StopRule::kReference: return "reference";
    case StopRule::kFixed: return "fixed";
  }
  return "";
}

template <typename Values>
std::string Numbers(const Values& values) {
  return absl::StrCat("[",
                      absl::StrJoin(values, ",",
                                    [](std::string* out, auto value) {
                                      absl::StrAppendFormat(out, "%.17g", static_cast<double>(value));
                                    }),
                      "]");
}

struct MaskedTokens {
  PatchTokens tokens;
  std::vector<uint8_t> mask;
  Patches View() const { return {&tokens, mask}; }

  std::string Json() const {
    return absl::StrCat("{\"dim\":", tokens.dim, ",\"floats\":", Numbers(tokens.floats),
                        ",\"values\":", Numbers(tokens.values), ",\"scales\":", Numbers(tokens.scales),
                        ",\"centre\":", Numbers(tokens.centre), ",\"importance\":", Numbers(tokens.importance),
                        ",\"mask\":", Numbers(mask), "}");
  }
};

MaskedTokens Make(std::mt19937& random, const Grid& grid, const Vector& direction, const ParityCase& parity) {
  MaskedTokens result{RandomTokens(random, grid.height, grid.width, direction, parity.mean_cosine, parity.precision),
                      {}};
  if (parity.masks) {
    for (int i = 0; i < result.tokens.cells(); ++i) result.mask.push_back(random() % 3 == 0 ? 0 : 1);
  }
  return result;
}

std::string OptionsJson(const TransportOptions& options) {
  return absl::StrFormat(
      R"({"epsilon":%.17g,"mass":%.17g,"marginals":"%s","temperature":%.17g,"stop":"%s","rounds":%d,"tolerance":%.17g,)"
      R"("query_cells":%d,"result_cells":%d})",
      options.epsilon, options.mass, Name(options.marginals), options.temperature, Name(options.stop),
      options.max_rounds, options.tolerance, options.query_cells, options.result_cells);
}

std::string HaveJson(const TransportScore& score, const Plan& plan, size_t columns) {
  Vector row_sums(plan.transport.size() / columns), column_sums(columns);
  for (size_t i = 0; i < plan.transport.size(); ++i) {
    row_sums[i / columns] += plan.transport[i];
    column_sums[i % columns] += plan.transport[i];
  }
  std::string json =
      absl::StrFormat(R"({"structural":%.17g,"mass":%.17g,"rounds":%d,"converged":%s,"explained":%.17g,)",
                      score.structural, score.mass, score.rounds, score.converged ? "true" : "false", plan.structural);
  if (plan.transport.size() <= 2500) absl::StrAppend(&json, "\"plan\":", Numbers(plan.transport), ",");
  return absl::StrCat(json, "\"row_sums\":", Numbers(row_sums), ",\"column_sums\":", Numbers(column_sums), "}");
}

void WriteCase(std::mt19937& random, const ParityCase& parity, const std::filesystem::path& path) {
  const Vector direction = RandomUnit(random, parity.dim);
  const MaskedTokens query = Make(random, parity.query, direction, parity);
  std::vector<MaskedTokens> results;
  for (const Grid& grid : parity.results) results.push_back(Make(random, grid, direction, parity));
  std::vector<Patches> views;
  for (const MaskedTokens& result : results) views.push_back(result.View());

  const auto transport = TransportQuery::Make(query.View(), parity.options);
  ASSERT_TRUE(transport.ok()) << transport.status();
  const auto scores = transport->Score(views);
  ASSERT_TRUE(scores.ok()) << scores.status();
  std::vector<std::string> result_json, have;
  for (size_t i = 0; i < results.size(); ++i) {
    const auto plan = transport->Explain(views[i]);
    ASSERT_TRUE(plan.ok()) << plan.status();
    result_json.push_back(results[i].Json());
    have.push_back(HaveJson((*scores)[i], *plan, static_cast<size_t>(query.tokens.cells())));
  }
  std::ofstream(path) << "{\"options\":" << OptionsJson(parity.options) << ",\"query\":" << query.Json()
                      << ",\"results\":[" << absl::StrJoin(result_json, ",") << "],\"have\":["
                      << absl::StrJoin(have, ",") << "]}\n";
}

TEST(TransportParityTest, AgreesWithTheReference) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  constexpr double kTolerance = 1e-5;
  std::vector<ParityCase> cases;
  for (const Marginals marginals : {Marginals::kUniform, Marginals::kCrossCorrelation, Marginals::kInverse,
                                    Marginals::kMinus, Marginals::kSoftmax, Marginals::kImportance}) {
    for (const double mass : {1.0, 0.6}) {
      const double temperature = marginals == Marginals::kSoftmax ? 0.2 : 0.1;
      const TransportOptions options = {.mass = mass,
                                        .marginals = marginals,
                                        .temperature = temperature,
                                        .max_rounds = 2000,
                                        .tolerance = kTolerance};
      TransportOptions reference = options;
      reference.stop = StopRule::kReference;
      reference.max_rounds = 100;
      TransportOptions fixed = options;
      fixed.stop = StopRule::kFixed;
      fixed.max_rounds = 20;
      TransportOptions fewer = options;
      fewer.query_cells = 20;
      fewer.result_cells = 9;
      cases.push_back({{4, 4}, {{4, 4}, {4, 4}}, options});
      cases.push_back({{4, 4}, {{4, 4}, {4, 4}, {4, 4}}, reference});
      cases.push_back({{7, 7}, {{7, 7}, {7, 7}, {7, 7}}, reference, 24});
      cases.push_back({{5, 8}, {{3, 7}, {9, 2}, {1, 1}}, options, 13});
      cases.push_back({{7, 7}, {{7, 7}, {6, 8}}, options, 33, TokenPrecision::kInt8});
      cases.push_back({{5, 8}, {{3, 7}, {7, 7}}, fewer, 16, TokenPrecision::kFloat16});
      cases.push_back({{7, 5}, {{6, 6}, {4, 9}}, options, 16, TokenPrecision::kInt8, /*masks=*/true});
      cases.push_back({{14, 14}, {{14, 14}}, fixed, 32, TokenPrecision::kInt8});
      cases.push_back({{24, 24}, {{24, 24}}, fixed, 8});
      cases.push_back({{1, 1}, {{1, 1}, {2, 3}}, options, 1});
    }
  }
  // What has to be done on logarithms.
  for (const double mass : {1.0, 0.5}) {
    cases.push_back({{4, 6}, {{5, 5}}, {.epsilon = 0.001, .mass = mass, .stop = StopRule::kFixed, .max_rounds = 50}});
    cases.push_back({{14, 14},
                     {{14, 14}},
                     {.mass = mass, .max_rounds = 2000, .tolerance = kTolerance},
                     64,
                     TokenPrecision::kFloat32,
                     false,
                     /*mean_cosine=*/0.8});
  }

  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / absl::StrCat("transport_parity_", ::getpid());
  std::filesystem::create_directories(folder);
  for (size_t i = 0; i < cases.size(); ++i) {
    WriteCase(random, cases[i],
              folder / absl::StrFormat("%03d_%s_%s.json", static_cast<int>(i), Name(cases[i].options.marginals),
                                       Name(cases[i].options.stop)));
  }
  const std::string command =
      absl::StrCat("/usr/bin/python3 -B " SIGHTLINE_PARITY "/check_transport.py ", folder.string(), " 2>&1");
  const int status = std::system(command.c_str());
  std::filesystem::remove_all(folder);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == kModuleMissing) GTEST_SKIP() << "python3-numpy is not installed";
  EXPECT_EQ(code, 0);
}

}  // namespace
}  // namespace sightline::index::rerank
