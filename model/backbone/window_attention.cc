#include "model/backbone/window_attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "model/engine/window_core.h"

namespace sightline::model {
namespace {

// Attention values held at once by LibTorch's operations: 4 MiB as float32, what the cores' own caches hold.
constexpr int64_t kMaxWindowScores = 1 << 20;

constexpr double kForbidden = -100;

int64_t RoundUp(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

// (w^2 * w^2) rows of the table of biases, for query and key cells row by row.
torch::Tensor Offsets(int64_t window) {
  const torch::Tensor cell = torch::arange(window * window);
  const torch::Tensor row = torch::div(cell, window, "floor");
  const torch::Tensor column = torch::remainder(cell, window);
  const torch::Tensor dy = row.unsqueeze(1) - row.unsqueeze(0) + (window - 1);
  const torch::Tensor dx = column.unsqueeze(1) - column.unsqueeze(0) + (window - 1);
  return (dy * (2 * window - 1) + dx).flatten();
}

// Where along a rolled axis of `size` cells the pieces come from: 0 up to the last window; in it 1 for the cells that
// were there before, 2 for those that came round.
torch::Tensor Regions(int64_t size, int64_t window, int64_t shift) {
  torch::Tensor region = torch::zeros({size});
  if (shift == 0) return region;
  region.narrow(0, size - window, window - shift).fill_(1);
  region.narrow(0, size - shift, shift).fill_(2);
  return region;
}

}  // namespace

WindowLayout WindowLayout::Of(int64_t map_height, int64_t map_width, int64_t window, bool shifted) {
  WindowLayout layout{.window = window, .height = RoundUp(map_height, window), .width = RoundUp(map_width, window)};
  if (shifted && layout.height > window) layout.shift_rows = window / 2;
  if (shifted && layout.width > window) layout.shift_columns = window / 2;
  return layout;
}

torch::Tensor WindowLayout::Cut(const torch::Tensor& map) const {
  return map.view({map.size(0), height / window, window, width / window, window, map.size(3)})
      .permute({1, 3, 0, 2, 4, 5})
      .reshape({-1, map.size(0), window * window, map.size(3)});
}

torch::Tensor WindowLayout::Join(const torch::Tensor& windows) const {
  return windows.view({height / window, width / window, windows.size(1), window, window, windows.size(3)})
      .permute({2, 0, 3, 1, 4, 5})
      .reshape({windows.size(1), height, width, windows.size(3)});
}

torch::Tensor WindowLayout::Mask(torch::Device device) const {
  if (!shifted()) return {};
  const torch::Tensor region =
      3 * Regions(height, window, shift_rows).unsqueeze(1) + Regions(width, window, shift_columns).unsqueeze(0);
  const torch::Tensor cells = Cut(region.view({1, height, width, 1})).squeeze(3);  // (windows, 1, w^2)
  const torch::Tensor foreign = cells.unsqueeze(3) != cells.unsqueeze(2);
  return (foreign.to(torch::kFloat) * kForbidden).unsqueeze(2).contiguous().to(device);
}

WindowAttention::WindowAttention(int64_t dim, int64_t heads, int64_t window)
    : heads_(heads),
      window_(window),
      offset_(Offsets(window)),
      table_(register_parameter("relative_position_bias_table",
                                torch::empty({(2 * window - 1) * (2 * window - 1), heads}))),
      qkv_(register_module("qkv", std::make_shared<Linear>(dim, 3 * dim))),
      proj_(register_module("proj", std::make_shared<Linear>(dim, dim))) {}

torch::Tensor WindowAttention::Bias() const {
  const int64_t cells = window_ * window_;
  return table_.index_select(0, offset_.to(table_.device()))
      .view({cells, cells, heads_})
      .permute({2, 0, 1})
      .contiguous();
}

void WindowAttention::Plan(const PlanOptions& options) {
  planned_bias_ = Bias();
  buffers_ = options.buffers;
}

torch::Tensor WindowAttention::AddTo(const torch::Tensor& residual, const torch::Tensor& x, const WindowLayout& layout,
                                     const torch::Tensor& mask) const {
  const int64_t height = x.size(1);
  const int64_t width = x.size(2);
  torch::Tensor map = x;
  if (layout.height != height || layout.width != width) {
    map = torch::constant_pad_nd(map, {0, 0, 0, layout.width - width, 0, layout.height - height});
  }
  if (layout.shifted()) map = torch::roll(map, {-layout.shift_rows, -layout.shift_columns}, {1, 2});
  map = layout.Join(Mix(layout.Cut(map), mask));
  if (layout.shifted()) map = torch::roll(map, {layout.shift_rows, layout.shift_columns}, {1, 2});
  // Projected behind the cut: padding costs nothing there.
  return proj_->AddTo(residual, map.narrow(1, 0, height).narrow(2, 0, width).contiguous());
}

torch::Tensor WindowAttention::Mix(const torch::Tensor& windows, const torch::Tensor& mask) const {
  const int64_t count = windows.size(0);
  const int64_t batch = windows.size(1);
  const int64_t cells = windows.size(2);
  const int64_t dim = windows.size(3);
  const int64_t head_dim = dim / heads_;
  const torch::Tensor fused = qkv_->Forward(windows);
  if (buffers_ != nullptr && !is_training() && IsPlain(fused)) return MixFast(fused, mask);
  const torch::Tensor bias = planned_bias_.defined() && !is_training() ? planned_bias_ : Bias();
  const torch::Tensor qkv = fused.view({count, batch, cells, 3, heads_, head_dim});

  const int64_t step =
      fused.is_cpu() ? std::max<int64_t>(kMaxWindowScores / (batch * heads_ * cells * cells), 1) : count;
  std::vector<torch::Tensor> pieces;
  for (int64_t begin = 0; begin < count; begin += step) {
    const int64_t n = std::min(step, count - begin);
    // (n, B, cells, 3, heads, d) -> three of (n * B * heads, cells, d)
    const torch::Tensor split = qkv.narrow(0, begin, n).permute({3, 0, 1, 4, 2, 5}).contiguous();
    const auto part = [&](int64_t i) { return split[i].view({n * batch * heads_, cells, head_dim}); };
    const torch::Tensor q = part(0) * (1.0 / std::sqrt(static_cast<double>(head_dim)));
    torch::Tensor scores = torch::bmm(q, part(1).transpose(1, 2)).view({n, batch, heads_, cells, cells}).add_(bias);
    if (mask.defined()) scores.add_(mask.narrow(0, begin, n));
    scores = torch::softmax(scores, -1).view({n * batch * heads_, cells, cells});
    pieces.push_back(torch::bmm(scores, part(2)).view({n, batch, heads_, cells, head_dim}).transpose(2, 3).flatten(3));
  }
  return pieces.size() == 1 ? pieces[0] : torch::cat(pieces, 0);
}

torch::Tensor WindowAttention::MixFast(const torch::Tensor& qkv, const torch::Tensor& mask) const {
  const int64_t dim = qkv.size(3) / 3;
  const engine::WindowShape shape{
      .windows = qkv.size(0), .batch = qkv.size(1), .cells = qkv.size(2), .heads = heads_, .head_dim = dim / heads_};
  const torch::Tensor mixed = Borrow(buffers_, {shape.windows, shape.batch, shape.cells, dim});
  engine::AttendWindows(buffers_, qkv.data_ptr<float>(), planned_bias_.data_ptr<float>(),
                        mask.defined() ? mask.data_ptr<float>() : nullptr, shape, mixed.data_ptr<float>());
  return mixed;
}

}  // namespace sightline::model
