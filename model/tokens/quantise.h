// Patch tokens from floating point to the form that is kept: L2-normalised, in int8 with one scale per token or in
// floating point, and an importance per token.
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

// L2-normalises `values` and rounds to codes in [-127, 127] of `codes.size() == values.size()`. Returns the scale with
// which the codes are a unit vector: UnitScale of them.
float QuantiseToken(absl::Span<const float> values, absl::Span<int8_t> codes);

// 1 / ||codes||, in single precision; 0 for a zero token. It follows from the codes alone, so that who stores them need
// not store it.
float UnitScale(absl::Span<const int8_t> codes);

// L2-normalises `values` into `out` of the same size; zeros for a token without a direction.
void NormaliseToken(absl::Span<const float> values, absl::Span<float> out);

// `weights`, negative ones cut to 0, divided by their sum; uniform when there is nothing positive.
std::vector<float> NormaliseImportance(absl::Span<const float> weights);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_TOKENS_QUANTISE_H_
