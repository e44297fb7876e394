#include "model/train/principal_axes.h"

#include <algorithm>

namespace sightline::train {

Axes PrincipalAxes(const torch::Tensor& matrix) {
  const auto [values, vectors] = at::linalg_eigh((matrix + matrix.t()) / 2, "L");
  const torch::Tensor rows = vectors.t().flip(0);
  const torch::Tensor largest = rows.gather(1, rows.abs().argmax(1, /*keepdim=*/true));
  return {values.flip(0), rows * torch::where(largest < 0, -torch::ones_like(largest), torch::ones_like(largest))};
}

std::vector<float> Floats(const torch::Tensor& tensor) {
  const torch::Tensor values = tensor.to(torch::kFloat).contiguous();
  return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

int64_t UsableAxes(const Axes& axes) {
  const double least = std::max(axes.values[0].item<double>(), 0.0) * kLeastShare;
  return (axes.values > least).sum().item<int64_t>();
}

}  // namespace sightline::train
