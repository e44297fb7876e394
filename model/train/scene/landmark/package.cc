#include "model/train/scene/landmark/package.h"

#include <cmath>

#include "model/train/scene/landmark/field.h"
#include "model/train/scene/landmark/label.h"
#include "model/train/scene/landmark/material.h"

namespace sightline::scene::landmark {
namespace {

int Pixels(double share, int pixels) { return std::max(24, static_cast<int>(share * pixels)); }

// Creases and folds of a box that has been handled.
void Crease(Random* own, Canvas* canvas) {
  const Field dents = MakeField(canvas->width, canvas->height, {.cells_x = 2, .cells_y = 3, .octaves = 3}, own);
  const double depth = own->Between(0.0, 0.012);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) canvas->at(x, y).height += static_cast<float>(depth * dents.at(x, y));
  }
}

Solid Face(const Vec& middle, double yaw, double pitch, float half_x, float half_y, const Texture* texture) {
  Solid face;
  face.pose = MakePose(middle, yaw, pitch);
  face.half = {half_x, half_y, 0};
  face.texture = texture;
  return face;
}

Solid Ring(float low, float high, float radius_low, float radius_high, const Texture* texture) {
  Solid ring;
  ring.kind = Solid::Kind::kFrustum;
  ring.pose.origin = {0, (low + high) / 2, 0};
  ring.half = {radius_low, (high - low) / 2, radius_high};
  ring.texture = texture;
  return ring;
}

Solid Lid(float at, float radius, bool down, const Texture* texture) {
  Solid lid;
  lid.kind = Solid::Kind::kDisc;
  lid.pose = MakePose({0, at, 0}, 0, down ? 1.5707963 : -1.5707963);
  lid.half = {radius, radius, 0};
  lid.texture = texture;
  return lid;
}

// A label that goes around: the front in the middle, the back's print at both ends.
Canvas Wrapped(int width, int height, const Brand& brand, Random* layout, Random* own) {
  Canvas canvas(width, height, brand.ground);
  const double share = layout->Between(0.36, 0.5);
  const Bounds all = All(canvas);
  Paste(MakeLabel(static_cast<int>(share * width), height, brand, layout, own),
        all.Part(0.5 - share / 2, 0, 0.5 + share / 2, 1), &canvas);
  const Canvas back = MakeSideLabel(static_cast<int>((1 - share) * width / 2), height, brand, layout, own);
  Paste(back, all.Part(0, 0, 0.5 - share / 2, 1), &canvas);
  Paste(back, all.Part(0.5 + share / 2, 0, 1, 1), &canvas);
  return canvas;
}

}  // namespace

void AddBox(const Vec& middle, const Vec& half, const BoxSkins& skins, Model* model) {
  constexpr double kQuarter = 1.5707963267948966;
  model->solids.push_back(Face(middle + Vec{0, 0, half.z}, 0, 0, half.x, half.y, skins.front));
  model->solids.push_back(Face(middle + Vec{0, 0, -half.z}, 2 * kQuarter, 0, half.x, half.y, skins.back));
  model->solids.push_back(Face(middle + Vec{half.x, 0, 0}, kQuarter, 0, half.z, half.y, skins.side));
  model->solids.push_back(Face(middle + Vec{-half.x, 0, 0}, -kQuarter, 0, half.z, half.y, skins.side));
  model->solids.push_back(Face(middle + Vec{0, half.y, 0}, 0, -kQuarter, half.x, half.z, skins.top));
  model->solids.push_back(Face(middle + Vec{0, -half.y, 0}, 0, kQuarter, half.x, half.z, skins.top));
}

Model MakeBoxModel(int pixels, Random* layout, Random* own) {
  Model model;
  model.habitat = Habitat::kShelf;
  // Tall as cereals, square as tea, lying as chocolate.
  const double aspect = std::exp2(layout->Between(-0.9, 0.8));
  const double depth = layout->Between(0.12, 0.8);
  const double width = std::min(1.0, aspect);
  const double height = std::min(1.0, 1 / aspect);
  model.half = {static_cast<float>(width), static_cast<float>(height),
                static_cast<float>(depth * std::min(width, height))};
  const Brand brand = MakeBrand(own);
  Canvas front = MakeLabel(Pixels(width, pixels), Pixels(height, pixels), brand, layout, own);
  Crease(own, &front);
  const Canvas side = MakeSideLabel(Pixels(model.half.z, pixels), Pixels(height, pixels), brand, layout, own);
  Canvas top(Pixels(width, pixels), Pixels(model.half.z, pixels), brand.ground);
  DrawText(brand.name, All(top).Inset(0.1, 0.25), brand.face, {.colour = brand.accent}, &top);
  const Texture* front_skin = model.Add(front);
  const Texture* side_skin = model.Add(side);
  // Many packages look the same from behind; others have the small print there.
  const Texture* back_skin =
      layout->Chance(0.5) ? front_skin
                          : model.Add(MakeSideLabel(Pixels(width, pixels), Pixels(height, pixels), brand, layout, own));
  AddBox({0, 0, 0}, model.half, {front_skin, back_skin, side_skin, model.Add(top)}, &model);
  const float gloss = static_cast<float>(layout->Between(0, 0.4));
  for (Solid& solid : model.solids) solid.gloss = gloss;
  return model;
}

