// The sizes an image is resized to: its aspect bucket, at every scale of the model.
//
// Threading: pure functions. Failure: none.
//
//   const std::vector<PlaneSize> sizes = PlaneSizes(config.preprocess, 4000, 3000);
//   const std::string bucket = BucketName(sizes);  // "1024x768": images of equal names can share a batch
#ifndef SIGHTLINE_MODEL_PREPROCESS_SIZES_H_
#define SIGHTLINE_MODEL_PREPROCESS_SIZES_H_

#include <string>
#include <vector>

#include "absl/types/span.h"
#include "model/config/model_config.h"

namespace sightline::model {

struct PlaneSize {
  int width = 0;
  int height = 0;
  friend bool operator==(const PlaneSize&, const PlaneSize&) = default;
};

// One size per scale, for an image (or crop) of width x height pixels, both at least 1.
std::vector<PlaneSize> PlaneSizes(const PreprocessConfig& config, int width, int height);

// Where a plane is cut out of the whole image resized to width x height: mode kCentreCrop.
struct CentreCut {
  int width = 0;
  int height = 0;
  int x = 0;
  int y = 0;
};

// The cut for a plane of an image of width x height pixels, as torchvision's Resize and CenterCrop place it.
CentreCut CutFor(const PreprocessConfig& config, const PlaneSize& plane, int width, int height);

// The longest side that an image of width x height pixels needs, so that resizing it enlarges nothing.
int WantedSide(const PreprocessConfig& config, int width, int height);

// "320x240" or, with several scales, "224x160,320x240".
std::string BucketName(absl::Span<const PlaneSize> sizes);

// The index of the scale closest to 1, whose patch tokens are kept.
size_t TokenScale(const PreprocessConfig& config);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_PREPROCESS_SIZES_H_
