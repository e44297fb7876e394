// WindowAttention: Swin's multi-head self-attention within windows of a map.
#ifndef SIGHTLINE_MODEL_BACKBONE_WINDOW_ATTENTION_H_
#define SIGHTLINE_MODEL_BACKBONE_WINDOW_ATTENTION_H_

#include <memory>

#include "model/layers/layer.h"
#include "model/layers/linear.h"

namespace sightline::model {

// How a map is cut into windows.
struct WindowLayout {
  int64_t window = 0;  // cells of a side
  int64_t height = 0;  // of the padded map, multiples of `window`
  int64_t width = 0;
  int64_t shift_rows = 0;  // how far the map is rolled up and left before it is cut
  int64_t shift_columns = 0;

  // Of a map of height x width cells, shifted by half a window where it is longer than one.
  static WindowLayout Of(int64_t map_height, int64_t map_width, int64_t window, bool shifted);

  bool shifted() const { return shift_rows > 0 || shift_columns > 0; }

  // (B, height, width, C) <-> (windows, B, window * window, C), windows row by row.
  torch::Tensor Cut(const torch::Tensor& map) const;
  torch::Tensor Join(const torch::Tensor& windows) const;

  // (windows, 1, 1, window^2, window^2): -100 between cells that the roll brought together, 0 elsewhere. Undefined
  // without a shift.
  torch::Tensor Mask(torch::Device device) const;
};

class WindowAttention : public Layer {
 public:
  WindowAttention(int64_t dim, int64_t heads, int64_t window);

  // residual + attention within the windows of x, both (B, h, w, C). `x` is padded to the layout; `mask` is the
  // layout's.
  torch::Tensor AddTo(const torch::Tensor& residual, const torch::Tensor& x, const WindowLayout& layout,
                      const torch::Tensor& mask) const;
  void Plan(const PlanOptions& options) override;

 private:
  // (heads, window^2, window^2)
  torch::Tensor Bias() const;
  // softmax(q k^T / sqrt(d) + bias + mask) v, (windows, B, window^2, C) each.
  torch::Tensor Mix(const torch::Tensor& windows, const torch::Tensor& mask) const;
  // The same from the fused map `qkv` (windows, B, window^2, 3 C), by the engine.
  torch::Tensor MixFast(const torch::Tensor& qkv, const torch::Tensor& mask) const;

  const int64_t heads_;
  const int64_t window_;
  torch::Tensor offset_;  // (window^2 * window^2), rows of the table
  torch::Tensor table_;
  torch::Tensor planned_bias_;
  std::shared_ptr<engine::BufferPool> buffers_;  // null before Plan
  std::shared_ptr<Linear> qkv_;
  std::shared_ptr<Linear> proj_;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_BACKBONE_WINDOW_ATTENTION_H_
