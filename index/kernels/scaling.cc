#include "index/kernels/scaling.h"

#include <algorithm>
#include <cmath>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "index/kernels/scaling.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

#include "index/kernels/exp-inl.h"
#include "index/kernels/token_cosines.h"

HWY_BEFORE_NAMESPACE();
namespace sightline::index::kernels::HWY_NAMESPACE {

#undef SIGHTLINE_UNROLL
#define SIGHTLINE_UNROLL _Pragma("GCC unroll 8")

// No more than the columns are padded to.
using ScalingTag = hn::CappedTag<float, kColumnPanel>;

void ExpOfCosinesRows(const float* HWY_RESTRICT cosines, size_t count, double epsilon, float* HWY_RESTRICT matrix) {
  const ScalingTag d;
  const size_t lanes = hn::Lanes(d);
  const CosineExp exp(epsilon);
  for (size_t i = 0; i < count; i += lanes) {
    hn::Store(exp(d, hn::Load(d, cosines + i)), d, matrix + i);
  }
}

// out[k] = sum of the lanes of sums[k], for a multiple of four.
template <size_t kRows>
HWY_INLINE void StoreSums(const hn::Vec<ScalingTag> (&sums)[kRows], float* HWY_RESTRICT out) {
#if HWY_TARGET == HWY_SCALAR
  for (size_t k = 0; k < kRows; ++k) out[k] = hn::GetLane(sums[k]);
#else
  const ScalingTag d;
  const hn::CappedTag<float, 4> four;
  const hn::RepartitionToWide<hn::RebindToUnsigned<ScalingTag> > wide;
  SIGHTLINE_UNROLL
  for (size_t k = 0; k < kRows; k += 4) {
    // Each block of four lanes of `ab` has two partial sums of row a and two of row b, of `all` one of each row.
    const auto ab = hn::Add(hn::InterleaveLower(d, sums[k], sums[k + 1]), hn::InterleaveUpper(d, sums[k], sums[k + 1]));
    const auto ce =
        hn::Add(hn::InterleaveLower(d, sums[k + 2], sums[k + 3]), hn::InterleaveUpper(d, sums[k + 2], sums[k + 3]));
    const auto low = hn::InterleaveLower(wide, hn::BitCast(wide, ab), hn::BitCast(wide, ce));
    const auto high = hn::InterleaveUpper(wide, hn::BitCast(wide, ab), hn::BitCast(wide, ce));
    const auto all = hn::Add(hn::BitCast(d, low), hn::BitCast(d, high));
    HWY_ALIGN float blocks[kColumnPanel];
    hn::Store(all, d, blocks);
    auto total = hn::Load(four, blocks);
    for (size_t at = 4; at < hn::Lanes(d); at += 4) total = hn::Add(total, hn::Load(four, blocks + at));
    hn::Store(total, four, out + k);
  }
#endif
}

// Products of kRows rows of K with c.
template <size_t kRows>
HWY_INLINE void RowProducts(const float* HWY_RESTRICT matrix, size_t stride, const float* HWY_RESTRICT c,
                            float* HWY_RESTRICT products) {
  const ScalingTag d;
  hn::Vec<ScalingTag> sums[kRows];
  SIGHTLINE_UNROLL
  for (size_t k = 0; k < kRows; ++k) sums[k] = hn::Zero(d);
  for (size_t j = 0; j < stride; j += hn::Lanes(d)) {
    const auto scaling = hn::Load(d, c + j);
    SIGHTLINE_UNROLL
    for (size_t k = 0; k < kRows; ++k) sums[k] = hn::MulAdd(hn::Load(d, matrix + k * stride + j), scaling, sums[k]);
  }
  StoreSums(sums, products);
}

// What kRows rows of K add to the sums of the columns.
template <size_t kRows>
HWY_INLINE void AddToColumns(const float* HWY_RESTRICT matrix, size_t stride, const float* HWY_RESTRICT r,
                             float* HWY_RESTRICT sums) {
  const ScalingTag d;
  hn::Vec<ScalingTag> scaling[kRows];
  SIGHTLINE_UNROLL
  for (size_t k = 0; k < kRows; ++k) scaling[k] = hn::Set(d, r[k]);
  for (size_t j = 0; j < stride; j += hn::Lanes(d)) {
    auto sum = hn::Load(d, sums + j);
    SIGHTLINE_UNROLL
    for (size_t k = 0; k < kRows; ++k) sum = hn::MulAdd(hn::Load(d, matrix + k * stride + j), scaling[k], sum);
    hn::Store(sum, d, sums + j);
  }
}

// Rows one block after the other. The products of a block are made before the sums of the block before it are added
// up: between its products and its scalings stands a chain of slow operations, which the sums hide.
class RowScaler {
 public:
  RowScaler(const ScalingProblem& problem, const Scalings& before, Scalings* after)
      : problem_(problem),
        before_(before),
        after_(*after),
        error_(hn::Zero(Tag())),
        change_(error_),
        sum_(error_),
        least_(hn::Set(Tag(), std::numeric_limits<float>::max())) {}

