// Transport on an emulated card against TransportQuery on the CPU, and what becomes of a card that has no memory, or
// fails.
#include <cuda_runtime.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/rerank/card_transport.h"
#include "index/rerank/shortlist.h"
#include "tests/gpu/emulator/emulator.h"
#include "tests/gpu/transport_scene.h"

namespace sightline::index::rerank {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<TransportDevice>> Open(size_t bytes, size_t least_bytes = kLeastTransportBytes) {
  auto card = gpu::OpenCard({.token_bytes = static_cast<int64_t>(bytes)});
  if (!card.ok()) return card.status();
  return OpenCardTransport(*std::move(card), {.least_bytes = least_bytes});
}

std::unique_ptr<TransportDevice> Card(size_t bytes = 32 << 20) {
  auto card = Open(bytes, bytes);
  EXPECT_TRUE(card.ok()) << card.status();
  return card.ok() ? *std::move(card) : nullptr;
}

TransportOptions RandomOptions(std::mt19937& random) {
  TransportOptions options;
  options.epsilon = OneOf(random, {0.01, 0.05, 0.05, 0.2, 10.0});
  options.mass = OneOf(random, {1.0, 1.0, 0.999, 0.9, 0.6, 0.3});
  options.marginals = OneOf(random, {Marginals::kUniform, Marginals::kCrossCorrelation, Marginals::kInverse,
                                     Marginals::kMinus, Marginals::kSoftmax, Marginals::kImportance});
  options.temperature = OneOf(random, {0.1, 1.0});
  options.stop = OneOf(random, {StopRule::kFixed, StopRule::kMarginalError, StopRule::kMarginalError});
  options.max_rounds = OneOf(random, {1, 2, 10, 30});
  options.query_cells = OneOf(random, {0, 0, 0, 5, 30});
  options.result_cells = OneOf(random, {0, 0, 0, 4, 50});
  return options;
}

TEST(CardTransportTest, AgreesWithTheCpu) {
  std::mt19937 random(Seed());
  const auto card = Card();
  for (int turn = 0; turn < 20; ++turn) {
    const TransportOptions options = RandomOptions(random);
    const int dim = OneOf(random, {16, 30, 64, 130});
    const auto side = [&] {
      const auto precision = OneOf(
          random, {TokenPrecision::kInt8, TokenPrecision::kInt8, TokenPrecision::kFloat16, TokenPrecision::kFloat32});
      const auto [height, width] = OneOf<std::pair<int, int>>(random, {{1, 1}, {1, 6}, {3, 5}, {5, 5}, {7, 7}});
      return Tokens(random, height, width, dim, precision, OneOf(random, {0.0f, 0.5f, 0.9f}));
    };
    const PatchTokens query_tokens = side(), first = side(), second = side();
    const std::vector<uint8_t> query_mask = Mask(random, query_tokens.cells()), mask = Mask(random, second.cells());
    SCOPED_TRACE(absl::StrCat("turn ", turn, ": ", query_tokens.cells(), " cells against ", first.cells(), " and ",
                              second.cells(), " of ", dim, ", epsilon ", options.epsilon, ", mass ", options.mass,
                              ", marginals ", static_cast<int>(options.marginals), ", stop ",
                              static_cast<int>(options.stop), ", most ", options.query_cells, " x ",
                              options.result_cells));
    const bool masked = turn % 3 == 0;
    const TransportQuery query = Query({&query_tokens, masked ? query_mask : std::vector<uint8_t>()}, options);
    const std::vector<Patches> results = {{&first}, {&second, mask}};
    ExpectLike(query, results, card->Score(query, results));
    if (HasFailure()) return;
  }
  EXPECT_GT(card->Stats().scored, 30) << "the CPU did what the card was asked for";
}

TEST(CardTransportTest, AgreesOnGridsOfImages) {
  std::mt19937 random(Seed() + 1);
  const auto card = Card();
  const PatchTokens query_tokens = Tokens(random, 14, 14, 128, TokenPrecision::kInt8);
  const PatchTokens like = Tokens(random, 14, 14, 128, TokenPrecision::kInt8, 0.7f);
  const PatchTokens other = Tokens(random, 12, 16, 128, TokenPrecision::kInt8);
  const std::vector<uint8_t> mask = Mask(random, other.cells());
  const TransportQuery query = Query({&query_tokens}, {.max_rounds = 6});
  const std::vector<Patches> results = {{&like}, {&other, mask}};
  ExpectLike(query, results, card->Score(query, results));
  EXPECT_EQ(card->Stats().scored, 2);
}

// K of 225 x 225 floats is more than a block may share.
TEST(CardTransportTest, AgreesWhereTheMatrixIsInTheCardsMemory) {
  std::mt19937 random(Seed() + 2);
  const auto card = Card();
  const PatchTokens query_tokens = Tokens(random, 15, 15, 8, TokenPrecision::kInt8);
  const PatchTokens large = Tokens(random, 15, 15, 8, TokenPrecision::kInt8, 0.8f);
  const PatchTokens small = Tokens(random, 2, 3, 8, TokenPrecision::kFloat32);
  const TransportQuery query = Query({&query_tokens}, {.mass = 0.7, .max_rounds = 4});
  const std::vector<Patches> results = {{&small}, {&large}};
  ExpectLike(query, results, card->Score(query, results));
  EXPECT_EQ(card->Stats().scored, 2);
}

TEST(CardTransportTest, AgreesOnWhatIsDegenerate) {
  std::mt19937 random(Seed() + 3);
  const auto card = Card();
  const PatchTokens image = Tokens(random, 3, 5, 16, TokenPrecision::kInt8);
  PatchTokens zeros = image;
  std::fill(zeros.values.begin(), zeros.values.end(), int8_t{0});
  PatchTokens equal = image;  // all patches are the same
  for (size_t i = 16; i < equal.values.size(); ++i) equal.values[i] = equal.values[i % 16];
  PatchTokens mirrored = image;  // cosines of -1
  for (float& scale : mirrored.scales) scale = -scale;
  PatchTokens scaleless = image;
  std::fill(scaleless.scales.begin(), scaleless.scales.begin() + 7, 0.0f);
  PatchTokens unweighted = image;  // some patches, then all, of importance 0
  std::fill(unweighted.importance.begin(), unweighted.importance.begin() + 5, 0.0f);
  PatchTokens weightless = image;
  std::fill(weightless.importance.begin(), weightless.importance.end(), 0.0f);
  PatchTokens centreless = image;
  std::fill(centreless.centre.begin(), centreless.centre.end(), 0.0f);
  const PatchTokens one = Tokens(random, 1, 1, 16, TokenPrecision::kInt8);
  const std::vector<uint8_t> nothing(15);
  const std::vector<Patches> results = {{&image},      {&zeros},      {&equal},      {&mirrored}, {&scaleless},
                                        {&unweighted}, {&weightless}, {&centreless}, {&one},      {&image, nothing}};
  for (const double epsilon : {0.001, 0.05, 10.0}) {
    for (const double mass : {1.0, 0.3}) {
      for (const Marginals marginals : {Marginals::kCrossCorrelation, Marginals::kImportance}) {
        if (epsilon == 10 && mass == 1) continue;
        SCOPED_TRACE(absl::StrCat("epsilon ", epsilon, ", mass ", mass, ", marginals ", static_cast<int>(marginals)));
        const TransportQuery query =
            Query({&image}, {.epsilon = epsilon, .mass = mass, .marginals = marginals, .max_rounds = 12});
        ExpectLike(query, results, card->Score(query, results));
      }
    }
  }
  EXPECT_GT(card->Stats().scored, 60);
  EXPECT_GT(card->Stats().left_to_cpu, 0) << "K spans more than float32 at the least epsilon";
  // Nothing is off after no round at all, which is not looked at.
  const TransportQuery same = Query({&one}, {});
  EXPECT_EQ(card->Score(same, {{{&one}}})->at(0)->rounds, same.Score({{{&one}}})->at(0).rounds);
  const TransportQuery masked = Query({&image, nothing}, {});
  ExpectLike(masked, results, card->Score(masked, results));
  EXPECT_TRUE(card->Score(masked, {})->empty());
}

// K spans e^-400, where float32 ends at e^-87; so do the scalings.
TEST(CardTransportTest, LeavesWhatFloat32CannotHold) {
  std::mt19937 random(Seed() + 13);
  const auto card = Card();
  const PatchTokens image = Tokens(random, 4, 4, 16, TokenPrecision::kInt8, 0.9f);
  PatchTokens mixed = Tokens(random, 4, 4, 16, TokenPrecision::kInt8, 0.9f);
  std::fill(mixed.scales.begin(), mixed.scales.begin() + 8, -1.0f);
  PatchTokens reversed = image;
  for (float& scale : reversed.scales) scale = -scale;
  const std::vector<Patches> results = {{&mixed}, {&reversed}};
  for (const double epsilon : {0.005, 0.01, 0.02}) {
    for (const double mass : {1.0, 0.7}) {
      SCOPED_TRACE(absl::StrCat("epsilon ", epsilon, ", mass ", mass));
      const TransportQuery query =
          Query({&image}, {.epsilon = epsilon, .mass = mass, .marginals = Marginals::kUniform, .max_rounds = 40});
      ExpectLike(query, results, card->Score(query, results));
    }
  }
  EXPECT_GT(card->Stats().left_to_cpu, 0);
}

// Pairs of which the card says nothing.
TEST(CardTransportTest, LeavesToTheCpuWhatNeedsMore) {
  std::mt19937 random(Seed() + 4);
  const auto card = Card();
  const PatchTokens image = Tokens(random, 3, 3, 16, TokenPrecision::kInt8);
  const PatchTokens other = Tokens(random, 3, 2, 16, TokenPrecision::kFloat32);
  const PatchTokens large = Tokens(random, 33, 32, 4, TokenPrecision::kInt8);
  const std::vector<Patches> results = {{&image}, {&other}};
  const int64_t blocks = emulator::BlocksRun();
  for (const TransportOptions& options :
       {TransportOptions{.stop = StopRule::kReference}, TransportOptions{.tolerance = 1e-7}}) {
    const TransportQuery query = Query({&image}, options);
    const CardScores scores = card->Score(query, results);
    ASSERT_TRUE(scores.ok()) << scores.status();
    EXPECT_EQ(*scores, CardScores::value_type(2));
  }
  EXPECT_EQ(emulator::BlocksRun(), blocks);
  EXPECT_EQ(card->Stats().left_to_cpu, 4);
  const PatchTokens few = Tokens(random, 2, 2, 4, TokenPrecision::kInt8);
  const TransportQuery query = Query({&few}, {.max_rounds = 3});
  const std::vector<Patches> mixed = {{&large}, {&few}};
  const CardScores scores = card->Score(query, mixed);
  ExpectLike(query, mixed, scores);
  EXPECT_FALSE(scores->at(0));
  EXPECT_TRUE(scores->at(1));
  EXPECT_EQ(card->Stats().left_to_cpu, 5);
  const TransportQuery too_large = Query({&large}, {.max_rounds = 3});
  EXPECT_EQ(card->Score(too_large, mixed)->at(1), std::nullopt);
  EXPECT_EQ(card->Stats().left_to_cpu, 7);
}

TEST(CardTransportTest, RefusesWhatTheCpuRefuses) {
  std::mt19937 random(Seed() + 5);
  const auto card = Card();
  PatchTokens image = Tokens(random, 3, 3, 16, TokenPrecision::kInt8);
  image.stored_as = {1, 1};
  PatchTokens wide = Tokens(random, 3, 3, 17, TokenPrecision::kInt8);
  PatchTokens bad = image;
  bad.stored_as = {};
  bad.scales[3] = NAN;
  const std::vector<uint8_t> short_mask(8, 1);
  const TransportQuery query = Query({&image}, {.max_rounds = 3});
  for (const Patches& result : {Patches{&wide}, Patches{&bad}, Patches{&image, short_mask}, Patches{}}) {
    const std::vector<Patches> results = {{&image}, result};
    const CardScores scores = card->Score(query, results);
    EXPECT_EQ(scores.status(), query.Score(results).status());
    EXPECT_TRUE(absl::IsInvalidArgument(scores.status()));
  }
  EXPECT_EQ(card->Stats().failures, 0);
  // Known to the card without importances, which another query needs.
  PatchTokens without = image;
  without.stored_as = {1, 2};
  without.importance.clear();
  ExpectLike(query, {{{&without}}}, card->Score(query, {{{&without}}}));
  const TransportQuery important = Query({&image}, {.marginals = Marginals::kImportance});
  EXPECT_EQ(base::GetErrorInfo(card->Score(important, {{{&without}}}).status()).reason, "TOKENS_INVALID");
}

struct Gallery {
  Gallery(std::mt19937& random, int count, int side, int dim) {
    for (int i = 0; i < count; ++i) {
      images.push_back(Tokens(random, side, side, dim, TokenPrecision::kInt8));
      images.back().stored_as = {7, static_cast<uint64_t>(i + 1)};
    }
    for (const PatchTokens& image : images) views.push_back({&image});
  }
  std::vector<PatchTokens> images;
  std::vector<Patches> views;
};

TEST(CardTransportTest, TokensAreUploadedOnceAndThoseUsedLastStay) {
  std::mt19937 random(Seed() + 6);
  Gallery gallery(random, 12, 4, 512);  // 10 KB each
  const PatchTokens query_tokens = Tokens(random, 2, 2, 512, TokenPrecision::kInt8);
  const TransportQuery query = Query({&query_tokens}, {.max_rounds = 2});
  const auto card = Card(150 << 10);
  const auto score = [&](size_t begin, size_t count) {
    const absl::Span<const Patches> results = absl::MakeConstSpan(gallery.views).subspan(begin, count);
    ExpectLike(query, results, card->Score(query, results));
    return card->Stats();
  };
  EXPECT_EQ(score(0, 6).uploads, 7) << "with the query";
  TransportDeviceStats stats = score(0, 6);
  EXPECT_EQ(stats.uploads, 8) << "the query has no name";
  EXPECT_EQ(stats.found, 6);
  EXPECT_EQ(stats.evicted, 0);
  stats = score(6, 6);
  EXPECT_EQ(stats.uploads, 15);
  EXPECT_GT(stats.evicted, 0);
  EXPECT_LE(stats.bytes_used, stats.bytes);
  EXPECT_LE(emulator::UsedMemory(), 150u << 10);
  const int64_t found = stats.found;
  EXPECT_EQ(score(6, 6).found, found + 6) << "those used last are there";
  EXPECT_EQ(score(0, 1).found, found + 6) << "the one used first has made room";
  EXPECT_EQ(card->Stats().failures, 0);
  // Another name is another image.
  gallery.images[6] = gallery.images[0];
  gallery.images[6].stored_as = {8, 7};
  score(6, 1);
}

// More than fits at once is scored in batches; one pair that does not fit is refused, and the next that does is not.
TEST(CardTransportTest, ABatchThatDoesNotFitIsDivided) {
  std::mt19937 random(Seed() + 7);
  Gallery gallery(random, 30, 4, 512);
  const PatchTokens query_tokens = Tokens(random, 2, 2, 512, TokenPrecision::kInt8);
  const TransportQuery query = Query({&query_tokens}, {.max_rounds = 2});
  const auto card = Card(120 << 10);
  const int64_t blocks = emulator::BlocksRun();
  ExpectLike(query, gallery.views, card->Score(query, gallery.views));
  EXPECT_EQ(emulator::BlocksRun(), blocks + 30 * 3);
  EXPECT_GT(card->Stats().evicted, 15);

  const PatchTokens large = Tokens(random, 16, 16, 512, TokenPrecision::kInt8);
  const auto refused = card->Score(query, {{gallery.views[0], Patches{&large}}});
  EXPECT_EQ(base::GetErrorInfo(refused.status()).reason, "CARD_FULL");
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status()));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("122880 bytes"));
  EXPECT_EQ(card->Stats().failures, 1);
  ExpectLike(query, gallery.views, card->Score(query, gallery.views));
}

