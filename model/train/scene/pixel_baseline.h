// The baseline that a model has to beat: images squashed to 16 x 16 pixels and compared as they are.
//
// Threading: pure functions. Ownership: values. Failure: Status of the first file that cannot be read.
//
//   auto result = PixelBaseline("scenes");
//   printf("%d of %d\n", result->first, result->queries);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_PIXEL_BASELINE_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_PIXEL_BASELINE_H_

#include <string>

#include "absl/status/statusor.h"

namespace sightline::scene {

struct BaselineResult {
  int queries = 0;
  int first = 0;  // queries whose most similar index image shows their own instance
  double fraction() const { return queries == 0 ? 0 : static_cast<double>(first) / queries; }
};

// Reads a folder made by GenerateScenes. Every image becomes 16 x 16 x 3 values (bicubic, aspect ignored), the mean
// over the index images is taken off, and index images are ranked by the cosine to each query.
absl::StatusOr<BaselineResult> PixelBaseline(const std::string& directory);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_PIXEL_BASELINE_H_
