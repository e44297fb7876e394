// From a photograph of a dataset to the pixels that show its instance, decoded no larger than needed.
//
// Threading: pure functions. Failure: the reasons of the file layer and of the decoder.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const image::Image image, ReadPhoto(photo, 224, 224, /*least_crop_area=*/0.3));
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_PHOTO_FILE_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_PHOTO_FILE_H_

#include "absl/status/statusor.h"
#include "model/image/decode.h"
#include "model/image/geometry.h"
#include "model/image/image.h"
#include "model/train/data/dataset.h"

namespace sightline::train {

// Photographs of training sets are the operator's own files: larger ones are read than a server takes from strangers.
image::Limits PhotoLimits();

struct UprightSize {
  int width = 0;
  int height = 0;
};
// After the EXIF orientation is applied.
UprightSize Upright(const image::Header& header);

// What of a photograph of the size `original`, decoded at width x height, shows its instance: its box, or all of it.
absl::StatusOr<image::PixelRect> RegionOf(const Photo& photo, int width, int height, const UprightSize& original);

// The region of the photograph, for a target of height x width pixels, random crops of which keep `least_crop_area` of
// it: decoded reduced as far as leaves the smallest of these crops as many pixels as the target has.
absl::StatusOr<image::Image> ReadPhoto(const Photo& photo, int height, int width, double least_crop_area);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_PHOTO_FILE_H_
