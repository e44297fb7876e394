// Blank images of every size that a model meets, to run before requests do.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_MODEL_PREPROCESS_BLANK_IMAGES_H_
#define SIGHTLINE_MODEL_PREPROCESS_BLANK_IMAGES_H_

#include <cstdint>
#include <vector>

#include "model/config/model_config.h"
#include "model/model.h"

namespace sightline::model {

// First the smallest image there can be (where sizes vary), then one of each aspect ratio at full size (of a square where a model keeps
// every ratio), by rising number of pixels. No bucket is there twice.
std::vector<PreparedImage> BlankImages(const PreprocessConfig& config);

// Pixels of all scales.
int64_t PixelsOf(const PreparedImage& image);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_PREPROCESS_BLANK_IMAGES_H_
