// Sinkhorn against the known answers of METHODS.md 3.3 and 3.4, and against the formula in long double, whose range
// needs no logarithms.
#include "index/rerank/sinkhorn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/index/rerank/patch_fixture.h"
#include "tests/support/seed.h"

namespace sightline::index::rerank {
namespace {

using ::testing::HasSubstr;

constexpr TransportOptions kReference = {.stop = StopRule::kReference};
constexpr TransportOptions kToTheEnd = {.max_rounds = 10'000, .tolerance = 1e-12};

struct Pair {
  Vector s, u, v;
  Similarities View() const { return {s, u.size(), v.size()}; }
};

Plan Solve(const Pair& pair, const TransportOptions& options) {
  const auto plan = Sinkhorn(pair.View(), pair.u, pair.v, options);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? *plan : Plan();
}

Vector RowSums(const Plan& plan, const Pair& pair) {
  Vector sums(pair.u.size());
  for (size_t i = 0; i < plan.transport.size(); ++i) sums[i / pair.v.size()] += plan.transport[i];
  return sums;
}

Vector ColumnSums(const Plan& plan, const Pair& pair) {
  Vector sums(pair.v.size());
  for (size_t i = 0; i < plan.transport.size(); ++i) sums[i % pair.v.size()] += plan.transport[i];
  return sums;
}

double Variation(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / 2;
}

Pair RandomPair(std::mt19937& random, size_t rows, size_t columns, double least_cosine = -1) {
  Pair pair{Vector(rows * columns), Vector(rows), Vector(columns)};
  std::uniform_real_distribution<double> cosine(least_cosine, 1), weight(0.05, 1);
  for (double& value : pair.s) value = cosine(random);
  for (Vector* weights : {&pair.u, &pair.v}) {
    for (double& value : *weights) value = weight(random);
    const double sum = SumOf(*weights);
    for (double& value : *weights) value /= sum;
  }
  return pair;
}

void ExpectPlan(const Plan& plan, const Vector& transport, double within) {
  ASSERT_EQ(plan.transport.size(), transport.size());
  for (size_t i = 0; i < transport.size(); ++i) EXPECT_NEAR(plan.transport[i], transport[i], within) << i;
}

// As METHODS.md prints it, sums and all, in long double.
struct Naive {
  explicit Naive(const Pair& pair, const TransportOptions& options) : rows(pair.u.size()), columns(pair.v.size()) {
    const bool partial = options.mass < 1;
    n = rows + (partial ? 1 : 0);
    m = columns + (partial ? 1 : 0);
    k.assign(n * m, 1 - static_cast<long double>(options.mass));
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < columns; ++j) {
        k[i * m + j] = std::exp(-(1 - static_cast<long double>(pair.s[i * columns + j])) / options.epsilon);
      }
    }
    u.assign(pair.u.begin(), pair.u.end());
    v.assign(pair.v.begin(), pair.v.end());
    if (partial) {
      k.back() = 0;
      u.push_back(1 - options.mass);
      v.push_back(1 - options.mass);
    }
    r.assign(n, 1);
    c.assign(m, 1);
  }

  // Returns sum of |r - r before|.
  long double Next() {
    long double step = 0;
    for (size_t i = 0; i < n; ++i) {
      long double sum = 0;
      for (size_t j = 0; j < m; ++j) sum += k[i * m + j] * c[j];
      const long double next = u[i] / sum;
      step += std::abs(next - r[i]);
      r[i] = next;
    }
    for (size_t j = 0; j < m; ++j) {
      long double sum = 0;
      for (size_t i = 0; i < n; ++i) sum += k[i * m + j] * r[i];
      c[j] = v[j] / sum;
    }
    return step;
  }

  Vector Transport() const {
    Vector t;
    for (size_t i = 0; i < rows; ++i) {
      for (size_t j = 0; j < columns; ++j) t.push_back(static_cast<double>(r[i] * k[i * m + j] * c[j]));
    }
    return t;
  }