  // Rows `first` to `end`, a multiple of kRows.
  template <size_t kRows>
  HWY_INLINE void Scale(size_t first, size_t end) {
    if (first == end) return;
    HWY_ALIGN float products[kRows];
    RowProducts<kRows>(Row(first), problem_.stride, before_.c, products);
    for (size_t row = first; row < end; row += kRows) {
      SetScalings<kRows>(row, products);
      if (row + kRows < end) RowProducts<kRows>(Row(row + kRows), problem_.stride, before_.c, products);
      AddToColumns<kRows>(Row(row), problem_.stride, after_.r + row, after_.c);
    }
  }

  RoundResult Result() const {
    const Tag d;
    RoundResult result;
    result.row_error = hn::GetLane(hn::SumOfLanes(d, error_));
    result.change = hn::GetLane(hn::SumOfLanes(d, change_));
    result.sum_r = hn::GetLane(hn::SumOfLanes(d, sum_));
    result.least_product = hn::GetLane(hn::MinOfLanes(d, least_));
    return result;
  }

 private:
  using Tag = hn::CappedTag<float, kRowPadding>;

  const float* Row(size_t row) const { return problem_.matrix + row * problem_.stride; }

  template <size_t kRows>
  HWY_INLINE void SetScalings(size_t row, const float* HWY_RESTRICT products) {
    const Tag d;
    const auto dummy = hn::Set(d, problem_.dummy * before_.dummy_c);
    const auto most = hn::Set(d, std::numeric_limits<float>::max());
    for (size_t k = 0; k < kRows; k += hn::Lanes(d)) {
      const auto product = hn::Add(hn::Load(d, products + k), dummy);
      const auto u = hn::Load(d, problem_.u + row + k), old = hn::Load(d, before_.r + row + k);
      const auto r = hn::Div(u, product);
      hn::Store(r, d, after_.r + row + k);
      error_ = hn::Add(error_, hn::AbsDiff(hn::Mul(old, product), u));
      change_ = hn::Add(change_, hn::AbsDiff(r, old));
      sum_ = hn::Add(sum_, r);
      least_ = hn::Min(least_, hn::IfThenElse(hn::Gt(u, hn::Zero(d)), product, most));
    }
  }

