#include "model/train/scene/landmark/solid.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sightline::scene::landmark {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

// A ray in the axes of a solid.
struct Local {
  Vec eye;
  Vec direction;
};

Local ToLocal(const Pose& pose, const Vec& eye, const Vec& direction) {
  const Vec offset = eye - pose.origin;
  return {{Dot(offset, pose.x), Dot(offset, pose.y), Dot(offset, pose.z)},
          {Dot(direction, pose.x), Dot(direction, pose.y), Dot(direction, pose.z)}};
}

// Distance along the ray, or a negative number.
float FlatDistance(const Solid& solid, const Local& ray, float nearest, float nearer_than) {
  if (std::abs(ray.direction.z) < 1e-6f || (ray.direction.z > 0 && !solid.back)) return -1;
  const float t = -ray.eye.z / ray.direction.z;
  if (t < nearest || t >= nearer_than) return -1;
  const float x = (ray.eye.x + t * ray.direction.x) / solid.half.x;
  const float y = (ray.eye.y + t * ray.direction.y) / solid.half.y;
  const bool inside = solid.kind == Solid::Kind::kDisc ? x * x + y * y <= 1 : std::abs(x) <= 1 && std::abs(y) <= 1;
  return inside ? t : -1;
}

float FrustumDistance(const Solid& solid, const Local& ray, float nearest, float nearer_than) {
  const float middle = (solid.half.x + solid.half.z) / 2;
  const float growth = (solid.half.z - solid.half.x) / (2 * solid.half.y);
  const Vec& o = ray.eye;
  const Vec& d = ray.direction;
  const float radius = middle + growth * o.y;
  const float a = d.x * d.x + d.z * d.z - growth * growth * d.y * d.y;
  const float b = o.x * d.x + o.z * d.z - growth * radius * d.y;
  const float c = o.x * o.x + o.z * o.z - radius * radius;
  const float square = b * b - a * c;
  if (square < 0 || std::abs(a) < 1e-9f) return -1;
  const float root = std::sqrt(square);
  const float first = std::min((-b - root) / a, (-b + root) / a);
  if (first < nearest || first >= nearer_than || std::abs(o.y + first * d.y) > solid.half.y) return -1;
  return first;
}

float EllipsoidDistance(const Solid& solid, const Local& ray, float nearest, float nearer_than) {
  const Vec scale = {1 / solid.half.x, 1 / solid.half.y, 1 / solid.half.z};
  const Vec o = ray.eye * scale;
  const Vec d = ray.direction * scale;
  const float a = Dot(d, d);
  const float b = Dot(o, d);
  const float square = b * b - a * (Dot(o, o) - 1);
  if (square < 0) return -1;
  const float t = (-b - std::sqrt(square)) / a;
  return t < nearest || t >= nearer_than ? -1 : t;
}

float Distance(const Solid& solid, const Local& ray, float nearest, float nearer_than) {
  switch (solid.kind) {
    case Solid::Kind::kRectangle:
    case Solid::Kind::kDisc: return FlatDistance(solid, ray, nearest, nearer_than);
    case Solid::Kind::kFrustum: return FrustumDistance(solid, ray, nearest, nearer_than);
    case Solid::Kind::kEllipsoid: return EllipsoidDistance(solid, ray, nearest, nearer_than);
  }
  return -1;
}

float Density(const Solid& solid, float width, float height) {
  const float across = static_cast<float>(solid.texture->width()) * std::abs(solid.u1 - solid.u0) / width;
  const float down = static_cast<float>(solid.texture->height()) * std::abs(solid.v1 - solid.v0) / height;
  return std::sqrt(across * down);
}

}  // namespace

