// Texture: a canvas as it is looked up while a picture is rendered: eight bytes a texel, in halving sizes.
//
// Threading: read-only once made. Ownership: values. Failure: none.
//
//   const Texture texture(canvas);
//   const Texel texel = texture.At(u, v, /*texels_per_pixel=*/2.5f);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_TEXTURE_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_TEXTURE_H_

#include <cstdint>
#include <vector>

#include "model/train/scene/landmark/canvas.h"
#include "model/train/scene/landmark/vec.h"

namespace sightline::scene::landmark {

struct Texel {
  Vec colour;  // as stored in files, 0 to 1
  float alpha = 1;
  float slope_u = 0;  // rise of the relief to the right
  float slope_v = 0;  // and downwards
  float height = 0;   // by the width of the texture
  float gloss = 0;
};

class Texture {
 public:
  explicit Texture(const Canvas& canvas);

  int width() const { return levels_[0].width; }
  int height() const { return levels_[0].height; }
  // Whether its relief is deep enough to hide parts of itself from the side.
  bool has_relief() const { return height_scale_ > 0.01f; }
  bool has_holes() const { return has_holes_; }

  // Between the nearest texels of the level whose texels are about as large as a pixel. Outside [0, 1] the texture is
  // mirrored.
  Texel At(float u, float v, float texels_per_pixel) const;
  // The height alone, of the finest level.
  float HeightAt(float u, float v) const;

 private:
  struct Packed {
    uint8_t rgb[3];
    uint8_t alpha;
    int8_t slope_u;
    int8_t slope_v;
    int8_t height;
    uint8_t gloss;
  };
  struct Level {
    int width = 0;
    int height = 0;
    std::vector<Packed> texels;
  };
  static Level Half(const Level& level);

  std::vector<Level> levels_;
  bool has_holes_ = false;
  float height_scale_ = 0;  // the height that 127 stands for
};

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_TEXTURE_H_
