// From the last block's tokens of a batch to the patch tokens that are kept: first where the network computes, then in
// main memory.
//
// Threading: pure functions. Failure: LibTorch's exceptions.
//
//   const TokenMaps maps = ComputeTokens(features, head, projection, config.tokens);
//   std::vector<PatchTokens> tokens = KeepTokens(maps, config.tokens);
#ifndef SIGHTLINE_MODEL_TOKENS_EXTRACT_H_
#define SIGHTLINE_MODEL_TOKENS_EXTRACT_H_

#include <vector>

#include "model/backbone/backbone.h"
#include "model/config/model_config.h"
#include "model/head/head.h"
#include "model/model.h"
#include "model/tokens/grid.h"

namespace sightline::model {

// Of a batch, float32, on the network's device. Undefined tensors: no tokens.
struct TokenMaps {
  GridSize grid;
  torch::Tensor tokens;   // (B, cells, Ct), not normalised
  torch::Tensor centres;  // (B, Ct), L2-normalised
  torch::Tensor weights;  // (B, cells), not normalised
};

// The last grid or map averaged to at most max_cells cells, times `projection` (D, Ct) or through the head's own map.
// The centre is the class token, or the mean of the map, through the same.
TokenMaps ComputeTokens(const Features& features, const Head& head, const torch::Tensor& projection,
                        const TokensConfig& config);

// L2-normalised, in the precision of `config`, one entry per image. The maps are contiguous and in main memory.
std::vector<PatchTokens> KeepTokens(const TokenMaps& maps, const TokensConfig& config);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_TOKENS_EXTRACT_H_