TEST(CardTransportTest, OpensWithLessOrNotAtAllWhereMemoryIsShort) {
  std::mt19937 random(Seed() + 8);
  Gallery gallery(random, 3, 3, 16);
  const TransportQuery query = Query({&gallery.images[0]}, {.max_rounds = 2});
  // Every allocation fails once.
  int failures = 0;
  for (int n = 0;; ++n) {
    emulator::FailMallocAfter(n);
    const auto card = Open(1 << 20, 1 << 20);
    emulator::FailMallocAfter(-1);
    if (card.ok()) {
      ExpectLike(query, gallery.views, (*card)->Score(query, gallery.views));
      break;
    }
    ++failures;
    EXPECT_EQ(base::GetErrorInfo(card.status()).reason, "CARD_FULL") << card.status();
    EXPECT_EQ(emulator::UsedMemory(), 0u);
  }
  EXPECT_EQ(failures, 1);

  // 95 % of the card are another's.
  void* other = nullptr;
  emulator::SetMemory(100 << 20);
  ASSERT_EQ(cudaMalloc(&other, 95 << 20), cudaSuccess);
  EXPECT_EQ(base::GetErrorInfo(Open(64 << 20).status()).reason, "CARD_FULL");
  const auto less = Open(64 << 20, 1 << 20);
  ASSERT_TRUE(less.ok()) << less.status();
  EXPECT_EQ((*less)->Stats().bytes, 4u << 20);
  // Nothing more is allocated later.
  emulator::FailMallocAfter(0);
  ExpectLike(query, gallery.views, (*less)->Score(query, gallery.views));
  emulator::FailMallocAfter(-1);
  cudaFree(other);
  emulator::SetMemory(size_t{1} << 30);
}

