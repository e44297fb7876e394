#include "model/train/scene/landmark/develop.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "model/train/scene/landmark/field.h"

namespace sightline::scene::landmark {
namespace {

using Pixels = std::vector<Vec>;

// One direction of a box blur; `step` pixels from one value of a line to the next.
void BlurLine(const Vec* from, Vec* to, int count, int step, int radius) {
  const float scale = 1.0f / static_cast<float>(2 * radius + 1);
  const auto at = [&](int i) { return from[static_cast<size_t>(std::clamp(i, 0, count - 1)) * step]; };
  Vec sum;
  for (int i = -radius; i <= radius; ++i) sum = sum + at(i);
  for (int i = 0; i < count; ++i) {
    to[static_cast<size_t>(i) * step] = sum * scale;
    sum = sum + at(i + radius + 1) - at(i - radius);
  }
}

Pixels Blurred(const Pixels& pixels, int side, int radius) {
  if (radius < 1) return pixels;
  Pixels across(pixels.size());
  Pixels out(pixels.size());
  for (int y = 0; y < side; ++y) {
    BlurLine(&pixels[static_cast<size_t>(y) * side], &across[static_cast<size_t>(y) * side], side, 1, radius);
  }
  for (int x = 0; x < side; ++x) BlurLine(&across[x], &out[x], side, side, radius);
  return out;
}

Vec Between(const Pixels& pixels, int side, float x, float y) {
  x = std::clamp(x, 0.0f, static_cast<float>(side) - 1.001f);
  y = std::clamp(y, 0.0f, static_cast<float>(side) - 1.001f);
  const int i = static_cast<int>(x);
  const int j = static_cast<int>(y);
  const Vec* corner = &pixels[static_cast<size_t>(j) * side + i];
  const float right = x - static_cast<float>(i);
  return Mix(Mix(corner[0], corner[1], right), Mix(corner[side], corner[side + 1], right), y - static_cast<float>(j));
}

// What is nearer or farther than the object melts away.
void Defocus(double radius, Picture* picture) {
  const int pixels = std::max(1, static_cast<int>(std::lround(radius * picture->side)));
  std::vector<float> depths;
  for (size_t i = 0; i < picture->depth.size(); ++i) {
    if (picture->owner[i] == kInstance) depths.push_back(picture->depth[i]);
  }
  if (depths.empty()) return;
  std::nth_element(depths.begin(), depths.begin() + static_cast<std::ptrdiff_t>(depths.size() / 2), depths.end());
  const float focus = depths[depths.size() / 2];
  const Pixels blurred =
      Blurred(Blurred(picture->light, picture->side, pixels), picture->side, std::max(1, pixels / 2));
  for (size_t i = 0; i < blurred.size(); ++i) {
    const float depth = picture->depth[i] > 0 ? picture->depth[i] : 100;
    const float off = std::abs(1 - focus / depth) * 2.5f - 0.25f;
    picture->light[i] = Mix(picture->light[i], blurred[i], std::clamp(off, 0.0f, 1.0f));
  }
}

void Smear(double length, double angle, Pixels* pixels, int side) {
  const Pixels from = *pixels;
  const int taps = std::max(2, static_cast<int>(std::lround(length * side)));
  const auto dx = static_cast<float>(std::cos(angle));
  const auto dy = static_cast<float>(std::sin(angle));
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      Vec sum;
      for (int k = 0; k < taps; ++k) {
        const float along = static_cast<float>(k) - static_cast<float>(taps - 1) / 2;
        const int i = std::clamp(static_cast<int>(std::lround(static_cast<float>(x) + along * dx)), 0, side - 1);
        const int j = std::clamp(static_cast<int>(std::lround(static_cast<float>(y) + along * dy)), 0, side - 1);
        sum = sum + from[static_cast<size_t>(j) * side + i];
      }
      (*pixels)[static_cast<size_t>(y) * side + x] = sum * (1.0f / static_cast<float>(taps));
    }
  }
}

