// The int8 rows of `sightline-bench embed`: a model in int8 beside itself in fp32.
//
// Threading: one thread. Failure: Status.
#ifndef SIGHTLINE_TESTS_BENCH_EMBED_INT8_H_
#define SIGHTLINE_TESTS_BENCH_EMBED_INT8_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/model.h"

namespace sightline::bench {

// Calibrates the model in `folder` on generated scenes, then lets int8 and fp32 embed `batch` in turns. Prints a row
// `name` with fp32 as the peer, and how close the descriptors of other scenes are. Nothing where the machine has no
// int8.
absl::Status CompareInt8(const std::string& folder, const std::string& name,
                         absl::Span<const model::PreparedImage* const> batch, int rounds, int threads);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_EMBED_INT8_H_