TEST(CardTransportTest, SeveralThreadsShareACardThatIsTooSmallForThem) {
  std::mt19937 random(Seed() + 14);
  const Gallery gallery(random, 10, 3, 256);
  const auto card = Card(100 << 10);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const TransportQuery query = Query({&gallery.images[static_cast<size_t>(t)]}, {.max_rounds = 2});
      for (int turn = 0; turn < 3; ++turn) ExpectLike(query, gallery.views, card->Score(query, gallery.views));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(card->Stats().scored, 90);
}

TEST(CardTransportTest, AFailingLaunchEndsTheUseOfTheCard) {
  std::mt19937 random(Seed() + 9);
  Gallery gallery(random, 3, 3, 16);
  const TransportQuery query = Query({&gallery.images[0]}, {.max_rounds = 2});
  for (const int launches : {0, 1}) {
    const auto card = Card(1 << 20);
    emulator::FailLaunchAfter(launches);
    const auto scores = card->Score(query, gallery.views);
    emulator::FailLaunchAfter(-1);
    (void)cudaGetLastError();
    EXPECT_EQ(base::GetErrorInfo(scores.status()).reason, "CARD_LOST") << scores.status();
    const int64_t blocks = emulator::BlocksRun();
    EXPECT_EQ(base::GetErrorInfo(card->Score(query, gallery.views).status()).reason, "CARD_LOST");
    EXPECT_EQ(emulator::BlocksRun(), blocks) << "it is not tried again";
    EXPECT_EQ(card->Stats().failures, 2);
  }
}

