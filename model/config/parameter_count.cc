#include "model/config/parameter_count.h"

namespace sightline::model {
namespace {

int64_t Linear(int64_t in, int64_t out) { return in * out + out; }

int64_t EncoderCount(const EncoderConfig& config) {
  const int64_t d = config.dim;
  const int64_t hidden = d * config.mlp_ratio;
  const int64_t norm = 2 * d;
  const int64_t block = norm + Linear(d, 3 * d) + Linear(d, d) + norm + Linear(d, hidden) + Linear(hidden, d);
  const int64_t cells = int64_t{config.grid} * config.grid;
  return d + (1 + cells) * d + config.depth * block + norm;
}

// Every convolution is followed by a group norm with two values a channel.
int64_t Conv(int64_t in, int64_t out, int64_t kernel) { return in * out * kernel * kernel + 2 * out; }

int64_t StagesCount(const HybridVitConfig& config) {
  int64_t count = Conv(3, config.stem_channels, 7);
  int64_t in = config.stem_channels;
  for (const StageConfig& stage : config.stages) {
    const int64_t out = stage.channels;
    const int64_t middle = out / 4;
    count += Conv(in, out, 1);
    for (int b = 0; b < stage.blocks; ++b) {
      count += Conv(in, middle, 1) + Conv(middle, middle, 3) + Conv(middle, out, 1);
      in = out;
    }
  }
  return count + Linear(in, config.encoder.dim);
}

}  // namespace

int64_t CountParameters(const BackboneConfig& config) {
  if (const auto* hybrid = std::get_if<HybridVitConfig>(&config)) {
    return EncoderCount(hybrid->encoder) + StagesCount(*hybrid);
  }
  const auto& vit = std::get<VitConfig>(config);
  return EncoderCount(vit.encoder) + Linear(int64_t{3} * vit.patch * vit.patch, vit.encoder.dim);
}

int64_t CountParameters(const HeadConfig& config, int64_t token_dim) {
  const auto& dtop = std::get<DtopConfig>(config);
  const int64_t d = token_dim;
  const int64_t n = dtop.dim;
  const int64_t stacked = d * dtop.layers;
  const int64_t expanded = d * dtop.expand;
  const int64_t a = dtop.aspp_dim;
  const int64_t irb = Conv(d, expanded, 1) + (9 * expanded + 2 * expanded) + Conv(expanded, d, 1);
  const int64_t aspp = 2 * Conv(d, a, 1) + 3 * Conv(d, a, 3) + Conv(5 * a, a, 1) + Linear(a, d);
  const int64_t fuse = dtop.fuse == Fuse::kSum ? 0 : 2;
  return Linear(stacked, n) + Linear(stacked, d) + irb + aspp + fuse + Linear(d, n) + Linear(2 * n, n) + 2 * n;
}

}  // namespace sightline::model