  size_t rows, columns, n, m;
  std::vector<long double> k, u, v, r, c;
};

const Pair kFirst = {{.9, .1, .2, .8}, {.5, .5}, {.5, .5}};
const Pair kSecond = {{.9, .1, .2, .8}, {.7, .3}, {.4, .6}};
const Pair kThird = {{.99, .95, .96, .98}, {.7, .3}, {.4, .6}};

TEST(SinkhornTest, KnownAnswersWithTheReferenceRule) {
  Plan plan = Solve(kFirst, kReference);
  EXPECT_EQ(plan.rounds, 2);
  EXPECT_TRUE(plan.converged);
  ExpectPlan(plan, {.499997, 5.62686e-8, 3.07203e-6, .5}, 5e-7);
  EXPECT_NEAR(plan.transport[1], 5.62686e-8, 5e-14);
  EXPECT_NEAR(plan.transport[2], 3.07203e-6, 5e-12);
  EXPECT_NEAR(plan.structural, .8499978, 5e-8);

  plan = Solve(kSecond, kReference);
  EXPECT_EQ(plan.rounds, 21);
  ExpectPlan(plan, {.4, .2999925, 2.77e-13, .3000075}, 5e-8);
  EXPECT_NEAR(plan.transport[2], 2.77e-13, 5e-16);
  EXPECT_NEAR(plan.structural, .6300053, 5e-8);

  plan = Solve(kThird, kReference);
  EXPECT_EQ(plan.rounds, 2);
  ExpectPlan(plan, {.3341454, .3626823, .0658546, .2373177}, 5e-8);
  EXPECT_NEAR(plan.structural, .9711439, 5e-8);
}

TEST(SinkhornTest, KnownAnswersAtConvergence) {
  EXPECT_NEAR(Solve(kSecond, kToTheEnd).structural, .63, 5e-8);
  const Plan plan = Solve(kThird, kToTheEnd);
  EXPECT_TRUE(plan.converged);
  ExpectPlan(plan, {.3350224, .3649776, .0649776, .2350224}, 5e-8);
  EXPECT_NEAR(plan.structural, .9711013, 5e-8);
}

TEST(SinkhornTest, KnownAnswersOfPartialTransport) {
  TransportOptions options = kReference;
  options.mass = 0.5;
  Plan plan = Solve(kSecond, options);
  EXPECT_EQ(plan.rounds, 5);
  EXPECT_NEAR(plan.mass, .4633442, 5e-8);
  EXPECT_NEAR(plan.structural, .4033391, 5e-8);

  options = kToTheEnd;
  options.mass = 0.5;
  plan = Solve(kSecond, options);
  ExpectPlan(plan, {.3451143, 3.1e-7, 1.2e-7, .1548853}, 5e-8);
  EXPECT_NEAR(plan.transport[1], 3.1e-7, 5e-9);
  EXPECT_NEAR(plan.transport[2], 1.2e-7, 5e-9);
  EXPECT_NEAR(plan.mass, .5, 5e-8);
  // METHODS.md has .4345114, which the T that it prints beside it does not give: that is .43451117, of seven digits.
  EXPECT_NEAR(plan.structural, .9 * .3451143 + .1 * 3.1e-7 + .2 * 1.2e-7 + .8 * .1548853, 1e-7);
  EXPECT_NEAR(plan.structural, .4345114, 3e-7);
}

TEST(SinkhornTest, AlmostFullTransportIsFull) {
  TransportOptions options = kToTheEnd;
  options.mass = kFullMass;
  EXPECT_EQ(Solve(kThird, options).transport, Solve(kThird, kToTheEnd).transport);
}

// By a fixed number of rounds, so that the two do the same.
void CompareWithNaive(std::mt19937& random, size_t rows, size_t columns, const TransportOptions& options) {
  SCOPED_TRACE(absl::StrCat(rows, "x", columns, " epsilon ", options.epsilon, " mass ", options.mass, " rounds ",
                            options.max_rounds));
  Pair pair = RandomPair(random, rows, columns);
  // Sums that differ, as those of METHODS.md 3.2 do.
  for (double& weight : pair.u) weight *= 0.999;
  Naive naive(pair, options);
  for (int i = 0; i < options.max_rounds; ++i) naive.Next();
  const Plan plan = Solve(pair, options);
  EXPECT_EQ(plan.rounds, options.max_rounds);
  EXPECT_FALSE(plan.converged);
  const Vector expected = naive.Transport();
  ASSERT_EQ(plan.transport.size(), expected.size());
  double mass = 0, structural = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(plan.transport[i], expected[i], 1e-10) << i;
    mass += expected[i];
    structural += expected[i] * pair.s[i];
  }
  EXPECT_NEAR(plan.mass, mass, 1e-9);
  EXPECT_NEAR(plan.structural, structural, 1e-9);
}

