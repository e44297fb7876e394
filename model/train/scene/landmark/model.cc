#include "model/train/scene/landmark/model.h"

#include <cmath>

#include "model/train/scene/landmark/facade.h"
#include "model/train/scene/landmark/field.h"
#include "model/train/scene/landmark/fruit.h"
#include "model/train/scene/landmark/label.h"
#include "model/train/scene/landmark/material.h"
#include "model/train/scene/landmark/package.h"
#include "model/train/scene/landmark/painting.h"

namespace sightline::scene::landmark {
namespace {

struct Size {
  int width;
  int height;
};

// `aspect`: width by height.
Size SizeOf(double aspect, int pixels) {
  return {std::max(32, static_cast<int>(pixels * std::min(1.0, aspect))),
          std::max(32, static_cast<int>(pixels * std::min(1.0, 1 / aspect)))};
}

// One upright rectangle with the canvas's proportions.
Model FlatModel(const Canvas& canvas, Habitat habitat) {
  Model model;
  model.habitat = habitat;
  model.flat = true;
  Solid face;
  const auto longer = static_cast<float>(canvas.longer());
  face.half = {canvas.width / longer, canvas.height / longer, 0};
  face.texture = model.Add(canvas);
  model.half = {face.half.x, face.half.y, 0.02f};
  model.solids.push_back(face);
  return model;
}

Model MakePaintingModel(int pixels, Random* layout, Random* own) {
  const Size size = SizeOf(std::exp2(layout->Between(-0.6, 0.7)), pixels);
  Canvas canvas = MakePainting(size.width, size.height, own);
  if (layout->Chance(0.75)) PaintPictureFrame(layout->Between(0.04, 0.14), own, &canvas);
  const auto varnish = static_cast<float>(layout->Between(0, 0.4));
  for (Point& point : canvas.points) point.gloss = std::max(point.gloss, varnish);
  return FlatModel(canvas, Habitat::kWall);
}

Model MakeFacadeModel(int pixels, Random* layout, Random* own) {
  const Size size = SizeOf(layout->Between(0.5, 1.3), pixels);
  return FlatModel(MakeFacade(size.width, size.height, layout, own), Habitat::kStreet);
}

Model MakeSignModel(int pixels, Random* layout, Random* own) {
  const Size size = SizeOf(std::exp2(layout->Between(-0.3, 1.6)), pixels);
  return FlatModel(MakeSign(size.width, size.height, layout, own),
                   layout->Chance(0.5) ? Habitat::kWall : Habitat::kStreet);
}

// A poster, a cover, a mural on a wall.
Model MakePosterModel(int pixels, Random* layout, Random* own) {
  const Size size = SizeOf(std::exp2(layout->Between(-0.8, 0.6)), pixels);
  if (layout->Chance(0.35)) {
    Canvas wall = MakeMaterial(layout->Chance(0.5) ? Material::kBrick : Material::kConcrete, size.width, size.height,
                               layout->Between(10, 22), own);
    const Canvas mural = MakePainting(size.width, size.height, own);
    const double strength = layout->Between(0.6, 0.9);
    for (size_t i = 0; i < wall.points.size(); ++i) {
      wall.points[i].colour = Blend(wall.points[i].colour, mural.points[i].colour, strength);
    }
    if (layout->Chance(0.6)) {
      const Colour ink = PrintColour(own);
      Typeface face = MakeTypeface(own);
      face.weight = own->Between(0.18, 0.3);
      const Bounds box = All(wall).Part(0.08, 0.3, 0.92, 0.75);
      const std::string word = MakeWord(own);
      Typeface outline = face;
      outline.weight += 0.1;
      DrawText(word, box, outline, {.colour = ReadableOn(ink, own)}, &wall);
      DrawText(word, box, face, {.colour = ink}, &wall);
    }
    return FlatModel(wall, Habitat::kStreet);
  }
  const Brand brand = MakeBrand(own);
  Canvas cover = MakeLabel(size.width, size.height, brand, layout, own);
  return FlatModel(cover, Habitat::kWall);
}

// Carved stone or cast metal: ornaments whose shape the light shows.
Model MakeReliefModel(int pixels, Random* layout, Random* own) {
  const Size size = SizeOf(std::exp2(layout->Between(-0.5, 0.5)), pixels);
  constexpr Material kStone[] = {Material::kConcrete, Material::kMarble, Material::kRust,
                                 Material::kPlaster,  Material::kMetal,  Material::kWood};
  Canvas canvas = MakeMaterial(kStone[layout->Below(6)], size.width, size.height, 5, own);
  const double depth = layout->Between(0.015, 0.04);
  const int rings = 1 + own->Below(4);
  const int petals = 3 + own->Below(9);
  const double w = canvas.width;
  const double h = canvas.height;
  for (int ring = 0; ring < rings; ++ring) {
    const double reach = 0.44 * (ring + 1) / rings;
    for (int i = 0; i < petals * (ring + 1); ++i) {
      const double angle = 6.2831853 * i / (petals * (ring + 1)) + ring;
      const double long_half = own->Chance(0.5) ? 0.4 * reach * w / (ring + 1) : 0.25 * reach * w / (ring + 1);
      Fill(EllipseShape{w / 2 + 0.8 * reach * w * std::cos(angle), h / 2 + 0.8 * reach * h * std::sin(angle), long_half,
                        0.45 * long_half, angle},
           {.colour = {}, .opacity = 0, .raise = depth * own->Between(0.5, 1), .soften = 6}, &canvas);
    }
  }
  const int scrolls = own->Below(8);
  for (int i = 0; i < scrolls; ++i) {
    double x = own->Uniform() * w;
    double y = own->Uniform() * h;
    double angle = own->Between(0, 6.28);
    const double bend = own->Between(-0.5, 0.5);
    for (int step = 0; step < 14; ++step) {
      const double to_x = x + 0.03 * w * std::cos(angle);
      const double to_y = y + 0.03 * h * std::sin(angle);
      Fill(StrokeShape{x, y, to_x, to_y, 0.014 * w}, {.colour = {}, .opacity = 0, .raise = 0.5 * depth, .soften = 4},
           &canvas);
      x = to_x;
      y = to_y;
      angle += bend;
    }
  }
  if (layout->Chance(0.4)) {
    DrawText(MakeWord(own), All(canvas).Part(0.1, 0.78, 0.9, 0.94), MakeTypeface(own),
             {.colour = {}, .opacity = 0.3, .raise = -depth, .soften = 2}, &canvas);
  }
  if (layout->Chance(0.6)) PaintPictureFrame(layout->Between(0.03, 0.08), own, &canvas);
  // Hollows keep dirt and lose light.
  for (Point& point : canvas.points)
    point.colour = Scaled(point.colour, 0.75 + std::min(0.35, 0.3 * point.height / depth));
  return FlatModel(canvas, layout->Chance(0.5) ? Habitat::kWall : Habitat::kStreet);
}

// A house or a tower in space: blocks with fronts on all sides, under roofs.
Model MakeBuildingModel(int pixels, Random* layout, Random* own) {
  Model model;
  model.habitat = Habitat::kStreet;
  Random shared(layout->Next());
  Random colours(own->Next());
  const auto width = static_cast<float>(layout->Between(0.4, 0.95));
  const auto depth = static_cast<float>(layout->Between(0.4, 0.95));
  const auto tall = static_cast<float>(layout->Between(0.45, 0.8));
  Random side_layout = shared;
  const Texture* front = model.Add(MakeFacade(std::max(64, static_cast<int>(width * pixels)),
                                              std::max(64, static_cast<int>(tall * pixels)), &shared, &colours));
  Random side_colours = colours;
  const Texture* side =
      model.Add(MakeFacade(std::max(64, static_cast<int>(depth * pixels)),
                           std::max(64, static_cast<int>(tall * pixels)), &side_layout, &side_colours));
  const Texture* roof = model.Add(MakeMaterial(Material::kTiles, 128, 128, 14, own));
  const float top = -1 + 2 * tall;
  AddBox({0, -1 + tall, 0}, {width, tall, depth}, {front, front, side, roof}, &model);
  if (layout->Chance(0.7)) {
    Solid spire;
    spire.kind = Solid::Kind::kFrustum;
    const auto radius = static_cast<float>(layout->Between(0.25, 0.6) * std::min(width, depth));
    const auto at = static_cast<float>(layout->Between(-0.5, 0.5) * width);
    const float half = (1 - top) / 2;
    spire.pose.origin = {at, top + half, 0};
    spire.half = {radius, half, static_cast<float>(layout->Between(0.02, 0.7)) * radius};
    spire.texture = roof;
    model.solids.push_back(spire);
    if (layout->Chance(0.5)) {
      Solid dome;
      dome.kind = Solid::Kind::kEllipsoid;
      dome.pose.origin = {-at, top, 0};
      dome.half = {radius, radius * static_cast<float>(layout->Between(0.6, 1.1)), radius};
      dome.texture = model.Add(MakeMaterial(Material::kMetal, 64, 64, 8, own));
      model.solids.push_back(dome);
    }
  }
  model.half = {width, 1, depth};
  return model;
}

}  // namespace

Model MakeModel(ModelKind kind, int pixels, uint64_t family, uint64_t own_seed) {
  Random layout(family);
  Random own(own_seed);
  Model model = [&] {
    switch (kind) {
      case ModelKind::kPainting: return MakePaintingModel(pixels, &layout, &own);
      case ModelKind::kFacade: return MakeFacadeModel(pixels, &layout, &own);
      case ModelKind::kSign: return MakeSignModel(pixels, &layout, &own);
      case ModelKind::kBox: return MakeBoxModel(pixels, &layout, &own);
      case ModelKind::kBottle: return MakeBottleModel(pixels, &layout, &own);
      case ModelKind::kCan: return MakeCanModel(pixels, &layout, &own);
      case ModelKind::kFruit: return MakeFruitModel(pixels, &layout, &own);
      case ModelKind::kBuilding: return MakeBuildingModel(pixels, &layout, &own);
      case ModelKind::kPoster: return MakePosterModel(pixels, &layout, &own);
      case ModelKind::kRelief: return MakeReliefModel(pixels, &layout, &own);
    }
    return Model();
  }();
  model.kind = kind;
  return model;
}

void Place(const Model& model, const Pose& pose, float scale, int owner, std::vector<Solid>* solids) {
  for (const Solid& local : model.solids) {
    Solid solid = local;
    solid.pose = {pose.World(local.pose.origin * scale), pose.Direction(local.pose.x), pose.Direction(local.pose.y),
                  pose.Direction(local.pose.z)};
    solid.half = local.half * scale;
    solid.owner = owner;
    solids->push_back(solid);
  }
}

}  // namespace sightline::scene::landmark
