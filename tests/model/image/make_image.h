// Pictures for tests, drawn from a seed.
#ifndef SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_IMAGE_H_
#define SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_IMAGE_H_

#include <cstdint>

#include "model/image/image.h"

namespace sightline::image {

// Smooth waves in each channel: what a lossy codec keeps nearly unchanged.
Image Waves(int width, int height);

// Independent random values: what no codec can make small.
Image Noise(int width, int height, uint64_t seed);

// Four flat quadrants: red, green on top, blue, white below. Tells all eight orientations apart.
Image Quadrants(int width, int height);

// The largest difference of any value; 256 when the sizes differ.
int MaxDifference(const Image& a, const Image& b);

// The mean difference; 256 when the sizes differ.
double MeanDifference(const Image& a, const Image& b);

}  // namespace sightline::image

#endif  // SIGHTLINE_TESTS_MODEL_IMAGE_MAKE_IMAGE_H_