TEST(SinkhornTest, DoesWhatTheFormulaSaysAtEverySizeAndEpsilon) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const size_t sizes[][2] = {{1, 1}, {1, 7}, {7, 1}, {2, 2}, {5, 3}, {13, 17}, {49, 31}};
  for (const auto& [rows, columns] : sizes) {
    for (const double epsilon : {0.001, 0.004, 0.007, 0.05, 1.0, 10.0}) {
      for (const double mass : {1.0, 0.9, 0.3}) {
        for (const int rounds : {1, 2, 25}) {
          CompareWithNaive(random, rows, columns,
                           {.epsilon = epsilon, .mass = mass, .stop = StopRule::kFixed, .max_rounds = rounds});
        }
      }
    }
  }
}

TEST(SinkhornTest, TakesLogarithmsWhereDoublesEnd) {
  // On the diagonal K is 1, so that scalings alone would do their rounds with no sign of anything being wrong; but what
  // has to move from the first row to the second column, 0.4 of the mass, would stay where it is.
  const Pair pair = {{1, -1, -1, 1}, {.7, .3}, {.3, .7}};
  TransportOptions options = kToTheEnd;
  options.epsilon = 0.001;
  const Plan plan = Solve(pair, options);
  EXPECT_TRUE(plan.logarithms);
  EXPECT_TRUE(plan.converged);
  ExpectPlan(plan, {.3, .4, 0, .3}, 1e-9);
  EXPECT_NEAR(plan.structural, .2, 1e-9);
  options.epsilon = 0.05;
  EXPECT_FALSE(Solve(pair, options).logarithms);
}

TEST(SinkhornTest, TheReferenceRuleStopsPairsTogether) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int repeat = 0; repeat < 20; ++repeat) {
    TransportOptions options = kReference;
    options.mass = repeat % 2 == 0 ? 1 : 0.6;
    std::vector<Pair> pairs;
    for (const size_t rows : {3, 8, 5}) pairs.push_back(RandomPair(random, rows, 2 + random() % 9, 0.2));
    std::vector<Naive> naive;
    size_t total = 0;
    for (const Pair& pair : pairs) total += naive.emplace_back(pair, options).n;
    int rounds = 0;
    long double step = std::numeric_limits<long double>::infinity();
    while (rounds < 100 && step / static_cast<long double>(total) >= 0.1L) {
      step = 0;
      for (Naive& each : naive) step += each.Next();
      ++rounds;
    }
    std::vector<Similarities> views;
    std::vector<Vector> u, v;
    for (const Pair& pair : pairs) {
      views.push_back(pair.View());
      u.push_back(pair.u);
      v.push_back(pair.v);
    }
    const auto plans = SinkhornTogether(views, u, v, options);
    ASSERT_TRUE(plans.ok()) << plans.status();
    for (size_t i = 0; i < pairs.size(); ++i) {
      EXPECT_EQ((*plans)[i].rounds, rounds);
      ExpectPlan((*plans)[i], naive[i].Transport(), 1e-10);
    }
  }
}

TEST(SinkhornTest, OtherRulesDoNotMindTheirNeighbours) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const Pair a = RandomPair(random, 6, 9), b = RandomPair(random, 4, 4, 0.9);
  const Similarities views[] = {a.View(), b.View()};
  const std::vector<Vector> u = {a.u, b.u}, v = {a.v, b.v};
  const auto plans = SinkhornTogether(views, u, v, {});
  ASSERT_TRUE(plans.ok()) << plans.status();
  EXPECT_EQ((*plans)[0].transport, Solve(a, {}).transport);
  EXPECT_EQ((*plans)[1].transport, Solve(b, {}).transport);
}

TEST(SinkhornTest, MarginalsAreMet) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int repeat = 0; repeat < 10; ++repeat) {
    const Pair pair = RandomPair(random, 1 + random() % 14, 1 + random() % 14);
    for (const double epsilon : {0.001, 0.05, 0.5}) {
      for (const double tolerance : {1e-2, 1e-3, 1e-6}) {
        const TransportOptions options = {.epsilon = epsilon, .max_rounds = 500, .tolerance = tolerance};
        const Plan plan = Solve(pair, options);
        EXPECT_GE(*std::min_element(plan.transport.begin(), plan.transport.end()), 0);
        EXPECT_NEAR(plan.mass, 1, 1e-9);
        EXPECT_LT(Variation(ColumnSums(plan, pair), pair.v), 1e-9);
        const double error = Variation(RowSums(plan, pair), pair.u);
        EXPECT_EQ(error <= tolerance + 1e-9, plan.converged) << error << " of " << tolerance;
        if (plan.rounds > 1) {
          // It stops as soon as it may.
          TransportOptions one_less = options;
          one_less.max_rounds = plan.rounds - 1;
          EXPECT_GT(Variation(RowSums(Solve(pair, one_less), pair), pair.u), tolerance - 1e-9);
        }
      }
    }
  }
}

