#include "model/train/run/average.h"

#include <algorithm>

namespace sightline::train {

Average::Average(const std::vector<model::NamedTensor>& values, double decay) : decay_(decay) {
  torch::NoGradGuard no_grad;
  for (const model::NamedTensor& value : values) average_.push_back({value.name, value.tensor.detach().clone()});
}

void Average::Update(const std::vector<model::NamedTensor>& values, int64_t step) {
  torch::NoGradGuard no_grad;
  const auto t = static_cast<double>(step);
  const double decay = std::min(decay_, (1 + t) / (10 + t));
  for (size_t i = 0; i < values.size(); ++i) average_[i].tensor.lerp_(values[i].tensor, 1 - decay);
}

}  // namespace sightline::train
