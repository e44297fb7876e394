#include "model/head/glam_channel.h"

#include <vector>

namespace sightline::model {

torch::Tensor ChannelConv::Forward(const torch::Tensor& x) const {
  return torch::conv1d(x.unsqueeze(1), weight_, {}, /*stride=*/1, /*padding=*/1).squeeze(1);
}

torch::Tensor LocalChannelAttention::Forward(const torch::Tensor& map) const {
  return torch::sigmoid(conv_->Forward(map.mean({2, 3}))).unsqueeze(2).unsqueeze(3);
}

torch::Tensor GlobalChannelAttention::Forward(const torch::Tensor& map) const {
  constexpr int kTerms = 12;
  const torch::Tensor mean = map.mean({2, 3});
  const torch::Tensor q = torch::sigmoid(q_->Forward(mean));
  const torch::Tensor k = torch::sigmoid(k_->Forward(mean));
  // k^n / n! and q^n: (B, c) each, for n = 0, 1, ...
  std::vector<torch::Tensor> left = {torch::ones_like(k)};
  std::vector<torch::Tensor> right = {torch::ones_like(q)};
  for (int n = 1; n < kTerms; ++n) {
    left.push_back(left.back() * k / n);
    right.push_back(right.back() * q);
  }
  const torch::Tensor series = torch::stack(left, 2);                      // (B, c, terms)
  const torch::Tensor powers = torch::stack(right, 1);                     // (B, terms, c)
  const torch::Tensor values = map.flatten(2).transpose(1, 2);             // (B, hw, c)
  const torch::Tensor sums = series.sum(1, /*keepdim=*/true).bmm(powers);  // (B, 1, c)
  const torch::Tensor mixed = values.bmm(series).bmm(powers) / sums;       // (B, hw, c)
  return mixed.view({map.size(0), map.size(2), map.size(3), map.size(1)}).permute({0, 3, 1, 2});
}

}  // namespace sightline::model
