// From the last block's tokens of a batch to the patch tokens that are kept.
//
// Threading: pure functions. Failure: LibTorch's exceptions.
//
//   std::vector<PatchTokens> tokens = ExtractTokens(features, head, projection, config.tokens);
#ifndef SIGHTLINE_MODEL_TOKENS_EXTRACT_H_
#define SIGHTLINE_MODEL_TOKENS_EXTRACT_H_

#include <vector>

#include "model/backbone/backbone.h"
#include "model/config/model_config.h"
#include "model/head/head.h"
#include "model/model.h"

namespace sightline::model {

// The last grid or map averaged to at most max_cells cells, times `projection` (D, Ct) or through the head's own map,
// L2-normalised, in the precision of `config`. The centre is the class token, or the mean of the map, through the same.
// One entry per image.
std::vector<PatchTokens> ExtractTokens(const Features& features, const Head& head, const torch::Tensor& projection,
                                       const TokensConfig& config);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_TOKENS_EXTRACT_H_
