// Tracer: what a pinhole camera sees of solids in the light: one ray a pixel, more where an outline crosses it, with
// relief, gloss, soft shadows and haze.
//
// Light is linear; colours of textures are squared on the way in, close enough to their stored curve.
//
// Threading: pure functions. Ownership: a Stage points to textures that must outlive it. Failure: none.
//
//   const Picture picture = Trace(stage, /*side=*/224);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_TRACER_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_TRACER_H_

#include <cstdint>
#include <vector>

#include "model/train/scene/landmark/solid.h"

namespace sightline::scene::landmark {

// The owner of rays that meet nothing, and of the object that a picture is of.
inline constexpr int kNobody = -1;
inline constexpr int kInstance = 1;

struct Camera {
  Pose pose;           // looks along -z
  float focal = 1.2f;  // distance of the picture plane, by half the picture's side
};

struct Illumination {
  Vec sun_direction = {0.3f, 0.7f, 0.6f};  // towards it; a unit vector
  Vec sun = {1, 1, 1};
  Vec sky = {0.5f, 0.5f, 0.5f};     // from above
  Vec ground = {0.3f, 0.3f, 0.3f};  // from below
  float shadow = 1;                 // 0: the sun throws none
  // A lamp with its light falling off; none where lamp is 0.
  Vec lamp_at;
  Vec lamp = {0, 0, 0};
  float haze = 0;  // share lost per unit of length
  Vec haze_colour = {0.7f, 0.7f, 0.75f};
};

// What is seen where nothing stands: a colour from the horizon to above, with a texture laid over it.
struct Backdrop {
  Vec horizon = {0.8f, 0.85f, 0.9f};  // as stored in files
  Vec zenith = {0.3f, 0.5f, 0.8f};
  const Texture* clouds = nullptr;
  float cloud_share = 0;
  float turn = 0;  // shifts the clouds
};

struct Stage {
  Camera camera;
  Illumination light;
  Backdrop backdrop;
  std::vector<Solid> solids;
};

struct Picture {
  explicit Picture(int side_in)
      : side(side_in),
        light(static_cast<size_t>(side_in) * side_in),
        depth(light.size(), 0.0f),
        owner(light.size(), kNobody) {}
  int side;
  std::vector<Vec> light;  // linear, row-major
  std::vector<float> depth;
  std::vector<int16_t> owner;
};

Picture Trace(const Stage& stage, int side);

// Of the grid's cells: how many show the object, and how many would if nothing stood before it.
struct Visibility {
  int cells = 0;
  int seen = 0;
  int covered = 0;
  double hidden() const { return covered == 0 ? 1 : 1 - static_cast<double>(seen) / covered; }
  double share() const { return static_cast<double>(seen) / cells; }
};
// The object of owner kInstance, on a grid of side x side rays.
Visibility Look(const Stage& stage, int side);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_TRACER_H_
