// Images made to hurt: cut, flipped, spliced, lying about their size, unpacking to too much, of the wrong kind.
//
//   for (const HostileImage& image : HostileImages(seed, 5000)) Decode(image.bytes, {}, {});
#ifndef SIGHTLINE_TESTS_MODEL_IMAGE_HOSTILE_IMAGES_H_
#define SIGHTLINE_TESTS_MODEL_IMAGE_HOSTILE_IMAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sightline::image {

struct HostileImage {
  std::string name;
  std::string bytes;
};

// At least `count`; every kind of harm is among them however small it is. The same for the same seed.
std::vector<HostileImage> HostileImages(uint64_t seed, size_t count);

// The known shapes whose decoding would take far more memory or time than their bytes suggest.
std::vector<HostileImage> Bombs();

// Legal images near the limits of pixels, coded so that they cost most.
std::vector<HostileImage> CostlyImages();

// A lossless WebP whose every block of 4 x 4 pixels has a set of prefix codes of its own: 12 KB of tables each.
std::string MakeWebpOfManyCodes(int width, int height);

}  // namespace sightline::image

#endif  // SIGHTLINE_TESTS_MODEL_IMAGE_HOSTILE_IMAGES_H_
