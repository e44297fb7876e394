#include "model/train/run/pixels.h"

#include <array>
#include <vector>

namespace sightline::train {
namespace {

torch::Tensor PerChannel(const std::array<float, 3>& values, const torch::Tensor& like) {
  return torch::tensor(std::vector<float>(values.begin(), values.end())).view({1, 3, 1, 1}).to(like.device());
}

}  // namespace

torch::Tensor BatchPixels(const LoadedBatch& batch, torch::Device device) {
  const auto count = static_cast<int64_t>(batch.labels.size());
  // from_blob wants a pointer to what it may write; it is only read here.
  auto* const bytes = const_cast<uint8_t*>(batch.rgb.data());
  const torch::Tensor rows = torch::from_blob(bytes, {count, batch.height, batch.width, 3}, torch::kByte);
  return rows.clone().permute({0, 3, 1, 2}).to(device);
}

torch::Tensor Normalise(const torch::Tensor& pixels, const model::PreprocessConfig& config) {
  constexpr double kWhite = 255;
  return pixels.to(torch::kFloat)
      .div_(kWhite)
      .sub_(PerChannel(config.mean, pixels))
      .div_(PerChannel(config.std, pixels));
}

}  // namespace sightline::train