  const ScalingProblem& problem_;
  const Scalings& before_;
  Scalings& after_;
  hn::Vec<Tag> error_, change_, sum_, least_;
};

float SumOf(const float* values, size_t padded) {
  const ScalingTag d;
  auto sum = hn::Zero(d);
  for (size_t j = 0; j < padded; j += hn::Lanes(d)) sum = hn::Add(sum, hn::Load(d, values + j));
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

RoundResult ScaleAllRows(const ScalingProblem& problem, const Scalings& before, Scalings* after) {
  std::fill_n(after->c, problem.stride, 0.0f);
  RowScaler scaler(problem, before, after);
  const size_t eights = problem.rows / 8 * 8;
  scaler.Scale<8>(0, eights);
  scaler.Scale<kRowPadding>(eights, problem.rows);
  RoundResult result = scaler.Result();
  result.sum_c = SumOf(before.c, problem.stride);
  if (problem.dummy > 0) {
    const float product = problem.dummy * static_cast<float>(result.sum_c);
    after->dummy_r = problem.dummy_u / product;
    result.row_error += std::abs(before.dummy_r * product - problem.dummy_u);
    result.change += std::abs(after->dummy_r - before.dummy_r);
    result.least_product = std::min(result.least_product, product);
    after->dummy_c = problem.dummy * static_cast<float>(result.sum_r);
  }
  return result;
}

float ScaleAllColumns(const ScalingProblem& problem, Scalings* after) {
  const ScalingTag d;
  // The dummy row's part of every column.
  const auto dummy = hn::Set(d, problem.dummy > 0 ? problem.dummy * after->dummy_r : 0);
  const auto zero = hn::Zero(d);
  const auto most = hn::Set(d, std::numeric_limits<float>::max());
  auto least = most;
  for (size_t j = 0; j < problem.stride; j += hn::Lanes(d)) {
    const auto sum = hn::Add(hn::Load(d, after->c + j), dummy);
    const auto weight = hn::Load(d, problem.v + j);
    const auto weighs = hn::Gt(weight, zero);
    least = hn::Min(least, hn::IfThenElse(weighs, sum, most));
    hn::Store(hn::IfThenElseZero(weighs, hn::Div(weight, sum)), d, after->c + j);
  }
  if (problem.dummy > 0) after->dummy_c = problem.dummy_v / after->dummy_c;
  return hn::GetLane(hn::MinOfLanes(d, least));
}

ScalingScore ScoreRows(const ScalingProblem& problem, const Scalings& scalings, const float* cosines) {
  const ScalingTag d;
  ScalingScore score;
  for (size_t i = 0; i < problem.rows; ++i) {
    const float* HWY_RESTRICT matrix = problem.matrix + i * problem.stride;
    const float* HWY_RESTRICT row = cosines + i * problem.stride;
    auto mass = hn::Zero(d), sum = hn::Zero(d);
    for (size_t j = 0; j < problem.stride; j += hn::Lanes(d)) {
      const auto scaled = hn::Mul(hn::Load(d, matrix + j), hn::Load(d, scalings.c + j));
      mass = hn::Add(mass, scaled);
      sum = hn::MulAdd(scaled, hn::Load(d, row + j), sum);
    }
    const double r = scalings.r[i];
    const double row_mass = r * hn::GetLane(hn::SumOfLanes(d, mass));
    score.mass += row_mass;
    score.structural += r * hn::GetLane(hn::SumOfLanes(d, sum));
    score.row_error += std::abs(row_mass + r * problem.dummy * scalings.dummy_c - problem.u[i]);
  }
  if (problem.dummy > 0) {
    const double row_mass = static_cast<double>(scalings.dummy_r) * problem.dummy * SumOf(scalings.c, problem.stride);
    score.row_error += std::abs(row_mass - problem.dummy_u);
  }
  return score;
}

}  // namespace sightline::index::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::index::kernels {

HWY_EXPORT(ExpOfCosinesRows);
HWY_EXPORT(ScaleAllRows);
HWY_EXPORT(ScaleAllColumns);
HWY_EXPORT(ScoreRows);

void ExpOfCosines(const float* cosines, size_t count, double epsilon, float* matrix) {
  HWY_DYNAMIC_DISPATCH(ExpOfCosinesRows)(cosines, count, epsilon, matrix);
}

RoundResult ScaleRows(const ScalingProblem& problem, const Scalings& before, Scalings* after) {
  return HWY_DYNAMIC_DISPATCH(ScaleAllRows)(problem, before, after);
}

float ScaleColumns(const ScalingProblem& problem, Scalings* after) {
  return HWY_DYNAMIC_DISPATCH(ScaleAllColumns)(problem, after);
}

ScalingScore ScorePlan(const ScalingProblem& problem, const Scalings& scalings, const float* cosines) {
  return HWY_DYNAMIC_DISPATCH(ScoreRows)(problem, scalings, cosines);
}

}  // namespace sightline::index::kernels

#endif  // HWY_ONCE
