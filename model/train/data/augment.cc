#include "model/train/data/augment.h"

#include "model/train/data/damage.h"
#include "model/train/data/warp.h"

namespace sightline::train {

image::Image Augment(const image::Image& image, int height, int width, const AugmentConfig& config,
                     scene::Random& random) {
  scene::Random view(random.Next()), light(random.Next()), blur(random.Next()), noise(random.Next()),
      jpeg(random.Next()), erase(random.Next());
  image::Image out = Render(image, DrawView(image.width, image.height, config, view), height, width,
                            /*mirror_beyond=*/config.scale_per_axis == 0);
  ChangeLight(config, light, out);
  Blur(config, blur, out);
  AddNoise(config, noise, out);
  DamageByJpeg(config, jpeg, out);
  Erase(config, erase, out);
  return out;
}

}  // namespace sightline::train
