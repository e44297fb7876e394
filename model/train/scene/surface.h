// Surface: what one instance looks like, flat and evenly lit: colours and relief, drawn from a seed.
//
// Threading: MakeSurface is pure; a Surface is read-only afterwards. Ownership: values. Failure: none.
//
//   const Surface surface = MakeSurface(seed, /*instance=*/7);
//   if (surface.Contains(u, v)) Use(surface.At(u, v));
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_SURFACE_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_SURFACE_H_

#include <cstdint>
#include <vector>

#include "model/train/scene/colour.h"

namespace sightline::scene {

struct SurfacePoint {
  Colour colour = {};
  // The relief's rise per unit of u and of v.
  float slope_u = 0;
  float slope_v = 0;
};

struct Surface {
  double aspect = 1;     // width by height of the object when seen from the front
  double roundness = 2;  // outline |u|^r + |v|^r = 1, r at least 2: 2 is an ellipse, 30 nearly a rectangle
  int side = 0;
  std::vector<SurfacePoint> points;  // side x side over [-1, 1] x [-1, 1]

  bool Contains(double u, double v) const;
  // Between the four nearest points; u and v in [-1, 1].
  SurfacePoint At(double u, double v) const;
};

Surface MakeSurface(uint64_t seed, int instance);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_SURFACE_H_
