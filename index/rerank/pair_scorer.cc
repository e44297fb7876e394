#include "index/rerank/pair_scorer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>

#include "index/rerank/marginals.h"

namespace sightline::index::rerank {
namespace {

using kernels::AlignedVector;

constexpr size_t kMostKeptBytes = 32 << 20;
// Rows whose cosines are still in the first-level cache when their exponentials are taken.
constexpr size_t kBlockRows = 24;
// Entries of K that were too small for float32 may be this part of a row's or a column's sum.
constexpr double kLostPart = 1e-6;
// Scalings beyond it may leave the range of float32 by the next round.
constexpr double kMostScaling = 1e30;
// Of a cosine in float32, so that a bound is one.
constexpr double kBoundRounding = 1e-6;

size_t PaddedRows(size_t rows) {
  return (rows + kernels::kRowPadding - 1) / kernels::kRowPadding * kernels::kRowPadding;
}

void AtLeast(size_t size, AlignedVector<float>& buffer) {
  if (buffer.size() < size) buffer.resize(size);
}

size_t Bytes(const AlignedVector<float>& buffer) { return buffer.capacity() * sizeof(float); }

void SetUnit(absl::Span<const float> centre, AlignedVector<float>& unit) {
  double largest = 0, square = 0;
  for (const float value : centre) largest = std::max(largest, std::abs(static_cast<double>(value)));
  unit.assign(centre.size(), 0.0f);
  if (largest == 0) return;
  for (const float value : centre) square += value / largest * (value / largest);
  const double length = largest * std::sqrt(square);
  for (size_t i = 0; i < centre.size(); ++i) unit[i] = static_cast<float>(centre[i] / length);
}

kernels::QueryTokens Pack(const PatchTokens& tokens, absl::Span<const int> cells) {
  const size_t dim = static_cast<size_t>(tokens.dim);
  if (tokens.precision == TokenPrecision::kInt8) return {tokens.values.data(), tokens.scales.data(), cells, dim};
  return {tokens.floats.data(), cells, dim};
}

}  // namespace

PackedPatches::PackedPatches(const Patches& patches, const TransportOptions& options) {
  const PatchTokens& grid = *patches.tokens;
  columns.assign(static_cast<size_t>(grid.cells()), -1);
  for (int cell = 0; cell < grid.cells(); ++cell) {
    if (!patches.mask.empty() && patches.mask[static_cast<size_t>(cell)] == 0) continue;
    columns[static_cast<size_t>(cell)] = static_cast<int>(cells.size());
    cells.push_back(cell);
  }
  tokens = Pack(grid, cells);
  if (NeedsCentre(options.marginals)) SetUnit(grid.centre, centre);
}

PairScorer& PairScorer::OfThisThread() {
  static thread_local PairScorer scorer;
  return scorer;
}

void PairScorer::Prepare(const Patches& query, const PackedPatches& packed, const Patches& result,
                         const TransportOptions& options) {
  const PatchTokens& tokens = *result.tokens;
  const bool int8 = tokens.precision == TokenPrecision::kInt8;
  const size_t cells = static_cast<size_t>(tokens.cells()), dim = static_cast<size_t>(tokens.dim);
  packed_ = &packed;
  row_centres_.assign(cells, 0);
  column_centres_.assign(packed.columns.size(), 0);
  if (NeedsCentre(options.marginals)) {
    AtLeast(std::max(cells, packed.tokens.stride()), centre_cosines_);
    if (int8) {
      kernels::ResultCosines(tokens.values.data(), tokens.scales.data(), cells, dim, packed.centre.data(),
                             centre_cosines_.data());
    } else {
      kernels::ResultCosines(tokens.floats.data(), cells, dim, packed.centre.data(), centre_cosines_.data());
    }
    std::copy_n(centre_cosines_.begin(), cells, row_centres_.begin());
    SetUnit(tokens.centre, centre_);
    kernels::QueryCosines(packed.tokens, centre_.data(), centre_cosines_.data());
    for (size_t column = 0; column < packed.cells.size(); ++column) {
      column_centres_[static_cast<size_t>(packed.cells[column])] = centre_cosines_[column];
    }
  }
  rows_ = ChoosePatches(result, row_centres_, options.result_cells, options);
  columns_ = ChoosePatches(query, column_centres_, options.query_cells, options);
  if (empty()) return;

  if (int8) {
    row_tokens_.Assign(packed.tokens, tokens.values.data(), tokens.scales.data(), rows_.cells);
  } else {
    row_tokens_.Assign(packed.tokens, tokens.floats.data(), rows_.cells);
  }
  gathered_ = kernels::PaddedColumns(columns_.cells.size()) < packed.tokens.stride();
  if (gathered_) {
    gathered_columns_.clear();
    for (const int cell : columns_.cells) gathered_columns_.push_back(packed.columns[static_cast<size_t>(cell)]);
    gathered_tokens_.AssignColumns(packed.tokens, gathered_columns_, row_tokens_.as_codes());
  }
  SetWeights(options);
}

void PairScorer::SetWeights(const TransportOptions& options) {
  const size_t stride = query_tokens().stride(), rows = PaddedRows(rows_.cells.size());
  double sum_u = std::accumulate(rows_.weights.begin(), rows_.weights.end(), 0.0);
  double sum_v = std::accumulate(columns_.weights.begin(), columns_.weights.end(), 0.0);
  const double rest = options.mass < kFullMass ? 1 - options.mass : 0;
  sum_u += rest;
  sum_v += rest;
  scale_ = sum_v;
  // As in the plain version, with the reasons there.
  if (options.stop == StopRule::kReference) sum_u = sum_v = scale_ = 1;

  u_.assign(rows, 0.0f);
  for (size_t i = 0; i < rows_.weights.size(); ++i) u_[i] = static_cast<float>(rows_.weights[i] / sum_u);
  v_.assign(stride, 0.0f);
  chosen_.assign(stride, 0.0f);
  for (size_t j = 0; j < columns_.cells.size(); ++j) {
    const size_t column = gathered_ ? j : static_cast<size_t>(packed_->columns[static_cast<size_t>(columns_.cells[j])]);
    v_[column] = static_cast<float>(columns_.weights[j] / sum_v);
    chosen_[column] = 1;
  }
  problem_ = {.matrix = nullptr,
              .u = u_.data(),
              .v = v_.data(),
              .rows = rows,
              .stride = stride,
              .dummy = static_cast<float>(rest),
              .dummy_u = static_cast<float>(rest / sum_u),
              .dummy_v = static_cast<float>(rest / sum_v)};
}

size_t PairScorer::MakeCosines(size_t first) {
  const size_t rows = rows_.cells.size(), end = std::min(first + kBlockRows, rows);
  float* block = cosines_.data() + first * problem_.stride;
  kernels::TokenCosines(query_tokens(), row_tokens_, first, end - first, block);
  if (end < rows) return end;
  std::fill_n(cosines_.data() + rows * problem_.stride, (problem_.rows - rows) * problem_.stride, 0.0f);
  return problem_.rows;
}

double PairScorer::UpperBound(const TransportOptions& options) {
  AtLeast(problem_.rows * problem_.stride, cosines_);
  for (size_t row = 0; row < problem_.rows;) row = MakeCosines(row);
  AtLeast(problem_.stride, matrix_);
  kernels::ColumnMaxima(cosines_.data(), rows_.cells.size(), problem_.stride, matrix_.data());
  // Whatever the round, a column of the plan sums to its weight in full transport and to no more in partial: none earns
  // more than that times its best cosine. The rows' sums are met only in the end, so they bound nothing.
  const bool partial = options.mass < kFullMass;
  double bound = 0;
  for (size_t j = 0; j < problem_.stride; ++j) {
    const double best = partial ? std::max(matrix_[j], 0.0f) : matrix_[j];
    bound += static_cast<double>(v_[j]) * (best + kBoundRounding);
  }
  return bound * scale_;
}

void PairScorer::MakeMatrix(const TransportOptions& options) {
  AtLeast(problem_.rows * problem_.stride, cosines_);
  AtLeast(problem_.rows * problem_.stride, matrix_);
  problem_.matrix = matrix_.data();
  for (size_t row = 0; row < problem_.rows;) {
    const size_t end = MakeCosines(row), at = row * problem_.stride;
    kernels::ExpOfCosines(cosines_.data() + at, (end - row) * problem_.stride, options.epsilon, matrix_.data() + at);
    row = end;
  }
}

bool PairScorer::Run(const TransportOptions& options, absl::Span<RoundStep> steps) {
  const double tolerance = options.stop == StopRule::kMarginalError ? 2 * options.tolerance : -1;
  for (AlignedVector<float>* rows : {&scalings_[0], &scalings_[2]}) rows->assign(problem_.rows, 0.0f);
  std::fill_n(scalings_[0].begin(), rows_.cells.size(), 1.0f);
  scalings_[1].assign(chosen_.begin(), chosen_.end());
  scalings_[3].assign(problem_.stride, 0.0f);
  kernels::Scalings before{.r = scalings_[0].data(), .c = scalings_[1].data()};
  kernels::Scalings after{.r = scalings_[2].data(), .c = scalings_[3].data()};

  score_ = {};
  while (score_.rounds < options.max_rounds) {
    const kernels::RoundResult round = kernels::ScaleRows(problem_, before, &after);
    if (!(round.sum_r < kMostScaling && round.sum_c < kMostScaling &&
          round.least_product * kLostPart >= round.sum_c * kernels::kLeastKernel)) {
      return false;
    }
    // A round tells how far off the one before it ended.
    score_.converged = score_.rounds > 0 && round.row_error <= tolerance;
    if (score_.converged) break;
    const double least = kernels::ScaleColumns(problem_, &after);
    if (!(least * kLostPart >= round.sum_r * kernels::kLeastKernel)) return false;
    std::swap(before, after);
    if (!steps.empty()) {
      steps[static_cast<size_t>(score_.rounds)].change += round.change;
      steps[static_cast<size_t>(score_.rounds)].r += round.sum_r;
    }
    ++score_.rounds;
  }
  const kernels::ScalingScore plan = kernels::ScorePlan(problem_, before, cosines_.data());
  score_.structural = plan.structural * scale_;
  score_.mass = plan.mass * scale_;
  score_.converged = score_.converged || plan.row_error <= tolerance;
  return std::isfinite(score_.structural);
}

void PairScorer::Trim() {
  if (Bytes(cosines_) + Bytes(matrix_) + row_tokens_.bytes() > kMostKeptBytes) *this = PairScorer();
}

}  // namespace sightline::index::rerank
