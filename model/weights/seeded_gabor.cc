#include "model/weights/seeded_gabor.h"

#include <cmath>
#include <numbers>

namespace sightline::model {

void FillGabor(torch::Tensor tensor, weights::SeededRandom& random, double gain) {
  constexpr double kHighestFrequency = 0.3;          // cycles per pixel
  constexpr double kNarrowest = 1.2, kWidest = 3.0;  // standard deviation of the window, pixels
  const int64_t kernel = tensor.size(3);
  float* value = tensor.data_ptr<float>();
  for (int64_t filter = 0; filter < tensor.size(0); ++filter) {
    const double angle = std::numbers::pi * random.Uniform();
    const double frequency = filter % 2 == 0 ? 0 : kHighestFrequency * random.Uniform();
    const double phase = filter % 2 == 0 ? 0 : 2 * std::numbers::pi * random.Uniform();
    const double width = kNarrowest + (kWidest - kNarrowest) * random.Uniform();
    for (int64_t channel = 0; channel < tensor.size(1); ++channel) {
      const double colour = gain * random.Normal();
      for (int64_t row = 0; row < kernel; ++row) {
        for (int64_t column = 0; column < kernel; ++column) {
          const double y = static_cast<double>(row) - static_cast<double>(kernel / 2);
          const double x = static_cast<double>(column) - static_cast<double>(kernel / 2);
          const double wave = 2 * std::numbers::pi * frequency * (x * std::cos(angle) + y * std::sin(angle)) + phase;
          const double exact = colour * std::exp(-(x * x + y * y) / (2 * width * width)) * std::cos(wave);
          // Rounded coarsely, so that the last bit of a mathematics library does not decide an embedding space.
          *value++ = static_cast<float>(std::nearbyint(exact * 65536) / 65536);
        }
      }
    }
  }
}

}  // namespace sightline::model
