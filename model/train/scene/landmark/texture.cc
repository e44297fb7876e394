#include "model/train/scene/landmark/texture.h"

#include <algorithm>
#include <cmath>

namespace sightline::scene::landmark {
namespace {

// The steepest slope that is told apart; a wall's edge is steeper and is drawn as this.
constexpr float kSteepest = 2.0f;

uint8_t Byte(float value) { return static_cast<uint8_t>(std::clamp(value, 0.0f, 1.0f) * 255 + 0.5f); }
int8_t SignedByte(float value) { return static_cast<int8_t>(std::lround(std::clamp(value, -1.0f, 1.0f) * 127)); }

float Mirrored(float t) {
  t = std::abs(t);
  const int whole = static_cast<int>(t);
  const float rest = t - static_cast<float>(whole);
  return (whole & 1) != 0 ? 1 - rest : rest;
}

}  // namespace

Texture::Texture(const Canvas& canvas) {
  float highest = 0;
  for (const Point& point : canvas.points) {
    highest = std::max(highest, std::abs(point.height));
    has_holes_ |= point.alpha < 1;
  }
  const auto longer = static_cast<float>(canvas.longer());
  height_scale_ = highest * longer / static_cast<float>(canvas.width);
  const float to_byte = highest > 0 ? 1 / highest : 0;
  Level level{canvas.width, canvas.height, {}};
  level.texels.reserve(canvas.points.size());
  for (int y = 0; y < canvas.height; ++y) {
    for (int x = 0; x < canvas.width; ++x) {
      const Point& point = canvas.at(x, y);
      const float right = canvas.at(std::min(x + 1, canvas.width - 1), y).height;
      const float left = canvas.at(std::max(x - 1, 0), y).height;
      const float below = canvas.at(x, std::min(y + 1, canvas.height - 1)).height;
      const float above = canvas.at(x, std::max(y - 1, 0)).height;
      level.texels.push_back({{Byte(point.colour[0]), Byte(point.colour[1]), Byte(point.colour[2])},
                              Byte(point.alpha),
                              SignedByte((right - left) * longer / 2 / kSteepest),
                              SignedByte((below - above) * longer / 2 / kSteepest),
                              SignedByte(point.height * to_byte),
                              Byte(point.gloss)});
    }
  }
  levels_.push_back(std::move(level));
  while (levels_.back().width > 2 && levels_.back().height > 2) levels_.push_back(Half(levels_.back()));
}

Texture::Level Texture::Half(const Level& level) {
  Level half{level.width / 2, level.height / 2, {}};
  half.texels.reserve(static_cast<size_t>(half.width) * half.height);
  for (int y = 0; y < half.height; ++y) {
    const Packed* top = &level.texels[static_cast<size_t>(2 * y) * level.width];
    const Packed* bottom = top + level.width;
    for (int x = 0; x < half.width; ++x) {
      const Packed* four[] = {top + 2 * x, top + 2 * x + 1, bottom + 2 * x, bottom + 2 * x + 1};
      int rgb[3] = {2, 2, 2};
      int alpha = 2;
      int slope_u = 0;
      int slope_v = 0;
      int height = 0;
      int gloss = 2;
      for (const Packed* one : four) {
        for (int c = 0; c < 3; ++c) rgb[c] += one->rgb[c];
        alpha += one->alpha;
        slope_u += one->slope_u;
        slope_v += one->slope_v;
        height += one->height;
        gloss += one->gloss;
      }
      const auto quarter = [](int sum) { return static_cast<uint8_t>(sum / 4); };
      half.texels.push_back({{quarter(rgb[0]), quarter(rgb[1]), quarter(rgb[2])},
                             quarter(alpha),
                             static_cast<int8_t>(slope_u / 4),
                             static_cast<int8_t>(slope_v / 4),
                             static_cast<int8_t>(height / 4),
                             quarter(gloss)});
    }
  }
  return half;
}

Texel Texture::At(float u, float v, float texels_per_pixel) const {
  size_t which = 0;
  // 1.4: a level is used from half an octave before its texels are a pixel wide.
  for (float reach = 1.4f; texels_per_pixel > reach && which + 1 < levels_.size(); reach *= 2) ++which;
  const Level& level = levels_[which];
  // Just short of the last texel, so that there is one to the right; the smallest level may be one texel wide.
  const auto place = [](float t, int texels) {
    const auto count = static_cast<float>(texels);
    return std::clamp(Mirrored(t) * count - 0.5f, 0.0f, std::max(0.0f, count - 1.001f));
  };
  const float x = place(u, level.width);
  const float y = place(v, level.height);
  const int i = static_cast<int>(x);
  const int j = static_cast<int>(y);
  const float right = x - static_cast<float>(i);
  const float down = y - static_cast<float>(j);
  const Packed* corner = &level.texels[static_cast<size_t>(j) * level.width + i];
  const int next = level.width > 1 ? 1 : 0;
  const int below = level.height > 1 ? level.width : 0;
  const Packed* corners[] = {corner, corner + next, corner + below, corner + below + next};
  const float weights[] = {(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down};
  Texel out{{}, 0, 0, 0, 0, 0};
  for (int k = 0; k < 4; ++k) {
    const Packed& texel = *corners[k];
    const float weight = weights[k];
    out.colour.x += weight * texel.rgb[0];
    out.colour.y += weight * texel.rgb[1];
    out.colour.z += weight * texel.rgb[2];
    out.alpha += weight * texel.alpha;
    out.slope_u += weight * texel.slope_u;
    out.slope_v += weight * texel.slope_v;
    out.height += weight * texel.height;
    out.gloss += weight * texel.gloss;
  }
  constexpr float kByte = 1.0f / 255;
  out.colour = out.colour * kByte;
  out.alpha *= kByte;
  out.gloss *= kByte;
  out.slope_u *= kSteepest / 127;
  out.slope_v *= kSteepest / 127;
  out.height *= height_scale_ / 127;
  return out;
}

float Texture::HeightAt(float u, float v) const {
  const Level& level = levels_[0];
  const int x = std::min(static_cast<int>(Mirrored(u) * static_cast<float>(level.width)), level.width - 1);
  const int y = std::min(static_cast<int>(Mirrored(v) * static_cast<float>(level.height)), level.height - 1);
  return level.texels[static_cast<size_t>(y) * level.width + x].height * height_scale_ / 127;
}

}  // namespace sightline::scene::landmark
