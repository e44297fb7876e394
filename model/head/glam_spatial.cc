#include "model/head/glam_spatial.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sightline::model {
namespace {

constexpr int64_t kWidestDilation = 3;

// (row, column) of the eight neighbours of a 3x3 kernel, row by row.
constexpr std::array<std::array<int64_t, 2>, 8> kNeighbours = {
    {{-1, -1}, {-1, 0}, {-1, 1}, {0, -1}, {0, 1}, {1, -1}, {1, 0}, {1, 1}}};

// (B, r, h, w) -> (B, hw, r)
torch::Tensor Positions(const torch::Tensor& map) { return map.flatten(2).transpose(1, 2); }

}  // namespace

LocalSpatialAttention::LocalSpatialAttention(int64_t dim, int64_t reduced) {
  reduce_ = register_module("reduce", std::make_shared<Conv>(ConvShape{.in = dim, .out = reduced}));
  branches_[0] = register_module("b0", std::make_shared<Conv>(ConvShape{.in = reduced, .out = reduced}));
  for (int64_t d = 1; d <= kWidestDilation; ++d) {
    const ConvShape shape{.in = reduced, .out = reduced, .kernel = 3, .padding = d, .dilation = d};
    branches_[static_cast<size_t>(d)] = register_module(absl::StrCat("b", d), std::make_shared<Conv>(shape));
  }
  out_ = register_module("out", std::make_shared<Conv>(ConvShape{.in = 4 * reduced, .out = 1}));
}

void LocalSpatialAttention::Plan(const PlanOptions& options) {
  if (options.settle.has_value()) return;
  const auto wide = [](const torch::Tensor& x) { return x.to(torch::kDouble); };
  const int64_t reduced = reduce_->shape().out;
  const torch::Tensor out = wide(out_->weight()).view({4, reduced});
  torch::Tensor middle = torch::zeros({reduced}, torch::kDouble);
  torch::Tensor offset = wide(out_->bias());
  std::vector<torch::Tensor> taps;
  for (int64_t b = 0; b < 4; ++b) {
    const Conv& branch = *branches_[static_cast<size_t>(b)];
    offset = offset + out[b].dot(wide(branch.bias()));
    // What one tap of the branch's kernel weighs the channels of F' with, after `out`.
    const torch::Tensor taken = torch::einsum("o,oikl->kli", {out[b], wide(branch.weight())});
    const int64_t centre = branch.shape().kernel / 2;
    middle = middle + taken[centre][centre];
    if (branch.shape().kernel == 1) continue;
    for (const auto& [row, column] : kNeighbours) taps.push_back(taken[1 + row][1 + column]);
  }
  taps.insert(taps.begin(), middle);
  const torch::Tensor all = torch::stack(taps);
  planned_weight_ = all.matmul(wide(reduce_->weight()).flatten(1)).to(torch::kFloat).unsqueeze(2).unsqueeze(3);
  planned_weight_ = planned_weight_.contiguous(torch::MemoryFormat::ChannelsLast);
  planned_bias_ = all.matmul(wide(reduce_->bias())).to(torch::kFloat);
  planned_offset_ = offset.to(torch::kFloat);
}

torch::Tensor LocalSpatialAttention::Forward(const torch::Tensor& map) const {
  if (is_training() || !planned_weight_.defined()) {
    const torch::Tensor reduced = reduce_->Forward(map);
    std::vector<torch::Tensor> parts;
    for (const auto& branch : branches_) parts.push_back(branch->Forward(reduced));
    return out_->Forward(torch::cat(parts, 1));
  }
  const int64_t height = map.size(2);
  const int64_t width = map.size(3);
  const torch::Tensor taps = torch::conv2d(map, planned_weight_, planned_bias_);
  torch::Tensor sum = taps.select(1, 0) + planned_offset_;
  constexpr int64_t kPad = kWidestDilation;
  const torch::Tensor padded = torch::constant_pad_nd(taps.contiguous(), {kPad, kPad, kPad, kPad});
  int64_t tap = 1;
  for (int64_t dilation = 1; dilation <= kWidestDilation; ++dilation) {
    for (const auto& [row, column] : kNeighbours) {
      const torch::Tensor rows = padded.select(1, tap++).narrow(1, kPad + dilation * row, height);
      sum = sum + rows.narrow(2, kPad + dilation * column, width);
    }
  }
  return sum.unsqueeze(1);
}

GlobalSpatialAttention::GlobalSpatialAttention(int64_t dim, int64_t reduced) {
  const ConvShape in{.in = dim, .out = reduced};
  q_ = register_module("q", std::make_shared<Conv>(in));
  k_ = register_module("k", std::make_shared<Conv>(in));
  v_ = register_module("v", std::make_shared<Conv>(in));
  out_ = register_module("out", std::make_shared<Conv>(ConvShape{.in = reduced, .out = dim}));
}

torch::Tensor GlobalSpatialAttention::Forward(const torch::Tensor& map) const {
  const torch::Tensor q = Positions(q_->Forward(map));
  const torch::Tensor k = Positions(k_->Forward(map)).transpose(1, 2);
  const torch::Tensor v = Positions(v_->Forward(map));
  // A tile of queries at a time: the whole matrix of a large image would take a gigabyte.
  constexpr int64_t kTileValues = 1 << 22;
  const int64_t positions = q.size(1);
  const int64_t tile = std::clamp<int64_t>(kTileValues / positions, 1, positions);
  std::vector<torch::Tensor> mixed;
  for (int64_t start = 0; start < positions; start += tile) {
    const torch::Tensor queries = q.narrow(1, start, std::min(tile, positions - start));
    mixed.push_back(torch::softmax(queries.bmm(k), -1).bmm(v));
  }
  const torch::Tensor all = torch::cat(mixed, 1);  // (B, hw, r)
  return out_->Forward(all.view({map.size(0), map.size(2), map.size(3), -1}).permute({0, 3, 1, 2}));
}

}  // namespace sightline::model
