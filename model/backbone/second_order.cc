#include "model/backbone/second_order.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace sightline::model {
namespace {

ConvNorm RegisterConvAndNorm(torch::nn::Module& owner, const std::string& name, const ConvShape& shape) {
  const auto holder = owner.register_module(name, std::make_shared<torch::nn::Module>());
  return {holder->register_module("0", std::make_shared<Conv>(shape)),
          holder->register_module("1", std::make_shared<BatchNorm>(shape.out))};
}

// (B, m, h, w) -> (B, h w, m), a view of a channels-last map.
torch::Tensor RowsOfMap(const torch::Tensor& map) { return map.flatten(2).transpose(1, 2); }

}  // namespace

SecondOrderAttention::SecondOrderAttention(int64_t channels, int64_t middle)
    : f_(RegisterConvAndNorm(*this, "f", {.in = channels, .out = middle})),
      g_(RegisterConvAndNorm(*this, "g", {.in = channels, .out = middle})),
      h_(register_module("h", std::make_shared<Conv>(ConvShape{.in = channels, .out = middle}))),
      v_(register_module("v", std::make_shared<Conv>(ConvShape{.in = middle, .out = channels}))) {}

void SecondOrderAttention::Plan(const PlanOptions& options) {
  f_.Plan(options);
  g_.Plan(options);
}

torch::Tensor SecondOrderAttention::Forward(const torch::Tensor& x, int64_t max_scores) const {
  const int64_t batch = x.size(0);
  const torch::Tensor h = RowsOfMap(h_->Forward(x));
  const int64_t positions = h.size(1);
  const int64_t middle = h.size(2);
  const torch::Tensor f = RowsOfMap(f_.Forward(x, Activation::kRelu)) * (1.0 / std::sqrt(static_cast<double>(middle)));
  const torch::Tensor g = RowsOfMap(g_.Forward(x, Activation::kRelu)).transpose(1, 2);

  const int64_t rows = std::clamp<int64_t>(max_scores / (batch * positions), 1, positions);
  std::vector<torch::Tensor> pieces;
  for (int64_t begin = 0; begin < positions; begin += rows) {
    const torch::Tensor queries = f.narrow(1, begin, std::min(rows, positions - begin));
    pieces.push_back(torch::bmm(torch::softmax(torch::bmm(queries, g), -1), h));
  }
  const torch::Tensor mixed = pieces.size() == 1 ? pieces[0] : torch::cat(pieces, 1);
  return x + v_->Forward(mixed.transpose(1, 2).reshape({batch, middle, x.size(2), x.size(3)}));
}

}  // namespace sightline::model
