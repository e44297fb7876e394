// RerankShortlist against the exhaustive order: every candidate scored, and sorted stably.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <future>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "index/rerank/shortlist.h"
#include "tests/index/rerank/patch_fixture.h"
#include "tests/support/fake_clock.h"
#include "tests/support/seed.h"

namespace sightline::index::rerank {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Tokens stay where they are: candidates point to them.
struct Scene {
  std::vector<std::unique_ptr<PatchTokens>> tokens;
  std::vector<QueryPatches> query;
  std::vector<Candidate> candidates;

  const PatchTokens* Add(PatchTokens added) {
    return tokens.emplace_back(std::make_unique<PatchTokens>(std::move(added))).get();
  }
};

// Falling cosines, as a search gives them, many equal; some candidates without tokens, and some the same twice.
Scene RandomScene(std::mt19937& random, int candidates, const std::vector<double>& weights) {
  Scene scene;
  const Vector direction = RandomUnit(random, 12);
  for (const double weight : weights) {
    const PatchTokens* tokens = scene.Add(RandomTokens(random, 3, 4, direction, 0.3, TokenPrecision::kInt8));
    scene.query.push_back({.patches = {.tokens = tokens}, .weight = weight});
  }
  for (int i = 0; i < candidates; ++i) {
    const double score = 0.9 - 0.01 * std::floor(0.3 * i);
    if (random() % 8 == 0) {
      scene.candidates.push_back({.score = score});
    } else if (i > 0 && random() % 5 == 0) {
      scene.candidates.push_back({.score = score, .tokens = scene.candidates.back().tokens});
    } else {
      const double mean_cosine = std::uniform_real_distribution<double>(0, 0.9)(random);
      const int height = static_cast<int>(2 + random() % 3);
      scene.candidates.push_back(
          {.score = score, .tokens = scene.Add(RandomTokens(random, height, 3, direction, mean_cosine))});
    }
  }
  return scene;
}

// S_struct of every candidate with tokens.
std::vector<std::optional<double>> Structural(const Scene& scene, const TransportOptions& options) {
  std::vector<std::optional<double>> structural(scene.candidates.size());
  std::vector<Patches> views;
  std::vector<size_t> places;
  for (size_t i = 0; i < scene.candidates.size(); ++i) {
    if (scene.candidates[i].tokens == nullptr) continue;
    views.push_back({.tokens = scene.candidates[i].tokens});
    places.push_back(i);
    structural[i] = 0;
  }
  double total = 0;
  for (const QueryPatches& part : scene.query) total += std::abs(part.weight);
  for (const QueryPatches& part : scene.query) {
    const auto scores = TransportQuery::Make(part.patches, options)->Score(views);
    EXPECT_TRUE(scores.ok()) << scores.status();
    for (size_t i = 0; i < places.size(); ++i) {
      *structural[places[i]] += part.weight / total * (*scores)[i].structural;
    }
  }
  return structural;
}

std::vector<int> ExhaustiveOrder(const Scene& scene, const std::vector<std::optional<double>>& structural,
                                 double weight) {
  std::vector<int> order(scene.candidates.size());
  std::iota(order.begin(), order.end(), 0);
  const auto total = [&](int i) {
    const auto& value = structural[static_cast<size_t>(i)];
    return value ? scene.candidates[static_cast<size_t>(i)].score + weight * *value
                 : -std::numeric_limits<double>::infinity();
  };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return total(a) > total(b); });
  return order;
}

bool IsPermutation(std::vector<int> order, size_t n) {
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] != static_cast<int>(i)) return false;
  }
  return order.size() == n;
}

