#include "model/train/scene/landmark/tracer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sightline::scene::landmark {
namespace {

constexpr int kTile = 16;          // pixels whose rays share a list of solids
constexpr float kNearest = 0.05f;  // from the camera
constexpr float kFarthest = 1e6f;

// The ray through a point of the picture; x and y are fractions of its side.
Vec Ray(const Camera& camera, float x, float y) {
  return Normal(camera.pose.Direction({2 * x - 1, 1 - 2 * y, -camera.focal}));
}

// For every tile the solids that may be met there, nearest first as far as their boxes tell.
class Tiles {
 public:
  Tiles(const Stage& stage, int side)
      : across_((side + kTile - 1) / kTile), lists_(static_cast<size_t>(across_) * across_) {
    struct Placed {
      float nearest;
      uint16_t solid;
    };
    std::vector<Placed> order;
    for (size_t i = 0; i < stage.solids.size(); ++i) {
      const float distance = Length(stage.solids[i].pose.origin - stage.camera.pose.origin) - Reach(stage.solids[i]);
      order.push_back({distance, static_cast<uint16_t>(i)});
    }
    std::stable_sort(order.begin(), order.end(),
                     [](const Placed& a, const Placed& b) { return a.nearest < b.nearest; });
    for (const Placed& placed : order) Add(stage, placed.solid, side);
  }

  const std::vector<uint16_t>& At(int x, int y) const {
    return lists_[static_cast<size_t>(y / kTile) * across_ + static_cast<size_t>(x / kTile)];
  }

 private:
  void Add(const Stage& stage, uint16_t which, int side) {
    float x0 = 1e9f;
    float y0 = 1e9f;
    float x1 = -1e9f;
    float y1 = -1e9f;
    int behind = 0;
    const Pose& eye = stage.camera.pose;
    for (const Vec& corner : Corners(stage.solids[which])) {
      const Vec offset = corner - eye.origin;
      const float depth = -Dot(offset, eye.z);
      if (depth < kNearest) {
        ++behind;
        continue;
      }
      const float scale = stage.camera.focal / depth;
      const float x = (Dot(offset, eye.x) * scale + 1) / 2;
      const float y = (1 - Dot(offset, eye.y) * scale) / 2;
      x0 = std::min(x0, x);
      x1 = std::max(x1, x);
      y0 = std::min(y0, y);
      y1 = std::max(y1, y);
    }
    if (behind == 8) return;
    if (behind > 0) {
      x0 = y0 = 0;
      x1 = y1 = 1;
    }
    const auto tile = [this, side](float position) {
      const float limited = std::clamp(position, -1.0f, 2.0f) * static_cast<float>(side);
      return std::clamp(static_cast<int>(std::floor(limited / kTile)), 0, across_ - 1);
    };
    if (x1 < 0 || y1 < 0 || x0 > 1 || y0 > 1) return;
    for (int y = tile(y0); y <= tile(y1); ++y) {
      for (int x = tile(x0); x <= tile(x1); ++x) lists_[static_cast<size_t>(y) * across_ + x].push_back(which);
    }
  }

