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

HWY_BEFORE_NAMESPACE();
namespace sightline::index::kernels::HWY_NAMESPACE {

#undef SIGHTLINE_UNROLL
#define SIGHTLINE_UNROLL _Pragma("GCC unroll 8")

// No more than the columns are padded to.
using ScalingTag = hn::CappedTag<float, 16>;

void ExpOfCosinesRows(const float* HWY_RESTRICT cosines, size_t count, double epsilon, float* HWY_RESTRICT matrix) {
  const ScalingTag d;
  const size_t lanes = hn::Lanes(d);
  const CosineExp exp(epsilon);
  for (size_t i = 0; i < count; i += lanes) {
    hn::Store(exp(d, hn::Load(d, cosines + i)), d, matrix + i);
  }
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
  SIGHTLINE_UNROLL
  for (size_t k = 0; k < kRows; ++k) products[k] = hn::GetLane(hn::SumOfLanes(d, sums[k]));
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

class RowScaler {
 public:
  RowScaler(const ScalingProblem& problem, const Scalings& before, Scalings* after)
      : problem_(problem), before_(before), after_(*after), dummy_product_(problem.dummy * before.dummy_c) {}

  template <size_t kRows>
  HWY_INLINE void Scale(size_t row) {
    HWY_ALIGN float products[kRows];
    const float* matrix = problem_.matrix + row * problem_.stride;
    RowProducts<kRows>(matrix, problem_.stride, before_.c, products);
    for (size_t k = 0; k < kRows; ++k) {
      const float product = products[k] + dummy_product_;
      const float u = problem_.u[row + k], old = before_.r[row + k];
      const float r = u / product;
      after_.r[row + k] = r;
      error_ += std::abs(old * product - u);
      change_ += std::abs(r - old);
      sum_ += r;
      // Rows without weight need no product.
      least_ = u > 0 ? std::min(least_, product) : least_;
    }
    AddToColumns<kRows>(matrix, problem_.stride, after_.r + row, after_.c);
  }

  RoundResult Result() const {
    RoundResult result;
    result.row_error = error_;
    result.change = change_;
    result.sum_r = sum_;
    result.least_product = least_;
    return result;
  }

 private:
  const ScalingProblem& problem_;
  const Scalings& before_;
  Scalings& after_;
  const float dummy_product_;
  float error_ = 0, change_ = 0, sum_ = 0;
  float least_ = std::numeric_limits<float>::max();
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
  size_t row = 0;
  for (; row + 8 <= problem.rows; row += 8) scaler.Scale<8>(row);
  for (; row + 4 <= problem.rows; row += 4) scaler.Scale<4>(row);
  for (; row < problem.rows; ++row) scaler.Scale<1>(row);
  RoundResult result = scaler.Result();
  result.sum_c = SumOf(before.c, problem.stride);
  if (problem.dummy > 0) {
    const float product = problem.dummy * static_cast<float>(result.sum_c);
    after->dummy_r = problem.dummy / product;
    result.row_error += std::abs(before.dummy_r * product - problem.dummy);
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
  if (problem.dummy > 0) after->dummy_c = problem.dummy / after->dummy_c;
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
    score.mass += r * hn::GetLane(hn::SumOfLanes(d, mass));
    score.structural += r * hn::GetLane(hn::SumOfLanes(d, sum));
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
