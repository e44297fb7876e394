// Model directories with seeded weights for `sightline-bench embed`. This header hides LibTorch.
//
// Threading: one thread. Failure: Status.
#ifndef SIGHTLINE_TESTS_BENCH_EMBED_MODEL_H_
#define SIGHTLINE_TESTS_BENCH_EMBED_MODEL_H_

#include <string>

#include "absl/status/status.h"

namespace sightline::bench {

// Writes model.json and weights.safetensors, the seeded initialisation of that model, into the existing `folder`.
absl::Status WriteSeededModel(const std::string& model_json, const std::string& folder);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_EMBED_MODEL_H_
