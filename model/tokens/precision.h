// How the values of patch tokens are kept.
//
// Threading: plain values. Failure: none.
#ifndef SIGHTLINE_MODEL_TOKENS_PRECISION_H_
#define SIGHTLINE_MODEL_TOKENS_PRECISION_H_

namespace sightline::model {

enum class TokenPrecision { kInt8, kFloat16, kFloat32 };

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_TOKENS_PRECISION_H_