TEST(RerankShortlistTest, TheBestAreThoseOfTheExhaustiveOrder) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  base::ThreadPool pool({.name = "rerank", .threads = 2, .on_thread_start = {}});
  int left_out = 0;
  for (int repeat = 0; repeat < 24; ++repeat) {
    const std::vector<std::vector<double>> weights = {{1}, {1, 0.5}, {2, -0.7}, {-1}, {0, 1, -0.1}};
    const Scene scene = RandomScene(random, static_cast<int>(random() % 200), weights[random() % weights.size()]);
    ShortlistOptions options;
    options.transport.mass = repeat % 2 == 0 ? 1 : 0.5;
    options.transport.marginals = Marginals::kUniform;
    options.weight = std::vector<double>{1, 0.2, 0, 5}[random() % 4];
    options.pool = repeat % 3 == 0 ? nullptr : &pool;
    const auto structural = Structural(scene, options.transport);
    const std::vector<int> expected = ExhaustiveOrder(scene, structural, options.weight);
    for (const int keep : {0, 1, 5, 40, 1000}) {
      SCOPED_TRACE(absl::StrCat("keep ", keep, " of ", scene.candidates.size()));
      options.keep = keep;
      const auto result = RerankShortlist(scene.query, scene.candidates, options);
      ASSERT_TRUE(result.ok()) << result.status();
      ASSERT_TRUE(IsPermutation(result->order, scene.candidates.size()));
      const size_t checked = keep == 0 ? expected.size() : std::min(expected.size(), static_cast<size_t>(keep));
      for (size_t i = 0; i < checked; ++i) ASSERT_EQ(result->order[i], expected[i]) << i;
      int without = 0;
      for (size_t i = 0; i < structural.size(); ++i) {
        if (!structural[i]) {
          ++without;
          EXPECT_FALSE(result->structural[i]);
        } else if (result->structural[i]) {
          EXPECT_NEAR(*result->structural[i], *structural[i], 1e-12);
        } else {
          EXPECT_GT(keep, 0);
          ++left_out;
        }
      }
      EXPECT_EQ(result->without_tokens, without);
      EXPECT_EQ(result->scored + without, static_cast<int>(scene.candidates.size()));
      EXPECT_FALSE(result->ran_out_of_time);
    }
  }
  EXPECT_GT(left_out, 0);
}

TEST(RerankShortlistTest, LeavesOutWhatItsPatchesCannotBringUp) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  Scene scene;
  const Vector direction = RandomUnit(random, 64);
  const PatchTokens* query = scene.Add(RandomTokens(random, 4, 4, direction, 0.3));
  scene.query = {{.patches = {.tokens = query}}};
  // The first few are the query itself; all others have nothing to do with it. By cosine alone they would all be equal.
  for (int i = 0; i < 300; ++i) {
    const bool same = i < 5;
    scene.candidates.push_back(
        {.score = 0.5, .tokens = same ? query : scene.Add(RandomTokens(random, 4, 4, RandomUnit(random, 64), 0.3))});
  }
  ShortlistOptions options;
  options.keep = 5;
  const auto result = RerankShortlist(scene.query, scene.candidates, options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(std::vector<int>(result->order.begin(), result->order.begin() + 5), ElementsAre(0, 1, 2, 3, 4));
  const auto unscored = std::count(result->structural.begin(), result->structural.end(), std::nullopt);
  EXPECT_GT(unscored, 250);
  EXPECT_EQ(result->scored, 300);
}

TEST(RerankShortlistTest, ThoseLeftOutStandBetweenTheScoredAndThoseWithoutTokens) {
  std::mt19937 random(17);
  Scene scene;
  const PatchTokens* query = scene.Add(RandomTokens(random, 3, 3, RandomUnit(random, 8), 0.3));
  scene.query = {{.patches = {.tokens = query}}};
  scene.candidates = {{.score = 0.95}, {.score = 0.5, .tokens = query}};
  for (int i = 0; i < 20; ++i) scene.candidates.push_back({.score = 0.9 - 0.01 * i, .tokens = query});
  scene.candidates.push_back({.score = -5, .tokens = query});
  scene.candidates.push_back({.score = -4.5, .tokens = query});
  scene.candidates.push_back({.score = -4});
  ShortlistOptions options;
  options.keep = 2;
  const auto result = RerankShortlist(scene.query, scene.candidates, options);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->order.size(), 25u);
  EXPECT_EQ(result->order[0], 2);
  EXPECT_EQ(result->order[1], 3);
  // A cosine of -4.5 and S_struct of 1 cannot come up.
  EXPECT_FALSE(result->structural[22]);
  EXPECT_FALSE(result->structural[23]);
  EXPECT_THAT(std::vector<int>(result->order.end() - 4, result->order.end()), ElementsAre(22, 23, 0, 24));
}

