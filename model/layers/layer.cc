#include "model/layers/layer.h"

#include <utility>
#include <vector>

namespace sightline::model {
namespace {

torch::Tensor BorrowStrided(const std::shared_ptr<engine::BufferPool>& buffers, torch::IntArrayRef sizes,
                            torch::IntArrayRef strides) {
  int64_t values = 1;
  for (const int64_t size : sizes) values *= size;
  const auto buffer =
      std::make_shared<engine::Buffer>(engine::BufferPool::Take(buffers, static_cast<size_t>(values) * sizeof(float)));
  return torch::from_blob(
      buffer->data(), sizes, strides, [buffer](void*) {}, torch::kFloat);
}

}  // namespace

void PlanInference(torch::nn::Module& module, const PlanOptions& options) {
  torch::NoGradGuard no_grad;
  module.eval();
  std::vector<Layer*> layers;
  if (auto* layer = dynamic_cast<Layer*>(&module)) layers.push_back(layer);
  for (const auto& child : module.named_modules("", /*include_self=*/false)) {
    auto* const layer = dynamic_cast<Layer*>(child.value().get());
    if (layer == nullptr) continue;
    layer->path_ = child.key();
    layers.push_back(layer);
  }
  PlanOptions plan = options;
  if (plan.settle.has_value()) plan.buffers.reset();
  for (Layer* const layer : layers) layer->Plan(plan);
}

void SettleParameter(torch::Tensor& parameter, const torch::Tensor& values, torch::ScalarType type) {
  if (!parameter.defined()) return;
  const bool is_filter = values.dim() == 4;
  parameter.set_data(values.detach().to(type).contiguous(is_filter ? torch::MemoryFormat::ChannelsLast
                                                                   : torch::MemoryFormat::Contiguous));
}

torch::Tensor Borrow(const std::shared_ptr<engine::BufferPool>& buffers, torch::IntArrayRef sizes) {
  std::vector<int64_t> strides(sizes.size());
  int64_t stride = 1;
  for (size_t i = sizes.size(); i-- > 0; stride *= sizes[i]) strides[i] = stride;
  return BorrowStrided(buffers, sizes, strides);
}

torch::Tensor BorrowMap(const std::shared_ptr<engine::BufferPool>& buffers, torch::IntArrayRef sizes) {
  const int64_t channels = sizes[1], height = sizes[2], width = sizes[3];
  return BorrowStrided(buffers, sizes, {height * width * channels, 1, width * channels, channels});
}

}  // namespace sightline::model
