#include "model/train/data/damage.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "model/image/decode.h"
#include "model/image/encode.h"

namespace sightline::train {
namespace {

using scene::Random;
using ColourMatrix = std::array<std::array<float, 3>, 3>;

// Of red, green and blue in the brightness of a pixel (ITU-R BT.601).
constexpr std::array<double, 3> kLuma = {0.299, 0.587, 0.114};

uint8_t ToByte(float value) { return static_cast<uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f)); }

// Turns the hue by `turn` of the circle and multiplies the saturation: a turn about the grey axis. Rows sum to 1, so
// that greys stay as they are (Haeberli 1993, "Matrix operations for image processing", with a plain turn in place of
// his luminance-preserving one).
ColourMatrix HueAndSaturation(double turn, double saturation) {
  const double c = std::cos(2 * std::numbers::pi * turn), s = std::sin(2 * std::numbers::pi * turn) / std::sqrt(3.0);
  ColourMatrix turned;
  for (size_t row = 0; row < 3; ++row) {
    for (size_t column = 0; column < 3; ++column) {
      const double cross = column == row ? 0 : ((row + 1) % 3 == column ? -s : s);
      turned[row][column] = static_cast<float>((row == column ? c : 0) + (1 - c) / 3 + cross);
    }
  }
  ColourMatrix result;
  for (size_t column = 0; column < 3; ++column) {
    double grey = 0;
    for (size_t row = 0; row < 3; ++row) grey += kLuma[row] * turned[row][column];
    for (size_t row = 0; row < 3; ++row) {
      result[row][column] = static_cast<float>(grey + saturation * (turned[row][column] - grey));
    }
  }
  return result;
}

double MeanLuma(const image::Image& image) {
  std::array<uint64_t, 3> sums = {0, 0, 0};
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    for (size_t c = 0; c < 3; ++c) sums[c] += image.rgb[i + c];
  }
  double mean = 0;
  for (size_t c = 0; c < 3; ++c) mean += kLuma[c] * static_cast<double>(sums[c]);
  return mean / (static_cast<double>(image.rgb.size()) / 3);
}

// One pass of a symmetric kernel (weights[0] the middle) along a row of `length` pixels; beyond the ends the outermost
// one goes on.
void BlurLine(const std::vector<float>& weights, const float* in, int length, float* out) {
  const int radius = static_cast<int>(weights.size()) - 1;
  for (int i = 0; i < length; ++i) {
    for (int c = 0; c < 3; ++c) {
      float sum = weights[0] * in[i * 3 + c];
      for (int r = 1; r <= radius; ++r) {
        sum += weights[static_cast<size_t>(r)] *
               (in[std::max(i - r, 0) * 3 + c] + in[std::min(i + r, length - 1) * 3 + c]);
      }
      out[i * 3 + c] = sum;
    }
  }
}

std::vector<float> GaussianWeights(double sigma) {
  const int radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<float> weights;
  double total = 0;
  for (int r = 0; r <= radius; ++r) {
    const double weight = std::exp(-0.5 * r * r / (sigma * sigma));
    weights.push_back(static_cast<float>(weight));
    total += r == 0 ? weight : 2 * weight;
  }
  for (float& weight : weights) weight = static_cast<float>(weight / total);
  return weights;
}

}  // namespace

void ChangeLight(const AugmentConfig& config, Random& random, image::Image& image) {
  const double gamma = std::pow(1 + config.gamma, random.Between(-1, 1));
  const double brightness = 1 + random.Between(-config.brightness, config.brightness);
  const double contrast = 1 + random.Between(-config.contrast, config.contrast);
  const double turn = random.Between(-config.hue, config.hue);
  const double coloured = 1 + random.Between(-config.saturation, config.saturation);
  const double saturation = random.Chance(config.grey) ? 0 : coloured;
  if (gamma == 1 && brightness == 1 && contrast == 1 && turn == 0 && saturation == 1) return;
  if (gamma != 1) {
    std::array<uint8_t, 256> curve;
    for (size_t i = 0; i < curve.size(); ++i) {
      curve[i] = ToByte(static_cast<float>(255 * std::pow(static_cast<double>(i) / 255, gamma)));
    }
    for (uint8_t& value : image.rgb) value = curve[value];
  }
  ColourMatrix matrix = HueAndSaturation(turn, saturation);
  const auto offset = static_cast<float>((1 - contrast) * brightness * MeanLuma(image));
  for (auto& row : matrix) {
    for (float& value : row) value *= static_cast<float>(contrast * brightness);
  }
  for (size_t i = 0; i < image.rgb.size(); i += 3) {
    const float r = image.rgb[i], g = image.rgb[i + 1], b = image.rgb[i + 2];
    for (size_t c = 0; c < 3; ++c) {
      image.rgb[i + c] = ToByte(matrix[c][0] * r + matrix[c][1] * g + matrix[c][2] * b + offset);
    }
  }
}

