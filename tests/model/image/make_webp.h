// WebP files for tests.
#ifndef SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_WEBP_H_
#define SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_WEBP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/image/image.h"

namespace sightline::image {

// Lossless for a quality of 0.
std::string MakeWebp(const Image& image, float quality);

// Lossless, `alpha` has one value a pixel.
std::string MakeWebpWithAlpha(const Image& image, const std::vector<uint8_t>& alpha);

std::string WebpChunk(absl::string_view type, absl::string_view data);

// The extended format: flags, size, and chunks. `flags` as in the specification: 0x02 animation, 0x08 EXIF.
std::string AssembleWebp(int width, int height, uint8_t flags, absl::string_view chunks);

// The extended format around a picture, with an EXIF chunk.
std::string MakeWebpWithExif(const Image& image, absl::string_view exif);

}  // namespace sightline::image

#endif  // SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_WEBP_H_