Model MakeBottleModel(int pixels, Random* layout, Random* own) {
  Model model;
  model.habitat = Habitat::kShelf;
  const auto radius = static_cast<float>(layout->Between(0.24, 0.45));
  const auto neck = static_cast<float>(radius * layout->Between(0.28, 0.6));
  const auto shoulder = static_cast<float>(layout->Between(-0.05, 0.4));
  const auto throat = static_cast<float>(shoulder + layout->Between(0.1, 0.35));
  const float cap = std::min(0.9f, throat + static_cast<float>(layout->Between(0.08, 0.4)));
  const auto label_low = static_cast<float>(layout->Between(-0.9, -0.6));
  const float label_high = shoulder - static_cast<float>(layout->Between(0.02, 0.15));
  model.half = {radius, 1, radius};
  const Brand brand = MakeBrand(own);
  // What the bottle is made of and filled with.
  const double hue = own->Chance(0.5) ? own->Between(0.05, 0.4) : own->Uniform();
  Canvas glass(64, 64, FromHsv(hue, own->Between(0.0, 0.9), own->Between(0.12, 0.9)));
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      Point& point = glass.at(x, y);
      // Light gathers at the flanks of what is in it.
      point.colour = Scaled(point.colour, 0.8 + 0.35 * std::abs(std::sin(6.2832 * x / 64.0)));
      point.gloss = 0.9f;
    }
  }
  const Texture* body = model.Add(glass);
  const Texture* label =
      model.Add(Wrapped(2 * pixels, Pixels((label_high - label_low) / 2, pixels), brand, layout, own));
  Canvas lid(32, 32, PrintColour(own));
  for (Point& point : lid.points) point.gloss = 0.4f;
  const Texture* cap_skin = model.Add(lid);
  model.solids.push_back(Ring(-1, label_low, 0.97f * radius, radius, body));
  model.solids.push_back(Ring(label_low, label_high, radius, radius, label));
  model.solids.push_back(Ring(label_high, shoulder, radius, radius, body));
  const float half_way = (shoulder + throat) / 2;
  const float bulge = neck + (radius - neck) * static_cast<float>(layout->Between(0.5, 0.8));
  model.solids.push_back(Ring(shoulder, half_way, radius, bulge, body));
  model.solids.push_back(Ring(half_way, throat, bulge, neck, body));
  model.solids.push_back(Ring(throat, cap, neck, neck, body));
  model.solids.push_back(Ring(cap, 1, 1.12f * neck, 1.12f * neck, cap_skin));
  model.solids.push_back(Lid(1, 1.12f * neck, false, cap_skin));
  model.solids.push_back(Lid(-1, 0.97f * radius, true, body));
  return model;
}

Model MakeCanModel(int pixels, Random* layout, Random* own) {
  Model model;
  model.habitat = Habitat::kShelf;
  const double aspect = layout->Between(0.45, 1.3);
  const auto radius = static_cast<float>(std::min(1.0, aspect));
  const auto tall = static_cast<float>(std::min(1.0, 1 / aspect));
  model.half = {radius, tall, radius};
  const Brand brand = MakeBrand(own);
  const Texture* label = model.Add(Wrapped(2 * pixels, Pixels(tall * 0.8, pixels), brand, layout, own));
  Canvas metal = MakeMaterial(Material::kMetal, 64, 64, 4, own);
  if (layout->Chance(0.4)) {
    const Colour paint = PrintColour(own);
    for (Point& point : metal.points) point.colour = paint;
  }
  const Texture* rim = model.Add(metal);
  const float edge = 0.06f * tall;
  model.solids.push_back(Ring(-tall, -tall + edge, 0.96f * radius, radius, rim));
  model.solids.push_back(Ring(-tall + edge, tall - edge, radius, radius, label));
  model.solids.push_back(Ring(tall - edge, tall, radius, 0.95f * radius, rim));
  model.solids.push_back(Lid(tall, 0.95f * radius, false, rim));
  model.solids.push_back(Lid(-tall, 0.96f * radius, true, rim));
  model.solids[1].gloss = static_cast<float>(layout->Between(0, 0.5));
  return model;
}

}  // namespace sightline::scene::landmark