TEST(RerankShortlistTest, OutOfTimeAtEveryPortion) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const Scene scene = RandomScene(random, 150, {1, 0.3});
  const auto structural = Structural(scene, {});
  bool finished = false;
  for (int portions = 0; !finished; ++portions) {
    ASSERT_LT(portions, 200);
    SCOPED_TRACE(portions);
    testing::FakeClock clock;
    const base::Clock::Ticks deadline = clock.Steady() + std::chrono::seconds(portions);
    ShortlistOptions options;
    options.out_of_time = [&] {
      const bool late = clock.Steady() >= deadline;
      clock.Advance(absl::Seconds(1));
      return late;
    };
    const auto result = RerankShortlist(scene.query, scene.candidates, options);
    ASSERT_TRUE(result.ok()) << result.status();
    finished = !result->ran_out_of_time;
    ASSERT_TRUE(IsPermutation(result->order, scene.candidates.size()));
    const size_t scored = static_cast<size_t>(result->scored);
    if (portions == 0) {
      EXPECT_EQ(scored, 0u);
    }
    if (!finished) {
      EXPECT_LT(result->scored, 150 - result->without_tokens);
    }
    // The first `scored` that have tokens, in order of their new score; the others behind them as they were.
    size_t seen = 0;
    for (size_t i = 0; i < scene.candidates.size(); ++i) {
      const bool expected = scene.candidates[i].tokens != nullptr && seen < scored;
      seen += expected ? 1 : 0;
      EXPECT_EQ(result->structural[i].has_value(), expected) << i;
      if (expected && result->structural[i]) {
        EXPECT_NEAR(*result->structural[i], *structural[i], 1e-12);
      }
    }
    for (size_t place = 1; place < result->order.size(); ++place) {
      const auto before = static_cast<size_t>(result->order[place - 1]),
                 here = static_cast<size_t>(result->order[place]);
      if (place < scored) {
        const double above = scene.candidates[before].score + *structural[before];
        const double below = scene.candidates[here].score + *structural[here];
        EXPECT_TRUE(above > below || (above == below && before < here)) << place;
      } else if (place > scored) {
        EXPECT_LT(before, here);
      }
    }
  }
}

TEST(RerankShortlistTest, CancelledAtEveryPortion) {
  std::mt19937 random(5);
  const Scene scene = RandomScene(random, 120, {1});
  bool finished = false;
  for (int portions = 0; !finished; ++portions) {
    ASSERT_LT(portions, 200);
    int asked = 0;
    ShortlistOptions options;
    options.cancelled = [&] { return asked++ == portions; };
    const auto result = RerankShortlist(scene.query, scene.candidates, options);
    finished = result.ok();
    if (!finished) {
      EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled);
      EXPECT_EQ(base::GetErrorInfo(result.status()).reason, "CANCELLED");
      EXPECT_EQ(asked, portions + 1);
    }
  }
}

TEST(RerankShortlistTest, TheReferenceRuleScoresAllInOneCall) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const Scene scene = RandomScene(random, 90, {1, -0.5});
  base::ThreadPool pool({.name = "rerank", .threads = 2, .on_thread_start = {}});
  ShortlistOptions options;
  options.transport.stop = StopRule::kReference;
  options.keep = 3;
  options.pool = &pool;
  int asked = 0;
  options.out_of_time = [&] { return ++asked > 1; };
  const auto result = RerankShortlist(scene.query, scene.candidates, options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(asked, 1);
  EXPECT_FALSE(result->ran_out_of_time);
  const auto structural = Structural(scene, options.transport);
  EXPECT_EQ(result->order, ExhaustiveOrder(scene, structural, 1));
  for (size_t i = 0; i < structural.size(); ++i)
    EXPECT_EQ(result->structural[i].has_value(), structural[i].has_value());
}

TEST(RerankShortlistTest, ABusyPoolIsNotWaitedFor) {
  std::mt19937 random(5);
  const Scene scene = RandomScene(random, 60, {1});
  base::ThreadPool pool({.name = "busy", .threads = 1, .max_queue = 1, .on_thread_start = {}});
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  ASSERT_TRUE(pool.TrySubmit([released] { released.wait(); }));
  while (pool.queue_depth() > 0) std::this_thread::yield();
  ASSERT_TRUE(pool.TrySubmit([] {}));
  ShortlistOptions options;
  options.pool = &pool;
  const auto result = RerankShortlist(scene.query, scene.candidates, options);
  release.set_value();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->order, ExhaustiveOrder(scene, Structural(scene, {}), 1));
}

