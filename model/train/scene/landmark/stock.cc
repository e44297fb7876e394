#include "model/train/scene/landmark/stock.h"

#include "model/train/scene/landmark/field.h"
#include "model/train/scene/landmark/material.h"

namespace sightline::scene::landmark {
namespace {

constexpr int kMaterialPixels = 224;
constexpr int kModelPixels = 160;
constexpr int kModelsOfAKind = 6;

Canvas Clouds(Random* random) {
  Canvas canvas(kMaterialPixels, kMaterialPixels, {});
  const Field field = MakeField(canvas.width, canvas.height, {.cells_x = 3, .cells_y = 6, .octaves = 7}, random);
  const double share = random->Between(-0.5, 0.8);
  const double grey = random->Between(0.6, 0.97);
  for (int y = 0; y < canvas.height; ++y) {
    for (int x = 0; x < canvas.width; ++x) {
      Point& point = canvas.at(x, y);
      const double dense = std::clamp(0.6 * (field.at(x, y) + share), 0.0, 1.0);
      point.colour = FromHsv(0.6, 0.04, std::clamp(grey * (1.05 - 0.15 * dense), 0.0, 1.0));
      point.alpha = static_cast<float>(dense);
    }
  }
  return canvas;
}

// Leaves around a middle, with gaps between them.
Canvas Leaves(Random* random) {
  Canvas canvas = MakeMaterial(Material::kFoliage, kMaterialPixels, kMaterialPixels, random->Between(7, 14), random);
  const Field gaps =
      MakeField(canvas.width, canvas.height, {.cells_x = 7, .cells_y = 7, .octaves = 4, .gain = 0.8}, random);
  for (int y = 0; y < canvas.height; ++y) {
    for (int x = 0; x < canvas.width; ++x) {
      const double u = 2.0 * x / canvas.width - 1;
      const double v = 2.0 * y / canvas.height - 1;
      canvas.at(x, y).alpha = 1.5 * (u * u + v * v) - 0.9 > 0.4 * gaps.at(x, y) ? 0.0f : 1.0f;
    }
  }
  return canvas;
}

}  // namespace

Stock MakeStock(uint64_t seed) {
  Stock stock;
  Random random = Random::For(seed, {20});
  const auto add = [&random](Material kind, double repeats, std::vector<Texture>* to) {
    to->emplace_back(MakeMaterial(kind, kMaterialPixels, kMaterialPixels, repeats, &random));
  };
  for (const Material kind : {Material::kConcrete, Material::kTiles, Material::kStoneBlocks, Material::kGrass,
                              Material::kPebbles, Material::kConcrete}) {
    add(kind, random.Between(5, 12), &stock.grounds);
  }
  for (const Material kind :
       {Material::kPlaster, Material::kPlaster, Material::kBrick, Material::kPlanks, Material::kPrint, Material::kTiles,
        Material::kConcrete, Material::kPaper, Material::kWeave, Material::kStoneBlocks}) {
    add(kind, random.Between(5, 14), &stock.walls);
  }
  for (const Material kind : {Material::kWood, Material::kPlanks, Material::kPlaid, Material::kMarble, Material::kMetal,
                              Material::kPaper, Material::kWood, Material::kPrint}) {
    add(kind, random.Between(4, 9), &stock.boards);
  }
  for (int i = 0; i < 6; ++i) stock.clouds.emplace_back(Clouds(&random));
  for (int i = 0; i < 6; ++i) stock.leaves.emplace_back(Leaves(&random));
  for (const Material kind :
       {Material::kWeave, Material::kPlaid, Material::kWeave, Material::kLeather, Material::kPrint, Material::kPaper}) {
    add(kind, random.Between(5, 12), &stock.cloths);
  }
  for (int kind = 0; kind < kModelKinds; ++kind) {
    for (int i = 0; i < kModelsOfAKind; ++i) {
      const uint64_t family = random.Next();
      const uint64_t own = random.Next();
      Model model = MakeModel(static_cast<ModelKind>(kind), kModelPixels, family, own);
      switch (model.habitat) {
        case Habitat::kShelf: stock.shelf.push_back(std::move(model)); break;
        case Habitat::kWall: stock.wall.push_back(std::move(model)); break;
        case Habitat::kStreet: stock.street.push_back(std::move(model)); break;
      }
    }
  }
  return stock;
}

}  // namespace sightline::scene::landmark
