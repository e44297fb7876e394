// Pictures as smooth as photographs are, for tests and benchmarks of models on a card: the same ones for a seed.
#ifndef SIGHTLINE_TESTS_GPU_SMOOTH_IMAGES_H_
#define SIGHTLINE_TESTS_GPU_SMOOTH_IMAGES_H_

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "model/image/image.h"
#include "model/model.h"

namespace sightline::model {

inline image::Image SmoothImage(int width, int height, unsigned seed) {
  image::Image image{width, height, {}, width, height};
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> phase(0, 6), wave(0.02f, 0.3f);
  float a[3], b[3], c[3];
  for (int channel = 0; channel < 3; ++channel) {
    a[channel] = phase(random);
    b[channel] = wave(random);
    c[channel] = wave(random);
  }
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < 3; ++channel) {
        const float value = std::sin(a[channel] + b[channel] * static_cast<float>(x)) +
                            std::cos(c[channel] * static_cast<float>(y));  // -2 to 2
        image.rgb.push_back(static_cast<uint8_t>(std::lround(127.5f + 63 * value)));
      }
    }
  }
  return image;
}

// 1 - cosine; NaN for vectors of which one is zero or not finite.
inline double CosineDistance(const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return 1 - dot / std::sqrt(aa * bb);
}

inline std::vector<const PreparedImage*> Pointers(const std::vector<PreparedImage>& images) {
  std::vector<const PreparedImage*> pointers;
  for (const PreparedImage& image : images) pointers.push_back(&image);
  return pointers;
}

}  // namespace sightline::model

#endif  // SIGHTLINE_TESTS_GPU_SMOOTH_IMAGES_H_