void Rain(int streaks, Random* random, Pixels* pixels, int side) {
  const double lean = random->Between(-0.4, 0.4);
  for (int i = 0; i < streaks; ++i) {
    const double x0 = random->Between(-0.1, 1.1) * side;
    const double y0 = random->Between(-0.1, 1) * side;
    const double length = random->Between(0.04, 0.14) * side;
    const auto bright = static_cast<float>(random->Between(0.15, 0.45));
    for (double t = 0; t < length; t += 0.7) {
      const int x = static_cast<int>(x0 + lean * t);
      const int y = static_cast<int>(y0 + t);
      if (x < 0 || y < 0 || x >= side || y >= side) continue;
      Vec& pixel = (*pixels)[static_cast<size_t>(y) * side + x];
      pixel = Mix(pixel, {0.75f, 0.78f, 0.8f}, bright);
    }
  }
}

void Rescale(double shrink, Pixels* pixels, int side) {
  const int small = std::max(16, static_cast<int>(side / shrink));
  const Pixels soft = Blurred(*pixels, side, shrink > 1.6 ? 1 : 0);
  Pixels reduced(static_cast<size_t>(small) * small);
  const float scale = static_cast<float>(side) / static_cast<float>(small);
  for (int y = 0; y < small; ++y) {
    for (int x = 0; x < small; ++x) {
      reduced[static_cast<size_t>(y) * small + x] =
          Between(soft, side, (x + 0.5f) * scale - 0.5f, (y + 0.5f) * scale - 0.5f);
    }
  }
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      (*pixels)[static_cast<size_t>(y) * side + x] =
          Between(reduced, small, (x + 0.5f) / scale - 0.5f, (y + 0.5f) / scale - 0.5f);
    }
  }
}

// The film's curve: straight in the shadows, rolling off in the lights; then the stored values' root.
float Curve(float light, float contrast) {
  const float rolled = light < 0.6f ? light : 1 - 0.4f * std::exp((0.6f - light) / 0.4f);
  const float stored = std::sqrt(std::max(0.0f, rolled));
  return contrast == 1 ? stored : stored + (contrast - 1) * stored * (1 - stored) * (2 * stored - 1);
}

double MeanLight(const Pixels& pixels) {
  double sum = 0;
  // Highlights are left to burn out.
  for (const Vec& pixel : pixels) sum += std::min(2.0f, 0.3f * pixel.x + 0.6f * pixel.y + 0.1f * pixel.z);
  return std::max(1e-5, sum / static_cast<double>(pixels.size()));
}

void ToStored(const Exposure& exposure, double gain, Pixels* pixels, int side) {
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      Vec& pixel = (*pixels)[static_cast<size_t>(y) * side + x];
      const double u = 2 * (x + 0.5) / side - 1;
      const double v = 2 * (y + 0.5) / side - 1;
      const auto factor = static_cast<float>(gain * (1 - exposure.vignette * (u * u + v * v) / 2));
      pixel = pixel * exposure.balance * factor;
      const float grey = 0.3f * pixel.x + 0.6f * pixel.y + 0.1f * pixel.z;
      pixel = Mix({grey, grey, grey}, pixel, static_cast<float>(exposure.saturation));
      const auto contrast = static_cast<float>(exposure.contrast);
      pixel = {Curve(pixel.x, contrast), Curve(pixel.y, contrast), Curve(pixel.z, contrast)};
    }
  }
}

