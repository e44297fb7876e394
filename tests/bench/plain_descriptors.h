// What a learned descriptor has to beat: a histogram of colours, and the picture itself at sixteen pixels a side.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   const std::vector<float> colours = ColourHistogram(image);  // compare by inner product
#ifndef SIGHTLINE_TESTS_BENCH_PLAIN_DESCRIPTORS_H_
#define SIGHTLINE_TESTS_BENCH_PLAIN_DESCRIPTORS_H_

#include <vector>

#include "model/image/image.h"

namespace sightline::bench {

// 256 values: square roots of the shares of pixels in 16 x 4 x 4 bins of hue, saturation and value. The inner product
// of two is their Bhattacharyya coefficient b, and sqrt(1 - b) their Hellinger distance.
std::vector<float> ColourHistogram(const image::Image& image);

// The same of the picture squashed to 64 x 64, which blurs what is small: the reference figures of the groceries are
// met with this one.
std::vector<float> BlurredColourHistogram(const image::Image& image);

// 768 values: the picture squashed to 16 x 16, its mean taken off, L2-normalised; all 0 for a picture of one grey.
std::vector<float> TinyPicture(const image::Image& image);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_PLAIN_DESCRIPTORS_H_
