// Plan: how much memory and disk a number of images will take.
//
// Formulas, per record (N: descriptor values, C: token cells, T: token values):
//   descriptors    4 N bytes on disk as float32, 2 N as float16
//   int8 codes     S = N + 8, rounded up to 64: bytes of memory
//   graph          2 M links of 4 bytes on the ground level, M 4 / (M - 1) above it, 12 bytes a node; M is 16
//   rows           48 bytes of memory: key, time of death and id; 4 of a checksum
//   segment files  on disk, what a restart reads instead of building: S, the descriptor once more, key and checksum
//   tokens         C T + 2 C + 2 T + 13 bytes on disk in int8: one a value, two of importance a token, the centre
//   importance, long ids, attributes and previews come on top and depend on the images.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT with reason USAGE.
#ifndef SIGHTLINE_CLIENT_CLI_PLAN_H_
#define SIGHTLINE_CLIENT_CLI_PLAN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::cli {

struct PlanInput {
  int64_t images = 0;
  int64_t descriptor_dim = 1536;
  int64_t token_cells = 196;
  int64_t token_dim = 128;
};

// Bytes.
struct Plan {
  double descriptors_float32 = 0;
  double descriptors_float16 = 0;
  double codes = 0;
  double graph = 0;
  double rows = 0;
  double segment_files_float32 = 0;
  double segment_files_float16 = 0;
  double tokens = 0;
};

// "250000", "500k", "100M" or "1G": 1 to 10^12 images.
absl::StatusOr<int64_t> ParseImageCount(absl::string_view text);

Plan MakePlan(const PlanInput& input);

// The plan as a table with the sums and what they mean.
std::string RenderPlan(const PlanInput& input);
std::string PlanJson(const PlanInput& input);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_PLAN_H_