TEST(SinkhornTest, PartialTransportCarriesItsMassAndNoPatchMoreThanItsWeight) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int repeat = 0; repeat < 20; ++repeat) {
    const Pair pair = RandomPair(random, 1 + random() % 25, 1 + random() % 25);
    for (const double mass : {0.05, 0.4, 0.6, 0.99}) {
      const Plan plan = Solve(pair, {.mass = mass, .max_rounds = 10'000, .tolerance = 1e-9});
      ASSERT_TRUE(plan.converged);
      EXPECT_NEAR(plan.mass, mass, 1e-8);
      EXPECT_GE(*std::min_element(plan.transport.begin(), plan.transport.end()), 0);
      const Vector rows = RowSums(plan, pair), columns = ColumnSums(plan, pair);
      for (size_t i = 0; i < rows.size(); ++i) EXPECT_LE(rows[i], pair.u[i] + 1e-8);
      for (size_t j = 0; j < columns.size(); ++j) EXPECT_LE(columns[j], pair.v[j] + 1e-8);
    }
  }
}

TEST(SinkhornTest, SumsThatDifferGiveTheColumnsTheirsAndTheRowsTheirShares) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const double a : {0.99999, 0.7, 1e-6}) {
    Pair pair = RandomPair(random, 12, 15);
    for (double& weight : pair.u) weight *= a;
    Plan plan = Solve(pair, {.max_rounds = 10'000, .tolerance = 1e-9});
    ASSERT_TRUE(plan.converged);
    Vector rows = pair.u;
    for (double& weight : rows) weight /= a;
    EXPECT_LT(Variation(RowSums(plan, pair), rows), 2e-9);
    EXPECT_LT(Variation(ColumnSums(plan, pair), pair.v), 1e-12);

    const double p = 0.6;
    plan = Solve(pair, {.mass = p, .max_rounds = 10'000, .tolerance = 1e-9});
    const double block = 1 - (1 - p) * (1 + 1 - p) / (a + 1 - p);
    EXPECT_EQ(plan.converged, block > 0) << a;
    if (block > 0) {
      EXPECT_NEAR(plan.mass, block, 1e-8);
    }
  }
}

TEST(SinkhornTest, PermutedPatchesGiveThePermutedPlan) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const double mass : {1.0, 0.5}) {
    for (const StopRule stop : {StopRule::kMarginalError, StopRule::kReference}) {
      const Pair pair = RandomPair(random, 11, 8, 0);
      const size_t rows = pair.u.size(), columns = pair.v.size();
      std::vector<size_t> row_order(rows), column_order(columns);
      std::iota(row_order.begin(), row_order.end(), 0);
      std::iota(column_order.begin(), column_order.end(), 0);
      std::shuffle(row_order.begin(), row_order.end(), random);
      std::shuffle(column_order.begin(), column_order.end(), random);
      Pair permuted = pair;
      for (size_t i = 0; i < rows; ++i) permuted.u[i] = pair.u[row_order[i]];
      for (size_t j = 0; j < columns; ++j) permuted.v[j] = pair.v[column_order[j]];
      for (size_t i = 0; i < rows; ++i) {
        for (size_t j = 0; j < columns; ++j) {
          permuted.s[i * columns + j] = pair.s[row_order[i] * columns + column_order[j]];
        }
      }
      const TransportOptions options = {.mass = mass, .stop = stop};
      const Plan plan = Solve(pair, options), other = Solve(permuted, options);
      EXPECT_NEAR(plan.structural, other.structural, 1e-12);
      for (size_t i = 0; i < rows; ++i) {
        for (size_t j = 0; j < columns; ++j) {
          EXPECT_NEAR(other.transport[i * columns + j], plan.transport[row_order[i] * columns + column_order[j]],
                      1e-12);
        }
      }
    }
  }
}

TEST(SinkhornTest, ExchangedSidesGiveTheTransposedPlanAtConvergence) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const double mass : {1.0, 0.5}) {
    for (const double epsilon : {0.05, 0.2}) {
      const Pair pair = RandomPair(random, 9, 14, -0.5);
      Pair exchanged{Vector(pair.s.size()), pair.v, pair.u};
      for (size_t i = 0; i < 9; ++i) {
        for (size_t j = 0; j < 14; ++j) exchanged.s[j * 9 + i] = pair.s[i * 14 + j];
      }
      const TransportOptions options = {.epsilon = epsilon, .mass = mass, .max_rounds = 10'000, .tolerance = 1e-11};
      const Plan plan = Solve(pair, options), other = Solve(exchanged, options);
      ASSERT_TRUE(plan.converged && other.converged);
      EXPECT_NEAR(plan.structural, other.structural, 1e-7);
      for (size_t i = 0; i < 9; ++i) {
        for (size_t j = 0; j < 14; ++j) EXPECT_NEAR(plan.transport[i * 14 + j], other.transport[j * 9 + i], 1e-7);
      }
    }
  }
}

