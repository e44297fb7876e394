// The kernels of transport by themselves.
#include "index/rerank/transport_kernels.h"

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "index/rerank/card_tokens.h"
#include "index/rerank/patch_set.h"
#include "tests/gpu/transport_scene.h"

namespace sightline::index::rerank {
namespace {

// Every array in an allocation of its own, so that a kernel that reads or writes behind one of them ends the test.
class TransportKernelsTest : public ::testing::Test {
 protected:
  ~TransportKernelsTest() override { FreeAll(); }

  void FreeAll() {
    for (void* memory : pieces_) cudaFree(memory);
    pieces_.clear();
  }

  template <typename T>
  T* Piece(size_t count) {
    void* memory = nullptr;
    EXPECT_EQ(cudaMalloc(&memory, count * sizeof(T)), cudaSuccess);
    pieces_.push_back(memory);
    return static_cast<T*>(memory);
  }
  template <typename T>
  T* Upload(const T* from, size_t count) {
    T* const to = Piece<T>(count);
    EXPECT_EQ(cudaMemcpy(to, from, count * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
    return to;
  }
  template <typename T>
  std::vector<T> Download(const T* from, size_t count) {
    std::vector<T> to(count);
    EXPECT_EQ(cudaMemcpy(to.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return to;
  }

  CardSide Side(const PatchTokens& tokens, int most) {
    const CardTokensLayout layout(tokens);
    std::vector<char> bytes(layout.bytes());
    layout.Encode(tokens, bytes.data());
    const CardTokens host = layout.At(bytes.data());
    const size_t cells = static_cast<size_t>(layout.cells()), quads = static_cast<size_t>(layout.quads());
    const size_t quad = layout.kind() == QuadKind::kInt8 ? 4 : layout.kind() == QuadKind::kFloat16 ? 8 : 16;
    const size_t room = most > 0 ? std::min(cells, static_cast<size_t>(most)) : cells;
    const std::vector<uint8_t> all(cells, 1);
    CardSide side = {.tokens = host, .most = most};
    side.tokens.quads = Upload(static_cast<const char*>(host.quads), quads * cells * quad);
    side.tokens.norms = Upload(host.norms, cells);
    side.tokens.centre = Upload(host.centre, quads * 4);
    side.tokens.importance = Upload(host.importance, cells);
    side.mask = Upload(all.data(), cells);
    side.total = Piece<SideTotal>(1);
    side.chosen = Piece<int>(room);
    side.weights = Piece<float>(room);
    return side;
  }

 private:
  std::vector<void*> pieces_;
};

TEST_F(TransportKernelsTest, WeighAndChooseAsTheCpu) {
  std::mt19937 random(20);  // of no near ties
  const PatchTokens images[] = {Tokens(random, 12, 13, 10, TokenPrecision::kInt8, 0.3f),
                                Tokens(random, 9, 8, 10, TokenPrecision::kFloat32, 0.3f)};
  const PatchSet sets[] = {DecodePatches(images[0]), DecodePatches(images[1])};
  for (const Marginals marginals : {Marginals::kUniform, Marginals::kCrossCorrelation, Marginals::kInverse,
                                    Marginals::kMinus, Marginals::kSoftmax, Marginals::kImportance}) {
    for (const int most : {0, 20}) {
      SCOPED_TRACE(absl::StrCat("marginals ", static_cast<int>(marginals), ", most ", most));
      const TransportOptions options = {.mass = 0.8, .marginals = marginals, .temperature = 0.1};
      const CardPair pair = {.rows = Side(images[0], most), .columns = Side(images[1], most)};
      const double rest = 1 - options.mass;
      ASSERT_EQ(LaunchPatchWeights(Upload(&pair, 1), 1, {marginals, 3, options.temperature, rest}, nullptr),
                cudaSuccess);
      for (const int i : {0, 1}) {
        const CardSide& side = i == 0 ? pair.rows : pair.columns;
        const ChosenPatches expected = ChoosePatches({&images[i]}, Cosines(sets[i], sets[1 - i].centre), most, options);
        const SideTotal total = Download(side.total, 1).front();
        ASSERT_EQ(static_cast<size_t>(total.count), expected.cells.size());
        EXPECT_EQ(Download(side.chosen, expected.cells.size()), expected.cells);
        const std::vector<float> weights = Download(side.weights, expected.cells.size());
        for (size_t k = 0; k < weights.size(); ++k) {
          EXPECT_NEAR(weights[k] * total.sum, expected.weights[k], kWeight * expected.weights[k] + 1e-8);
        }
      }
      FreeAll();
    }
  }
}

TEST_F(TransportKernelsTest, StayWithinTheirArrays) {
  std::mt19937 random(Seed() + 11);
  for (int turn = 0; turn < 12; ++turn) {
    const auto precision = OneOf(random, {TokenPrecision::kInt8, TokenPrecision::kFloat16, TokenPrecision::kFloat32});
    const int dim = OneOf(random, {4, 7, 18}), most = OneOf(random, {0, 3, 20});
    const auto tokens = [&] {
      return Tokens(random, 1 + static_cast<int>(random() % 6), 1 + static_cast<int>(random() % 7), dim, precision);
    };
    const PatchTokens query_tokens = tokens(), result = tokens();
    const TransportOptions options = {.mass = 0.8, .max_rounds = 3, .query_cells = most, .result_cells = most};
    CardPair pair = {.rows = Side(result, most), .columns = Side(query_tokens, most)};
    const auto patches = [most](const PatchTokens& side) {
      return most > 0 ? std::min(most, side.cells()) : side.cells();
    };
    const CardShape shape = {.codes = precision == TokenPrecision::kInt8,
                             .matrix_in_shared = turn % 2 == 0,
                             .most_rows = patches(result),
                             .most_columns = patches(query_tokens)};
    if (!shape.matrix_in_shared) pair.matrix = Piece<float>(static_cast<size_t>(shape.most_rows * shape.most_columns));
    const CardPair* const pairs = Upload(&pair, 1);
    PairScore* const on_card = Piece<PairScore>(1);
    const int quads = (dim + 3) / 4;
    const double rest = 1 - options.mass;
    ASSERT_EQ(LaunchPatchWeights(pairs, 1, {options.marginals, quads, 1, rest}, nullptr), cudaSuccess);
    ASSERT_EQ(
        LaunchTransport(pairs, 1, shape, {quads, 3, 0.05f, static_cast<float>(rest), rest, 2e-3f}, on_card, nullptr),
        cudaSuccess);
    const PairScore score = Download(on_card, 1).front();
    CardScores scores = CardScores::value_type(1);
    if (score.outcome != PairOutcome::kLeftToCpu) {
      (*scores)[0] = {score.structural, score.mass, score.rounds, score.outcome == PairOutcome::kConverged};
    }
    ExpectLike(Query({&query_tokens}, options), {{{&result}}}, scores);
    FreeAll();
  }
}

}  // namespace
}  // namespace sightline::index::rerank