void AddNoise(const Exposure& exposure, Random* random, Pixels* pixels, int side) {
  const Field red = MakeField(side, side, {.cells_x = side / 5.0, .cells_y = side / 5.0, .octaves = 2}, random);
  const Field blue = MakeField(side, side, {.cells_x = side / 5.0, .cells_y = side / 5.0, .octaves = 2}, random);
  const auto colour = static_cast<float>(exposure.chroma_noise);
  for (size_t i = 0; i < pixels->size(); ++i) {
    // The sum of four even distributions, scaled to a standard deviation of 1; 16 bits of one draw each.
    const uint64_t bits = random->Next();
    const auto sum =
        static_cast<double>((bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48));
    const auto grain = static_cast<float>((sum / 65536 - 2) * 1.7320508 * exposure.noise);
    Vec& pixel = (*pixels)[i];
    pixel = pixel + Vec{grain + colour * red.values[i], grain - 0.4f * colour * (red.values[i] + blue.values[i]),
                        grain + colour * blue.values[i]};
  }
}

}  // namespace

Exposure MakeExposure(double strength, bool night, Random* random) {
  const auto some = [&](double chance) { return random->Chance(chance * (0.35 + strength)); };
  Exposure exposure;
  exposure.brightness = (night ? 0.1 : 0.25) * std::exp2(random->Between(-1, 1) * (0.35 + 0.6 * strength));
  exposure.contrast = 1 + random->Between(-0.2, 0.9);
  exposure.saturation = 1 + random->Between(-0.35, 0.3);
  const double warm = random->Between(-1, 1) * (0.08 + 0.2 * strength);
  exposure.balance = {static_cast<float>(1 + warm), static_cast<float>(1 + random->Between(-0.05, 0.05)),
                      static_cast<float>(1 - warm)};
  exposure.vignette = some(0.6) ? random->Between(0.1, 0.55) : 0;
  exposure.focus_blur = some(0.5) ? random->Between(0.01, 0.03) : 0;
  exposure.motion = some(0.3) ? random->Between(0.008, 0.012 + 0.025 * strength) : 0;
  exposure.motion_angle = random->Between(0, 3.14159);
  exposure.soft = some(0.3) ? random->Between(0.5, 1 + 1.5 * strength) : 0;
  exposure.shrink = some(0.4) ? random->Between(1.2, 1.6 + 1.6 * strength) : 1;
  exposure.sharpen = some(0.6) ? random->Between(0.2, 1.2) : 0;
  exposure.noise = random->Between(0.002, 0.012 + 0.03 * strength) * (night ? 2 : 1);
  exposure.chroma_noise = exposure.noise * random->Between(0.1, 0.8);
  exposure.jpeg_quality = static_cast<int>(random->Between(90 - 55 * strength, 96));
  return exposure;
}

image::Image Develop(Picture picture, const Exposure& exposure, Random* random) {
  const int side = picture.side;
  if (exposure.focus_blur > 0) Defocus(exposure.focus_blur, &picture);
  Pixels& pixels = picture.light;
  const double gain = exposure.brightness / MeanLight(pixels);
  if (exposure.rain > 0) Rain(exposure.rain, random, &pixels, side);
  if (exposure.motion * side > 1.5) Smear(exposure.motion, exposure.motion_angle, &pixels, side);
  ToStored(exposure, gain, &pixels, side);
  if (exposure.soft > 0) pixels = Blurred(pixels, side, static_cast<int>(std::lround(exposure.soft * side / 224)));
  if (exposure.shrink > 1) Rescale(exposure.shrink, &pixels, side);
  if (exposure.noise > 0) AddNoise(exposure, random, &pixels, side);
  if (exposure.sharpen > 0) {
    const Pixels blurred = Blurred(pixels, side, 1);
    for (size_t i = 0; i < pixels.size(); ++i) {
      pixels[i] = pixels[i] + (pixels[i] - blurred[i]) * static_cast<float>(exposure.sharpen);
    }
  }
  image::Image image{side, side, {}, side, side};
  image.rgb.reserve(pixels.size() * 3);
  for (const Vec& pixel : pixels) {
    for (const float value : {pixel.x, pixel.y, pixel.z}) {
      image.rgb.push_back(static_cast<uint8_t>(std::clamp(value, 0.0f, 1.0f) * 255 + 0.5f));
    }
  }
  return image;
}

}  // namespace sightline::scene::landmark