TEST(SinkhornTest, OnePairOfPatchesIsItsOwnAnswer) {
  const Plan plan = Solve({{0.25}, {1}, {1}}, {});
  EXPECT_EQ(plan.rounds, 1);
  EXPECT_NEAR(plan.structural, 0.25, 1e-15);
  const Plan partial = Solve({{0.25}, {1}, {1}}, {.mass = 0.4, .max_rounds = 10'000, .tolerance = 1e-9});
  EXPECT_NEAR(partial.structural, 0.1, 1e-8);
}

TEST(SinkhornTest, PatchesWithoutWeightTakeNoPart) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (const double epsilon : {0.001, 0.05}) {
    for (const double mass : {1.0, 0.5}) {
      const Pair pair = RandomPair(random, 6, 5);
      Pair wider{{}, pair.u, pair.v};
      wider.u.insert(wider.u.begin() + 2, 0.0);
      wider.v.push_back(0);
      for (size_t i = 0; i < 7; ++i) {
        for (size_t j = 0; j < 6; ++j) {
          const bool extra = i == 2 || j == 5;
          wider.s.push_back(extra ? 1.0 : pair.s[(i < 2 ? i : i - 1) * 5 + j]);
        }
      }
      const TransportOptions options = {.epsilon = epsilon, .mass = mass};
      const Plan plan = Solve(pair, options), with = Solve(wider, options);
      EXPECT_EQ(plan.rounds, with.rounds);
      EXPECT_NEAR(plan.structural, with.structural, 1e-12);
      for (size_t i = 0; i < 7; ++i) {
        for (size_t j = 0; j < 6; ++j) {
          if (i == 2 || j == 5) {
            EXPECT_EQ(with.transport[i * 6 + j], 0);
          }
        }
      }
    }
  }
}

TEST(SinkhornTest, NoWeightAtAllTransportsNothing) {
  for (const double mass : {1.0, 0.5}) {
    for (const StopRule stop : {StopRule::kMarginalError, StopRule::kReference, StopRule::kFixed}) {
      for (const Pair& pair : {Pair{{.1, .2}, {0}, {.5, .5}}, Pair{{.1, .2}, {1}, {0, 0}}}) {
        const Plan plan = Solve(pair, {.mass = mass, .stop = stop});
        EXPECT_EQ(plan.transport, Vector(2));
        EXPECT_EQ(plan.structural, 0);
        EXPECT_EQ(plan.mass, 0);
        EXPECT_EQ(plan.rounds, 0);
        EXPECT_TRUE(plan.converged);
      }
    }
  }
}

TEST(SinkhornTest, AWeightlessPairDoesNotCountForItsNeighbours) {
  const Similarities views[] = {kFirst.View(), kSecond.View()};
  const std::vector<Vector> u = {{0, 0}, kSecond.u}, v = {kFirst.v, kSecond.v};
  const auto plans = SinkhornTogether(views, u, v, kReference);
  ASSERT_TRUE(plans.ok()) << plans.status();
  EXPECT_EQ((*plans)[1].rounds, 21);
}

TEST(SinkhornTest, WeightsBeyondAllReasonStayFinite) {
  const Pair pairs[] = {
      {{1, -1, -1, 1}, {1e-300, 1e-300}, {1e300, 1e300}},
      {{1, -1, 0, 0.5}, {5e-324, 1}, {0.5, 0.5}},
      {{-1, -1, -1, -1}, {1, 1e-320}, {1e-320, 1}},
  };
  for (const Pair& pair : pairs) {
    for (const double mass : {1.0, 0.001}) {
      for (const StopRule stop : {StopRule::kMarginalError, StopRule::kReference, StopRule::kFixed}) {
        const Plan plan = Solve(pair, {.epsilon = 0.001, .mass = mass, .stop = stop, .max_rounds = 10'000});
        EXPECT_TRUE(std::isfinite(plan.structural));
        EXPECT_TRUE(std::isfinite(plan.mass));
        for (const double value : plan.transport) EXPECT_TRUE(std::isfinite(value) && value >= 0) << value;
      }
    }
  }
}

TEST(SinkhornTest, BadInputIsRefusedInWords) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto error = [](const Vector& s, size_t rows, size_t columns, const Vector& u, const Vector& v,
                        const TransportOptions& options) -> std::string {
    const auto plan = Sinkhorn({s, rows, columns}, u, v, options);
    if (plan.ok()) return "accepted";
    EXPECT_EQ(plan.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(base::GetErrorInfo(plan.status()).reason, "UNKNOWN");
    return std::string(plan.status().message());
  };
  const Vector one = {1};
  EXPECT_EQ(error(one, 1, 1, one, one, {}), "accepted");
  EXPECT_THAT(error({}, 0, 0, {}, {}, {}), HasSubstr("0 similarities of 0x0 patches"));
  EXPECT_THAT(error({}, 1, 0, one, {}, {}), HasSubstr("1x0"));
  EXPECT_THAT(error(one, 1, 2, one, one, {}), HasSubstr("1 similarities of 1x2"));
  EXPECT_THAT(error({1, 1, 1}, 2, 1, {1, 1}, one, {}), HasSubstr("3 similarities of 2x1"));
  EXPECT_THAT(error(one, 1, size_t{1} << 63, one, one, {}), HasSubstr("1 similarities of 1x"));
  EXPECT_THAT(error(one, 1, 1, {}, one, {}), HasSubstr("0 weights of rows for 1"));
  EXPECT_THAT(error(one, 1, 1, one, {1, 1}, {}), HasSubstr("2 weights of columns for 1"));
  EXPECT_THAT(error({kNan}, 1, 1, one, one, {}), HasSubstr("a similarity is nan"));
  EXPECT_THAT(error({-kInfinity}, 1, 1, one, one, {}), HasSubstr("a similarity is -inf"));
  EXPECT_THAT(error({1.5}, 1, 1, one, one, {}), HasSubstr("a similarity is 1.5"));
  EXPECT_THAT(error(one, 1, 1, {kNan}, one, {}), HasSubstr("a weight of rows is nan"));
  EXPECT_THAT(error(one, 1, 1, one, {-0.5}, {}), HasSubstr("a weight of columns is -0.5"));
  EXPECT_THAT(error(one, 1, 1, {kInfinity}, one, {}), HasSubstr("sum to inf"));
  EXPECT_THAT(error(one, 1, 1, one, one, {.epsilon = 0}), HasSubstr("epsilon is 0"));
  EXPECT_FALSE(SinkhornTogether({}, {{Vector{1}}}, {}, {}).ok());
  EXPECT_TRUE(SinkhornTogether({}, {}, {}, {}).ok());
}

TEST(TransportOptionsTest, EveryOptionHasALimitWithItsValueInTheMessage) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_TRUE(ValidateTransport({}).ok());
  const std::pair<TransportOptions, std::string> bad[] = {
      {{.epsilon = 0.0009}, "epsilon is 0.0009; it must be 0.001 to 10"},
      {{.epsilon = 10.5}, "epsilon is 10.5"},
      {{.epsilon = kNan}, "epsilon is nan"},
      {{.mass = 0}, "mass is 0; it must be above 0 and at most 1"},
      {{.mass = 1.01}, "mass is 1.01"},
      {{.mass = kNan}, "mass is nan"},
      {{.temperature = 0}, "temperature is 0"},
      {{.temperature = 1001}, "temperature is 1001"},
      {{.max_rounds = 0}, "max_rounds is 0"},
      {{.max_rounds = 10'001}, "max_rounds is 10001; it must be 1 to 10000"},
      {{.tolerance = 0}, "tolerance is 0"},
      {{.tolerance = kNan}, "tolerance is nan"},
      {{.query_cells = -1}, "query_cells is -1"},
      {{.result_cells = -7}, "result_cells is -7"},
  };
  for (const auto& [options, words] : bad) {
    const absl::Status status = ValidateTransport(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << words;
    EXPECT_THAT(std::string(status.message()), HasSubstr(words));
  }
}

}  // namespace
}  // namespace sightline::index::rerank