  int across_;
  std::vector<std::vector<uint16_t>> lists_;
};

// What a ray meets.
struct Seen {
  const Solid* solid = nullptr;
  Hit hit;
  Texel texel;
};

// Moves the point on the texture as if its relief stood out: the step to where the ray meets the height there.
void ShiftByRelief(const Solid& solid, const Vec& direction, Hit* hit) {
  const float facing = -Dot(direction, hit->normal);
  if (facing < 0.2f) return;
  const float step_u = Dot(direction, hit->along_u) / facing / (2 * solid.half.x) * (solid.u1 - solid.u0);
  const float step_v = Dot(direction, hit->along_v) / facing / (2 * solid.half.y) * (solid.v1 - solid.v0);
  const float width = 2 * solid.half.x / std::max(0.01f, std::abs(solid.u1 - solid.u0));
  float u = hit->u;
  float v = hit->v;
  for (int i = 0; i < 2; ++i) {
    const float height = solid.texture->HeightAt(u, v) * width;
    u = hit->u - step_u * height;
    v = hit->v - step_v * height;
  }
  hit->u = u;
  hit->v = v;
}

// Looks up what a hit shows; false where the texture has a hole.
bool LookUp(const Vec& direction, float pixel, Seen* seen) {
  const Solid& solid = *seen->solid;
  Hit& hit = seen->hit;
  if (solid.kind == Solid::Kind::kRectangle && solid.texture->has_relief()) ShiftByRelief(solid, direction, &hit);
  const float facing = std::max(0.08f, std::abs(Dot(direction, hit.normal)));
  seen->texel = solid.texture->At(hit.u, hit.v, hit.distance * pixel * hit.texels / std::sqrt(facing));
  return seen->texel.alpha >= 0.5f;
}

template <typename Wanted>
Seen Cast(const Stage& stage, const std::vector<uint16_t>& list, const Vec& direction, float pixel,
          const Wanted& wanted) {
  const Vec& eye = stage.camera.pose.origin;
  Seen nearest;
  float distance = kFarthest;
  bool looked_up = true;
  for (const uint16_t which : list) {
    const Solid& solid = stage.solids[which];
    if (!wanted(solid)) continue;
    const float own = DistanceTo(solid, eye, direction, kNearest, distance);
    if (own < 0) continue;
    // Only where there may be holes does the skin decide what is met; elsewhere it is looked up once, at the end.
    const bool holes = solid.texture->has_holes();
    if (holes) {
      Seen seen{&solid, {}, {}};
      Intersect(solid, eye, direction, kNearest, kFarthest, &seen.hit);
      if (!LookUp(direction, pixel, &seen)) continue;
      nearest = seen;
    }
    nearest.solid = &solid;
    distance = own;
    looked_up = holes;
  }
  if (!looked_up) {
    Intersect(*nearest.solid, eye, direction, kNearest, kFarthest, &nearest.hit);
    LookUp(direction, pixel, &nearest);
  }
  return nearest;
}

constexpr auto kAny = [](const Solid&) { return true; };

Vec Sky(const Stage& stage, const Vec& direction) {
  const Backdrop& sky = stage.backdrop;
  const float up = std::clamp(direction.y * 1.6f, 0.0f, 1.0f);
  Vec colour = Mix(sky.horizon, sky.zenith, up);
  if (sky.clouds != nullptr) {
    const float u = std::atan2(direction.x, -direction.z) / std::numbers::pi_v<float> + sky.turn;
    const Texel texel = sky.clouds->At(u, 0.6f - 0.6f * direction.y, 2);
    colour = Mix(colour, texel.colour, sky.cloud_share * texel.alpha);
  }
  return colour * colour;
}

Vec Shade(const Stage& stage, const Seen& seen, const Vec& direction, float sunlit) {
  const Illumination& light = stage.light;
  const Texel& texel = seen.texel;
  const Vec albedo = texel.colour * texel.colour * seen.solid->tint;
  Vec normal = seen.hit.normal - seen.hit.along_u * texel.slope_u - seen.hit.along_v * texel.slope_v;
  normal = Normal(normal);
  const float sun = std::max(0.0f, Dot(normal, light.sun_direction)) * sunlit;
  Vec received = light.sun * sun + Mix(light.ground, light.sky, 0.5f + 0.5f * normal.y);
  const Vec at = stage.camera.pose.origin + direction * seen.hit.distance;
  Vec towards_lamp = light.lamp_at - at;
  const float square = std::max(0.05f, Dot(towards_lamp, towards_lamp));
  towards_lamp = towards_lamp * (1 / std::sqrt(square));
  received = received + light.lamp * (std::max(0.0f, Dot(normal, towards_lamp)) / (0.3f + square));
  Vec out = albedo * received;
  const float gloss = std::min(1.0f, texel.gloss + seen.solid->gloss);
  if (gloss > 0.01f) {
    const Vec half = Normal(light.sun_direction - direction);
    const float power = std::pow(std::max(0.0f, Dot(normal, half)), 12 + 60 * gloss);
    out = out + light.sun * (power * gloss * 0.8f * sunlit);
    const float facing = std::clamp(-Dot(direction, normal), 0.0f, 1.0f);
    const float mirror = gloss * (0.06f + 0.6f * std::pow(1 - facing, 4.0f));
    const Vec bounced = direction + normal * (2 * facing);
    out = Mix(out, Sky(stage, bounced) * light.sky, mirror);
  }
  return out + albedo * seen.solid->glow;
}

// The share of sunlight that reaches every second pixel of every second row, smoothed.
class Shadows {
 public:
  Shadows(const Stage& stage, const Picture& picture)
      : across_((picture.side + 1) / 2), lit_(static_cast<size_t>(across_) * across_, 1.0f) {
    if (stage.light.shadow <= 0) return;
    std::vector<float> hard(lit_.size(), 1.0f);
    for (int y = 0; y < across_; ++y) {
      for (int x = 0; x < across_; ++x) {
        const size_t from =
            static_cast<size_t>(std::min(2 * y, picture.side - 1)) * picture.side + std::min(2 * x, picture.side - 1);
        if (picture.owner[from] == kNobody) continue;
        const Vec direction = Ray(stage.camera, (2 * x + 0.5f) / picture.side, (2 * y + 0.5f) / picture.side);
        const Vec at = stage.camera.pose.origin + direction * (picture.depth[from] * 0.998f);
        if (Shaded(stage, at)) hard[static_cast<size_t>(y) * across_ + x] = 1 - stage.light.shadow;
      }
    }
    for (int y = 0; y < across_; ++y) {
      for (int x = 0; x < across_; ++x) {
        float sum = 0;
        for (int j = -1; j <= 1; ++j) {
          for (int i = -1; i <= 1; ++i) {
            sum += hard[static_cast<size_t>(std::clamp(y + j, 0, across_ - 1)) * across_ +
                        std::clamp(x + i, 0, across_ - 1)];
          }
        }
        lit_[static_cast<size_t>(y) * across_ + x] = sum / 9;
      }
    }
  }

