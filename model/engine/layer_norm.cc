#include "model/engine/layer_norm.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "model/engine/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/engine/layer_norm.cc"
#include <hwy/foreach_target.h>
// Highway's own order: foreach_target first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace sightline::model::engine::HWY_NAMESPACE {
namespace hn = ::hwy::HWY_NAMESPACE;

// The mean first and the variance around it, as the definition says; the row is in the cache by then.
void NormaliseRow(const float* x, size_t dim, const float* weight, const float* bias, float epsilon, float* y) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);
  auto s0 = hn::Zero(d), s1 = hn::Zero(d);
  size_t i = 0;
  for (; i + 2 * lanes <= dim; i += 2 * lanes) {
    s0 = hn::Add(s0, hn::LoadU(d, x + i));
    s1 = hn::Add(s1, hn::LoadU(d, x + i + lanes));
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  for (; i < dim; ++i) sum += x[i];
  const float mean = sum / static_cast<float>(dim);

  const auto means = hn::Set(d, mean);
  s0 = s1 = hn::Zero(d);
  i = 0;
  for (; i + 2 * lanes <= dim; i += 2 * lanes) {
    const auto a = hn::Sub(hn::LoadU(d, x + i), means);
    const auto b = hn::Sub(hn::LoadU(d, x + i + lanes), means);
    s0 = hn::MulAdd(a, a, s0);
    s1 = hn::MulAdd(b, b, s1);
  }
  float squares = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
  for (; i < dim; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const float factor = 1 / std::sqrt(squares / static_cast<float>(dim) + epsilon);

  const auto factors = hn::Set(d, factor);
  i = 0;
  for (; i + lanes <= dim; i += lanes) {
    const auto normalised = hn::Mul(hn::Sub(hn::LoadU(d, x + i), means), factors);
    hn::StoreU(hn::MulAdd(normalised, hn::LoadU(d, weight + i), hn::LoadU(d, bias + i)), d, y + i);
  }
  for (; i < dim; ++i) y[i] = (x[i] - mean) * factor * weight[i] + bias[i];
}

}  // namespace sightline::model::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace sightline::model::engine {

HWY_EXPORT(NormaliseRow);

void LayerNorm(const float* x, int64_t rows, int64_t dim, const float* weight, const float* bias, float epsilon,
               float* y) {
  constexpr int64_t kRowsOfATask = 32;
  const auto normalise = HWY_DYNAMIC_DISPATCH(NormaliseRow);
  ParallelTasks((rows + kRowsOfATask - 1) / kRowsOfATask, [&](int64_t task, int) {
    const int64_t end = std::min(rows, (task + 1) * kRowsOfATask);
    for (int64_t row = task * kRowsOfATask; row < end; ++row) {
      normalise(x + row * dim, static_cast<size_t>(dim), weight, bias, epsilon, y + row * dim);
    }
  });
}

}  // namespace sightline::model::engine

#endif  // HWY_ONCE