TEST(CardTransportTest, AShortlistIsTheSameWithACardAndWithOneThatFails) {
  std::mt19937 random(Seed() + 10);
  Gallery gallery(random, 8, 3, 32);
  const PatchTokens query_tokens = Tokens(random, 3, 3, 32, TokenPrecision::kFloat32);
  const std::vector<QueryPatches> query = {{{&query_tokens}, 1}, {{&gallery.images[2]}, -0.25}};
  std::vector<Candidate> candidates;
  for (size_t i = 0; i < gallery.images.size(); ++i) {
    candidates.push_back({0.9 - 0.01 * static_cast<double>(i), i == 4 ? nullptr : &gallery.images[i]});
  }
  ShortlistOptions options;
  options.transport.max_rounds = 5;
  const auto cpu = RerankShortlist(query, candidates, options);
  ASSERT_TRUE(cpu.ok()) << cpu.status();
  const auto card = Card(1 << 20);
  options.device = card.get();
  for (const bool failing : {false, true}) {
    if (failing) emulator::FailLaunchAfter(1);
    const auto result = RerankShortlist(query, candidates, options);
    emulator::FailLaunchAfter(-1);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->order, cpu->order);
    EXPECT_EQ(result->scored, 7);
    for (size_t i = 0; i < candidates.size(); ++i) {
      ASSERT_EQ(result->structural[i].has_value(), cpu->structural[i].has_value());
      if (cpu->structural[i]) {
        EXPECT_NEAR(*result->structural[i], *cpu->structural[i], kLoose);
      }
    }
    EXPECT_EQ(card->Stats().scored, 14) << "seven results for two parts";
    EXPECT_EQ(card->Stats().failures, failing ? 1 : 0);
  }
}

TEST(CardTransportTest, AShortlistHasWhatTheCardLeavesToTheCpu) {
  std::mt19937 random(Seed() + 12);
  Gallery gallery(random, 4, 2, 8);
  const PatchTokens large = Tokens(random, 33, 32, 8, TokenPrecision::kInt8);
  std::vector<Candidate> candidates = {{0.5, &gallery.images[0]}, {0.4, &large}, {0.3, &gallery.images[1]}};
  ShortlistOptions options;
  options.transport.max_rounds = 2;
  const std::vector<QueryPatches> query = {{{&gallery.images[2]}}};
  const auto cpu = RerankShortlist(query, candidates, options);
  const auto card = Card(1 << 20);
  options.device = card.get();
  const auto result = RerankShortlist(query, candidates, options);
  ASSERT_TRUE(cpu.ok() && result.ok());
  EXPECT_EQ(result->order, cpu->order);
  EXPECT_EQ(result->scored, 3);
  EXPECT_EQ(result->structural[1], cpu->structural[1]);
  EXPECT_EQ(card->Stats().scored, 2);
  EXPECT_EQ(card->Stats().left_to_cpu, 1);
}

}  // namespace
}  // namespace sightline::index::rerank