  float At(int x, int y) const { return lit_[static_cast<size_t>(y / 2) * across_ + static_cast<size_t>(x / 2)]; }

 private:
  static bool Shaded(const Stage& stage, const Vec& at) {
    const Vec& sun = stage.light.sun_direction;
    for (const Solid& solid : stage.solids) {
      // Grounds and walls catch shadows and throw none.
      const float reach = Reach(solid);
      if (reach > 4) continue;
      const Vec offset = solid.pose.origin - at;
      const float along = Dot(offset, sun);
      if (along < -reach || Dot(offset, offset) - along * along > reach * reach) continue;
      if (Blocks(solid, at, sun, kFarthest)) return true;
    }
    return false;
  }

  int across_;
  std::vector<float> lit_;
};

Vec Hazy(const Illumination& light, const Vec& colour, float distance) {
  if (light.haze <= 0) return colour;
  return Mix(light.haze_colour, colour, std::exp(-light.haze * distance));
}

Vec Colour(const Stage& stage, const Seen& seen, const Vec& direction, float sunlit) {
  if (seen.solid == nullptr) return Hazy(stage.light, Sky(stage, direction), stage.light.haze > 0 ? 30.0f : 0.0f);
  return Hazy(stage.light, Shade(stage, seen, direction, sunlit), seen.hit.distance);
}

}  // namespace

Picture Trace(const Stage& stage, int side) {
  Picture picture(side);
  const Tiles tiles(stage, side);
  const float pixel = 2.0f / static_cast<float>(side) / stage.camera.focal;
  std::vector<Seen> seen(picture.light.size());
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const Vec direction = Ray(stage.camera, (x + 0.5f) / side, (y + 0.5f) / side);
      const size_t at = static_cast<size_t>(y) * side + x;
      seen[at] = Cast(stage, tiles.At(x, y), direction, pixel, kAny);
      if (seen[at].solid == nullptr) continue;
      picture.depth[at] = seen[at].hit.distance;
      picture.owner[at] = static_cast<int16_t>(seen[at].solid->owner);
    }
  }
  const Shadows shadows(stage, picture);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const size_t at = static_cast<size_t>(y) * side + x;
      const float sunlit = shadows.At(x, y);
      const Solid* own = seen[at].solid;
      const bool outline = (x + 1 < side && seen[at + 1].solid != own) || (x > 0 && seen[at - 1].solid != own) ||
                           (y + 1 < side && seen[at + side].solid != own) || (y > 0 && seen[at - side].solid != own);
      if (!outline) {
        picture.light[at] = Colour(stage, seen[at], Ray(stage.camera, (x + 0.5f) / side, (y + 0.5f) / side), sunlit);
        continue;
      }
      Vec sum;
      for (int k = 0; k < 4; ++k) {
        const float dx = k % 2 == 0 ? 0.25f : 0.75f;
        const float dy = k / 2 == 0 ? 0.25f : 0.75f;
        const Vec direction = Ray(stage.camera, (x + dx) / side, (y + dy) / side);
        const Seen sample = Cast(stage, tiles.At(x, y), direction, pixel, kAny);
        sum = sum + Colour(stage, sample, direction, sunlit) * 0.25f;
      }
      picture.light[at] = sum;
    }
  }
  return picture;
}

Visibility Look(const Stage& stage, int side) {
  Visibility out;
  out.cells = side * side;
  const Tiles tiles(stage, side);
  const float pixel = 2.0f / static_cast<float>(side) / stage.camera.focal;
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const Vec direction = Ray(stage.camera, (x + 0.5f) / side, (y + 0.5f) / side);
      const std::vector<uint16_t>& list = tiles.At(x, y);
      const Seen own = Cast(stage, list, direction, pixel, [](const Solid& solid) { return solid.owner == kInstance; });
      if (own.solid == nullptr) continue;
      ++out.covered;
      const Seen first = Cast(stage, list, direction, pixel, kAny);
      if (first.solid != nullptr && first.solid->owner == kInstance) ++out.seen;
    }
  }
  return out;
}

}  // namespace sightline::scene::landmark
