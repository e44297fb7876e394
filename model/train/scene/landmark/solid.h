// Solid: the pieces that objects and their surroundings are built of: rectangles, discs, cone frusta and ellipsoids in
// space, each with a part of a texture as its skin.
//
// Directions: x to the right, y up, z towards the viewer. A texture's v runs downwards.
//
// Threading: values and pure functions. Ownership: a Solid points to a texture that must outlive it. Failure: none.
//
//   Hit hit;
//   if (Intersect(solid, eye, direction, /*nearest=*/0.01f, /*nearer_than=*/1e9f, &hit)) Use(hit.u, hit.v);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_SOLID_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_SOLID_H_

#include <array>

#include "model/train/scene/landmark/texture.h"
#include "model/train/scene/landmark/vec.h"

namespace sightline::scene::landmark {

// A place and a turn: local axes in the world, orthonormal.
struct Pose {
  Vec origin;
  Vec x = {1, 0, 0};
  Vec y = {0, 1, 0};
  Vec z = {0, 0, 1};

  Vec Direction(const Vec& local) const { return x * local.x + y * local.y + z * local.z; }
  Vec World(const Vec& local) const { return origin + Direction(local); }
};

// Turned by `yaw` around y, then by `pitch` around its own x, then by `roll` around its own z (radians), and moved.
Pose MakePose(const Vec& origin, double yaw, double pitch = 0, double roll = 0);

struct Solid {
  enum class Kind {
    kRectangle,  // in the plane of x and y, seen from +z
    kDisc,       // the same, round
    kFrustum,    // around y: radius half.x at the bottom, half.z at the top; u runs around it, 0.5 at +z
    kEllipsoid
  };
  Kind kind = Kind::kRectangle;
  Pose pose;
  Vec half = {0.5, 0.5, 0.5};  // half the extents along the pose's axes
  const Texture* texture = nullptr;
  // The part of the texture it shows; above 1 it is mirrored on and on.
  float u0 = 0;
  float v0 = 0;
  float u1 = 1;
  float v1 = 1;
  float gloss = 0;    // added to the texture's
  float glow = 0;     // light of its own, for signs and windows at night
  bool back = false;  // a rectangle or disc that is seen from behind, too
  int owner = 0;      // which object it belongs to
  Vec tint = {1, 1, 1};
};

struct Hit {
  float distance = 0;
  float u = 0;
  float v = 0;
  Vec normal;
  Vec along_u;  // unit directions in which u and v grow
  Vec along_v;
  float texels = 1;  // per unit of length, the geometric mean of both directions
};

// The nearest point of the solid between `nearest` and `nearer_than` along the ray. `direction` is a unit vector.
bool Intersect(const Solid& solid, const Vec& eye, const Vec& direction, float nearest, float nearer_than, Hit* hit);

// The distance alone, or a negative number: cheaper where only the nearest of many solids matters.
float DistanceTo(const Solid& solid, const Vec& eye, const Vec& direction, float nearest, float nearer_than);

// Whether the ray passes the solid within `reach`, without regard to holes in its texture.
bool Blocks(const Solid& solid, const Vec& eye, const Vec& direction, float reach);

// Half the diagonal.
float Reach(const Solid& solid);

// The eight corners of its box, in the world.
std::array<Vec, 8> Corners(const Solid& solid);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_SOLID_H_