TEST(RerankShortlistTest, SeveralAtOnceShareThePool) {
  const unsigned seed = sightline::testing::Seed();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const Scene scene = RandomScene(random, 80, {1, 0.5});
  const std::vector<int> expected = ExhaustiveOrder(scene, Structural(scene, {}), 1);
  base::ThreadPool pool({.name = "rerank", .threads = 2, .on_thread_start = {}});
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int repeat = 0; repeat < 5; ++repeat) {
        ShortlistOptions options;
        options.pool = &pool;
        const auto result = RerankShortlist(scene.query, scene.candidates, options);
        if (result.ok() && result->order == expected) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 20);
}

TEST(RerankShortlistTest, NothingToDo) {
  std::mt19937 random(5);
  Scene scene = RandomScene(random, 0, {1});
  const auto nothing = RerankShortlist(scene.query, {}, {});
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_THAT(nothing->order, IsEmpty());
  scene.candidates = {{.score = 0.5}, {.score = 0.7}};
  ShortlistOptions options;
  options.out_of_time = [] { return true; };
  options.cancelled = [] { return true; };
  const auto without = RerankShortlist(scene.query, scene.candidates, options);
  ASSERT_TRUE(without.ok()) << without.status();
  EXPECT_THAT(without->order, ElementsAre(0, 1));
  EXPECT_EQ(without->without_tokens, 2);
  EXPECT_EQ(without->scored, 0);
  EXPECT_FALSE(without->ran_out_of_time);
}

TEST(RerankShortlistTest, BadInputIsRefusedInWords) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::mt19937 random(5);
  const Scene good = RandomScene(random, 40, {1, 1});
  base::ThreadPool pool({.name = "rerank", .threads = 2, .on_thread_start = {}});
  const auto error = [&](const auto& change) -> std::string {
    Scene scene;
    scene.query = good.query;
    scene.candidates = good.candidates;
    ShortlistOptions options;
    options.pool = &pool;
    change(scene, options);
    const auto result = RerankShortlist(scene.query, scene.candidates, options);
    if (result.ok()) return "accepted";
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(base::GetErrorInfo(result.status()).reason, "UNKNOWN");
    return std::string(result.status().message());
  };
  const PatchTokens nine = RandomTokens(random, 2, 2, RandomUnit(random, 9), 0.3);
  EXPECT_EQ(error([](Scene&, ShortlistOptions&) {}), "accepted");
  EXPECT_THAT(error([](Scene& s, ShortlistOptions&) { s.query.clear(); }), HasSubstr("the query has no patches"));
  EXPECT_THAT(error([](Scene& s, ShortlistOptions&) { s.query[1].patches.tokens = nullptr; }), HasSubstr("no tokens"));
  EXPECT_THAT(error([](Scene& s, ShortlistOptions&) { s.query[0].weight = s.query[1].weight = 0; }),
              HasSubstr("sum to 0"));
  EXPECT_THAT(error([](Scene& s, ShortlistOptions&) { s.query[1].weight = kNan; }), HasSubstr("sum to nan"));
  EXPECT_THAT(error([](Scene& s, ShortlistOptions&) { s.query[1].weight = -kInfinity; }), HasSubstr("sum to inf"));
  EXPECT_THAT(error([](Scene&, ShortlistOptions& o) { o.weight = -1; }), HasSubstr("structural score is -1"));
  EXPECT_THAT(error([](Scene&, ShortlistOptions& o) { o.weight = kNan; }), HasSubstr("structural score is nan"));
  EXPECT_THAT(error([](Scene&, ShortlistOptions& o) { o.weight = kInfinity; }), HasSubstr("structural score is inf"));
  EXPECT_THAT(error([](Scene&, ShortlistOptions& o) { o.keep = -3; }), HasSubstr("keep is -3"));
  EXPECT_THAT(error([](Scene&, ShortlistOptions& o) { o.transport.mass = 2; }), HasSubstr("mass is 2"));
  EXPECT_THAT(error([](Scene& s, ShortlistOptions&) { s.candidates[7].score = kNan; }), HasSubstr("score is nan"));
  EXPECT_THAT(error([&](Scene& s, ShortlistOptions&) { s.candidates[39].tokens = &nine; }),
              HasSubstr("dimension 12, a result's 9"));
  EXPECT_THAT(error([&](Scene& s, ShortlistOptions&) { s.candidates[0].tokens = &nine; }),
              HasSubstr("dimension 12, a result's 9"));
}

}  // namespace
}  // namespace sightline::index::rerank