Pose MakePose(const Vec& origin, double yaw, double pitch, double roll) {
  const auto turn = [](double angle) {
    return std::pair{static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
  };
  const auto [cy, sy] = turn(yaw);
  const auto [cp, sp] = turn(pitch);
  const auto [cr, sr] = turn(roll);
  const auto rotate = [&](Vec v) {
    v = {cr * v.x - sr * v.y, sr * v.x + cr * v.y, v.z};
    v = {v.x, cp * v.y - sp * v.z, sp * v.y + cp * v.z};
    return Vec{cy * v.x + sy * v.z, v.y, -sy * v.x + cy * v.z};
  };
  return {origin, rotate({1, 0, 0}), rotate({0, 1, 0}), rotate({0, 0, 1})};
}

bool Intersect(const Solid& solid, const Vec& eye, const Vec& direction, float nearest, float nearer_than, Hit* hit) {
  const Local ray = ToLocal(solid.pose, eye, direction);
  const float t = Distance(solid, ray, nearest, nearer_than);
  if (t < 0) return false;
  hit->distance = t;
  const Vec at = ray.eye + ray.direction * t;
  float u = 0;
  float v = 0;
  Vec normal;
  Vec along_u;
  Vec along_v;
  switch (solid.kind) {
    case Solid::Kind::kRectangle:
    case Solid::Kind::kDisc:
      u = (at.x / solid.half.x + 1) / 2;
      v = (1 - at.y / solid.half.y) / 2;
      normal = {0, 0, ray.direction.z > 0 ? -1.0f : 1.0f};
      along_u = {1, 0, 0};
      along_v = {0, -1, 0};
      hit->texels = Density(solid, 2 * solid.half.x, 2 * solid.half.y);
      break;
    case Solid::Kind::kFrustum: {
      const float growth = (solid.half.z - solid.half.x) / (2 * solid.half.y);
      const float radius = std::max(1e-6f, std::sqrt(at.x * at.x + at.z * at.z));
      u = std::atan2(at.x, at.z) / (2 * kPi) + 0.5f;
      v = (1 - at.y / solid.half.y) / 2;
      normal = Normal({at.x / radius, -growth, at.z / radius});
      along_u = {at.z / radius, 0, -at.x / radius};
      along_v = Cross(along_u, normal) * -1;
      hit->texels = Density(solid, 2 * kPi * std::max(solid.half.x, solid.half.z), 2 * solid.half.y);
      break;
    }
    case Solid::Kind::kEllipsoid: {
      const Vec unit = {at.x / solid.half.x, at.y / solid.half.y, at.z / solid.half.z};
      u = std::atan2(unit.x, unit.z) / (2 * kPi) + 0.5f;
      v = std::acos(std::clamp(unit.y, -1.0f, 1.0f)) / kPi;
      normal = Normal({unit.x / solid.half.x, unit.y / solid.half.y, unit.z / solid.half.z});
      const Vec around = {normal.z, 0, -normal.x};
      along_u = Dot(around, around) > 1e-8f ? Normal(around) : Vec{1, 0, 0};
      along_v = Cross(along_u, normal) * -1;
      hit->texels = Density(solid, 2 * kPi * solid.half.x, kPi * solid.half.y);
      break;
    }
  }
  hit->u = solid.u0 + u * (solid.u1 - solid.u0);
  hit->v = solid.v0 + v * (solid.v1 - solid.v0);
  hit->normal = solid.pose.Direction(normal);
  hit->along_u = solid.pose.Direction(along_u);
  hit->along_v = solid.pose.Direction(along_v);
  return true;
}

float DistanceTo(const Solid& solid, const Vec& eye, const Vec& direction, float nearest, float nearer_than) {
  return Distance(solid, ToLocal(solid.pose, eye, direction), nearest, nearer_than);
}

bool Blocks(const Solid& solid, const Vec& eye, const Vec& direction, float reach) {
  const Local ray = ToLocal(solid.pose, eye, direction);
  if (solid.kind == Solid::Kind::kRectangle || solid.kind == Solid::Kind::kDisc) {
    // A face that looks away from the light shades as well.
    Solid both = solid;
    both.back = true;
    return FlatDistance(both, ray, 1e-3f, reach) > 0;
  }
  return Distance(solid, ray, 1e-3f, reach) > 0;
}

float Reach(const Solid& solid) {
  switch (solid.kind) {
    case Solid::Kind::kRectangle:
    case Solid::Kind::kDisc: return std::hypot(solid.half.x, solid.half.y);
    case Solid::Kind::kFrustum: return std::hypot(std::max(solid.half.x, solid.half.z), solid.half.y);
    case Solid::Kind::kEllipsoid: return std::max({solid.half.x, solid.half.y, solid.half.z});
  }
  return 0;
}

std::array<Vec, 8> Corners(const Solid& solid) {
  Vec half = solid.half;
  if (solid.kind == Solid::Kind::kRectangle || solid.kind == Solid::Kind::kDisc) half.z = 0;
  if (solid.kind == Solid::Kind::kFrustum) half.x = half.z = std::max(half.x, half.z);
  std::array<Vec, 8> out;
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = solid.pose.World(
        {(i & 1) != 0 ? half.x : -half.x, (i & 2) != 0 ? half.y : -half.y, (i & 4) != 0 ? half.z : -half.z});
  }
  return out;
}

}  // namespace sightline::scene::landmark
