// From the last block's tokens of a batch to the patch tokens that are kept.
//
// Threading: pure functions. Failure: LibTorch's exceptions.
//
//   std::vector<PatchTokens> tokens = ExtractTokens(features, projection, config.tokens);
#ifndef SIGHTLINE_MODEL_TOKENS_EXTRACT_H_
#define SIGHTLINE_MODEL_TOKENS_EXTRACT_H_

#include <vector>

#include "model/backbone/backbone.h"
#include "model/config/model_config.h"
#include "model/model.h"

namespace sightline::model {

// The last layer's grid averaged to at most max_cells cells, times `projection` (D, Ct), L2-normalised, quantised. The
// centre is the class token through the same projection. One entry per image.
std::vector<PatchTokens> ExtractTokens(const Features& features, const torch::Tensor& projection,
                                       const TokensConfig& config);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_TOKENS_EXTRACT_H_