void Blur(const AugmentConfig& config, Random& random, image::Image& image) {
  const double sigma = random.Uniform() * config.blur;
  // Less leaves 8-bit values as they are.
  if (sigma < 0.1) return;
  const std::vector<float> weights = GaussianWeights(sigma);
  const int radius = static_cast<int>(weights.size()) - 1;
  const auto row_size = static_cast<size_t>(image.width) * 3;
  std::vector<float> values(image.rgb.begin(), image.rgb.end());
  std::vector<float> rows(values.size());
  for (int y = 0; y < image.height; ++y) {
    BlurLine(weights, values.data() + static_cast<size_t>(y) * row_size, image.width,
             rows.data() + static_cast<size_t>(y) * row_size);
  }
  const auto row_at = [&](int y) {
    return rows.data() + static_cast<size_t>(std::clamp(y, 0, image.height - 1)) * row_size;
  };
  std::vector<float> sums(row_size);
  for (int y = 0; y < image.height; ++y) {
    const float* middle = row_at(y);
    for (size_t i = 0; i < row_size; ++i) sums[i] = weights[0] * middle[i];
    for (int r = 1; r <= radius; ++r) {
      const float* above = row_at(y - r);
      const float* below = row_at(y + r);
      const float weight = weights[static_cast<size_t>(r)];
      for (size_t i = 0; i < row_size; ++i) sums[i] += weight * (above[i] + below[i]);
    }
    uint8_t* out = image.rgb.data() + static_cast<size_t>(y) * row_size;
    for (size_t i = 0; i < row_size; ++i) out[i] = ToByte(sums[i]);
  }
}

void AddNoise(const AugmentConfig& config, Random& random, image::Image& image) {
  const double deviation = random.Uniform() * config.noise;
  if (deviation < 0.1) return;
  // The sum of the eight bytes of a draw is close to normal, with mean 8 * 127.5 and variance 8 * (256^2 - 1) / 12:
  // one draw a value, where two logarithms would take longer than everything else.
  const auto factor = static_cast<float>(deviation / std::sqrt(8 * (65536.0 - 1) / 12));
  constexpr uint64_t kEven = 0x00FF00FF00FF00FFu;
  for (uint8_t& value : image.rgb) {
    const uint64_t draw = random.Next();
    const uint64_t pairs = (draw & kEven) + ((draw >> 8) & kEven);
    const auto sum = static_cast<float>((pairs * 0x0001000100010001u) >> 48);
    value = ToByte(static_cast<float>(value) + (sum - 1020.0f) * factor);
  }
}

void DamageByJpeg(const AugmentConfig& config, Random& random, image::Image& image) {
  const bool damaged = random.Chance(config.jpeg);
  constexpr int kLeastQuality = 25, kMostQuality = 85;
  const int quality = kLeastQuality + random.Below(kMostQuality - kLeastQuality + 1);
  if (!damaged) return;
  const absl::StatusOr<std::string> encoded = image::EncodeJpeg(image, quality);
  if (!encoded.ok()) return;
  absl::StatusOr<image::Image> decoded = image::Decode(*encoded, {}, {});
  if (decoded.ok()) image = *std::move(decoded);
}

void Erase(const AugmentConfig& config, Random& random, image::Image& image) {
  if (!random.Chance(config.erase)) return;
  // Zhong et al. 2020, "Random erasing data augmentation": at least 0.02 of the area, sides in a ratio of 0.3 to 3.3.
  constexpr double kLeastArea = 0.02, kMostRatio = 3.3;
  const double area = random.Between(std::min(kLeastArea, config.erase_area), config.erase_area);
  const double ratio = std::exp(random.Between(-1, 1) * std::log(kMostRatio));
  const int width = std::clamp(static_cast<int>(std::lround(image.width * std::sqrt(area * ratio))), 1, image.width);
  const int height = std::clamp(static_cast<int>(std::lround(image.height * std::sqrt(area / ratio))), 1, image.height);
  const int left = random.Below(image.width - width + 1);
  const int top = random.Below(image.height - height + 1);
  const bool noise = random.Chance(0.5);
  const uint64_t colour = random.Next();
  for (int y = top; y < top + height; ++y) {
    uint8_t* row =
        image.rgb.data() + (static_cast<size_t>(y) * static_cast<size_t>(image.width) + static_cast<size_t>(left)) * 3;
    for (int x = 0; x < width; ++x, row += 3) {
      const uint64_t bytes = noise ? random.Next() : colour;
      for (int c = 0; c < 3; ++c) row[c] = static_cast<uint8_t>(bytes >> (8 * c));
    }
  }
}

}  // namespace sightline::train
