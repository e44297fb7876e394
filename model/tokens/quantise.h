// Patch tokens from floating point to the form that is kept: L2-normalised int8 with one scale per token, and an
// importance per token.
//
// Threading: pure functions. Failure: none.
//
//   QuantiseToken(values, codes, scale);  // values[i] / ||values|| is about scale * codes[i]
#ifndef SIGHTLINE_MODEL_TOKENS_QUANTISE_H_
#define SIGHTLINE_MODEL_TOKENS_QUANTISE_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace sightline::model {

// L2-normalises `values` and rounds to codes in [-127, 127] of `codes.size() == values.size()`. Returns the scale, 0
// for a zero token.
float QuantiseToken(absl::Span<const float> values, absl::Span<int8_t> codes);

// `weights`, negative ones cut to 0, divided by their sum; uniform when there is nothing positive.
std::vector<float> NormaliseImportance(absl::Span<const float> weights);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_TOKENS_QUANTISE_H_
