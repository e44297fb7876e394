#include "model/tokens/extract.h"

#include <c10/util/Half.h>

#include "absl/types/span.h"
#include "model/layers/norm.h"
#include "model/tokens/quantise.h"

namespace sightline::model {
namespace {

// (B, C, h, w) averaged to the grid, as (B, cells, C).
torch::Tensor Pool(const torch::Tensor& map, GridSize grid) {
  const bool same = map.size(2) == grid.height && map.size(3) == grid.width;
  const torch::Tensor pooled = same ? map : torch::adaptive_avg_pool2d(map, {grid.height, grid.width});
  return pooled.flatten(2).transpose(1, 2).contiguous();
}

// (B, cells), not yet normalised. `pooled` (B, cells, C) as the backbone gives them, `tokens` and `centres` projected.
torch::Tensor ImportanceWeights(const Features& features, const torch::Tensor& pooled, const torch::Tensor& tokens,
                                const torch::Tensor& centres, GridSize grid, Importance kind) {
  const auto from_cells = [&](const torch::Tensor& weights) {
    return Pool(weights.reshape({pooled.size(0), 1, features.height, features.width}), grid).squeeze(2).contiguous();
  };
  switch (kind) {
    case Importance::kClsAttention: return from_cells(features.cls_attention);
    case Importance::kRollout: return from_cells(features.rollout);
    case Importance::kNorm: return pooled.norm(2, -1).contiguous();
    case Importance::kCentre: break;
  }
  return torch::relu(torch::bmm(L2(tokens), centres.unsqueeze(2)).squeeze(2)).contiguous();
}

void RoundToHalf(std::vector<float>& values) {
  for (float& value : values) value = static_cast<float>(c10::Half(value));
}

// `values` (cells, dim) in the precision of `tokens`.
void KeepValues(absl::Span<const float> values, PatchTokens& tokens) {
  const auto dim = static_cast<size_t>(tokens.dim);
  const size_t cells = values.size() / dim;
  if (tokens.precision == TokenPrecision::kInt8) {
    tokens.values.resize(values.size());
    tokens.scales.resize(cells);
    for (size_t t = 0; t < cells; ++t) {
      tokens.scales[t] =
          QuantiseToken(values.subspan(t * dim, dim), absl::MakeSpan(tokens.values).subspan(t * dim, dim));
    }
    return;
  }
  tokens.floats.resize(values.size());
  for (size_t t = 0; t < cells; ++t) {
    NormaliseToken(values.subspan(t * dim, dim), absl::MakeSpan(tokens.floats).subspan(t * dim, dim));
  }
  if (tokens.precision == TokenPrecision::kFloat16) RoundToHalf(tokens.floats);
}

}  // namespace

TokenMaps ComputeTokens(const Features& features, const Head& head, const torch::Tensor& projection,
                        const TokensConfig& config) {
  const auto project = [&](const torch::Tensor& x) {
    return config.projection == TokenProjection::kHead ? head.ProjectTokens(x) : torch::matmul(x, projection);
  };
  TokenMaps maps;
  maps.grid = PooledGrid(static_cast<int>(features.height), static_cast<int>(features.width), config.max_cells);
  const torch::Tensor pooled = Pool(LastMap(features), maps.grid);
  const torch::Tensor tokens = project(pooled);
  const torch::Tensor centres = L2(project(Centre(features)));
  const torch::Tensor weights = ImportanceWeights(features, pooled, tokens, centres, maps.grid, config.importance);
  const auto finish = [](const torch::Tensor& x) { return x.to(torch::kFloat).contiguous(); };
  maps.tokens = finish(tokens);
  maps.centres = finish(centres);
  maps.weights = finish(weights);
  return maps;
}

std::vector<PatchTokens> KeepTokens(const TokenMaps& maps, const TokensConfig& config) {
  const auto batch = static_cast<size_t>(maps.tokens.size(0));
  const auto cells = static_cast<size_t>(maps.tokens.size(1));
  const auto dim = static_cast<size_t>(config.dim);
  std::vector<PatchTokens> result(batch);
  for (size_t b = 0; b < batch; ++b) {
    PatchTokens& one = result[b];
    one.height = maps.grid.height;
    one.width = maps.grid.width;
    one.dim = config.dim;
    one.precision = config.precision;
    KeepValues(absl::MakeConstSpan(maps.tokens.data_ptr<float>() + b * cells * dim, cells * dim), one);
    const float* const importance = maps.weights.data_ptr<float>() + b * cells;
    one.importance = NormaliseImportance(absl::MakeConstSpan(importance, cells));
    const float* const centre = maps.centres.data_ptr<float>() + b * dim;
    one.centre.assign(centre, centre + dim);
    if (config.precision != TokenPrecision::kFloat32) {
      RoundToHalf(one.importance);
      RoundToHalf(one.centre);
    }
  }
  return result;
}

}  // namespace sightline::model
