#include "model/train/scene/landmark/fruit.h"

#include <cmath>
#include <numbers>

#include "model/train/scene/landmark/field.h"
#include "model/train/scene/landmark/label.h"
#include "model/train/scene/landmark/material.h"
#include "model/train/scene/landmark/package.h"

namespace sightline::scene::landmark {
namespace {

// What one variety has in common.
struct Variety {
  Colour base = {};
  Colour blush = {};    // on one side
  double blushing = 0;  // share of the skin
  double streaks = 0;   // along the meridians
  double speckles = 0;
  double stripes = 0;  // dark bands from pole to pole, as on melons
  double roughness = 0;
  double gloss = 0.3;
  Vec half = {1, 1, 1};  // of a body, in its own units
  double spread = 0.08;  // of sizes
};

Variety MakeVariety(Random* layout, Random* own) {
  Variety variety;
  // Ripe colours lie between red and green; some are violet, brown or white.
  const double hue = own->Chance(0.85) ? own->Between(-0.03, 0.33) : own->Between(0.7, 0.95);
  const double around = hue - std::floor(hue);
  variety.base =
      FromHsv(around, own->Chance(0.8) ? own->Between(0.55, 0.95) : own->Between(0.05, 0.4), own->Between(0.35, 0.95));
  const double other = hue + own->Between(-0.13, 0.13);
  variety.blush = FromHsv(other - std::floor(other), own->Between(0.4, 0.95), own->Between(0.3, 0.9));
  variety.blushing = layout->Chance(0.6) ? layout->Between(0.2, 0.7) : 0;
  variety.streaks = layout->Chance(0.4) ? layout->Between(0.2, 0.8) : 0;
  variety.speckles = layout->Chance(0.5) ? layout->Between(0.1, 0.7) : 0;
  variety.stripes = layout->Chance(0.15) ? layout->Between(0.5, 1) : 0;
  variety.roughness = layout->Chance(0.4) ? layout->Between(0.004, 0.02) : layout->Between(0, 0.003);
  variety.gloss = layout->Between(0.05, 0.7);
  const double shape = layout->Uniform();
  if (shape < 0.5)
    variety.half = {1, static_cast<float>(layout->Between(0.8, 1.1)), 1};
  else if (shape < 0.75)
    variety.half = {1, static_cast<float>(layout->Between(1.15, 1.6)), 1};
  else
    variety.half = {1, static_cast<float>(layout->Between(2.0, 4.0)), 1};
  variety.spread = layout->Between(0.03, 0.18);
  return variety;
}

Canvas MakeSkin(int pixels, const Variety& variety, Random* own) {
  Canvas canvas(2 * pixels, pixels, variety.base);
  const Field patch = MakeField(canvas.width, canvas.height, {.cells_x = 4, .cells_y = 3, .octaves = 5}, own);
  const Field streak = MakeField(canvas.width, canvas.height, {.cells_x = 70, .cells_y = 2, .octaves = 4}, own);
  const Field grain = MakeField(canvas.width, canvas.height, {.cells_x = 50, .cells_y = 25, .octaves = 3}, own);
  const double bands = own->Between(8, 14);
  for (int y = 0; y < canvas.height; ++y) {
    const double v = (y + 0.5) / canvas.height;
    for (int x = 0; x < canvas.width; ++x) {
      const double u = (x + 0.5) / canvas.width;
      Point& point = canvas.at(x, y);
      const double side = 0.5 + 0.5 * std::cos(2 * std::numbers::pi * u);
      const double red = std::clamp(
          3 * (side + 0.18 * patch.at(x, y) + 0.25 * variety.streaks * streak.at(x, y) - 1 + variety.blushing), 0.0,
          1.0);
      Colour colour = Blend(variety.base, variety.blush, red);
      if (variety.stripes > 0) {
        const double band = std::sin(2 * std::numbers::pi * bands * u + 0.8 * patch.at(x, y));
        colour = Scaled(colour, 1 - 0.6 * variety.stripes * std::clamp(2 * band, 0.0, 1.0));
      }
      if (variety.speckles > 0 && grain.at(x, y) > 1.6) colour = Blend(colour, {0.9f, 0.85f, 0.6f}, variety.speckles);
      // The pole where it hung is greener and darker.
      const double pole = std::exp(-v * v * 300);
      colour = Blend(colour, {0.25f, 0.22f, 0.08f}, 0.8 * pole);
      point.colour = Scaled(colour, 1 + 0.05 * patch.at(x, y) + 0.03 * grain.at(x, y));
      point.height = static_cast<float>(variety.roughness * grain.at(x, y) - 0.02 * pole);
      point.gloss = static_cast<float>(variety.gloss);
    }
  }
  return canvas;
}

}  // namespace

Model MakeFruitModel(int pixels, Random* layout, Random* own) {
  Model model;
  model.habitat = Habitat::kShelf;
  model.half = {1, 0.55f, 0.8f};
  const Variety variety = MakeVariety(layout, own);
  const Texture* skin = model.Add(MakeSkin(std::max(48, pixels / 3), variety, own));
  const double size = layout->Between(0.13, 0.3) / std::cbrt(variety.half.y);
  const Canvas wood = MakeMaterial(layout->Chance(0.5) ? Material::kPlanks : Material::kPaper, 128, 64, 3, own);
  const Texture* crate = model.Add(wood);
  const float rim = -0.3f;
  AddBox({0, (rim - 0.55f) / 2, 0}, {1, (rim + 0.55f) / 2, 0.8f}, {crate, crate, crate, crate}, &model);
  if (layout->Chance(0.4)) {
    // A card with its name.
    const Brand brand = MakeBrand(own);
    const Texture* card = model.Add(MakeSign(160, 80, layout, own));
    Solid sign;
    sign.pose.origin = {static_cast<float>(layout->Between(-0.5, 0.5)), rim - 0.08f, 0.83f};
    sign.half = {0.32f, 0.16f, 0};
    sign.texture = card;
    model.solids.push_back(sign);
  }
  // Layers of bodies, each on a shaken grid, smaller towards the top and the back.
  const bool long_bodies = variety.half.y > 1.7f;
  const double lying = long_bodies ? own->Between(-0.4, 0.4) : 0;
  for (int layer = 0; layer < 3; ++layer) {
    const double reach_x = 0.95 - 0.22 * layer;
    const double reach_z = 0.75 - 0.2 * layer;
    const double step_x = size * (long_bodies ? 2.0 * variety.half.y * 0.9 : 1.9);
    const double step_z = size * 1.8;
    for (double z = -reach_z + size; z <= reach_z; z += step_z) {
      for (double x = -reach_x + size; x <= reach_x; x += step_x) {
        Solid body;
        body.kind = Solid::Kind::kEllipsoid;
        const double grow = size * (1 + own->Between(-variety.spread, variety.spread));
        const Vec at{static_cast<float>(x + own->Between(-0.3, 0.3) * size),
                     static_cast<float>(rim + 0.55 * size + layer * 1.3 * size + own->Between(-0.2, 0.2) * size),
                     static_cast<float>(z + own->Between(-0.3, 0.3) * size)};
        const double roll =
            long_bodies ? std::numbers::pi / 2 + lying + own->Between(-0.25, 0.25) : own->Between(-1.2, 1.2);
        body.pose = MakePose(at, own->Between(-0.4, 0.4), own->Between(-1, 1) * (long_bodies ? 0.3 : 1.3), roll);
        // Turned about its own axis, so that the blush looks anywhere.
        const double spin = own->Between(-3.1, 3.1);
        const Vec old_x = body.pose.x;
        const Vec old_z = body.pose.z;
        body.pose.x = old_x * static_cast<float>(std::cos(spin)) + old_z * static_cast<float>(std::sin(spin));
        body.pose.z = old_z * static_cast<float>(std::cos(spin)) - old_x * static_cast<float>(std::sin(spin));
        body.half = variety.half * static_cast<float>(grow);
        body.texture = skin;
        const auto shade = static_cast<float>(own->Between(0.8, 1.15) * (0.75 + 0.12 * layer));
        body.tint = {shade, shade * static_cast<float>(own->Between(0.93, 1.05)), shade};
        model.solids.push_back(body);
      }
    }
  }
  return model;
}

}  // namespace sightline::scene::landmark
