#include "model/train/scene/landmark/material.h"

#include <cmath>
#include <numbers>

#include "model/train/scene/landmark/field.h"
#include "model/train/scene/noise.h"

namespace sightline::scene::landmark {
namespace {

constexpr double kTau = 2 * std::numbers::pi;

Colour Tint(double hue, double saturation, double value) {
  return FromHsv(hue - std::floor(hue), std::clamp(saturation, 0.0, 1.0), std::clamp(value, 0.0, 1.0));
}

// Brightness of a point: fine grain and large stains.
void Weather(const Field& stains, const Field& grain, double stain, double rough, double relief, Canvas* canvas) {
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      Point& point = canvas->at(x, y);
      const double factor = 1 + stain * stains.at(x, y) + rough * grain.at(x, y);
      point.colour = Scaled(point.colour, std::max(0.05, factor));
      point.height += static_cast<float>(relief * grain.at(x, y));
    }
  }
}

void WeatherAll(double stain, double rough, double relief, Random* random, Canvas* canvas) {
  const Field stains = MakeField(canvas->width, canvas->height, {.cells_x = 3, .cells_y = 3, .octaves = 5}, random);
  const Field grain =
      MakeField(canvas->width, canvas->height, {.cells_x = 24, .cells_y = 24, .octaves = 5, .gain = 0.75}, random);
  Weather(stains, grain, stain, rough, relief, canvas);
}

// Bricks, blocks or tiles: rectangles in rows, each with a shade of its own, and the joints between them.
struct Courses {
  double across = 8;
  double ratio = 3;     // width by height
  double joint = 0.08;  // by the height
  double shift = 0.5;   // of every other row
  double spread = 0.12;
  double raise = 0.004;
  Colour joint_colour = {0.7f, 0.68f, 0.64f};
};

void LayCourses(const Courses& courses, const Colour& a, const Colour& b, Random* random, Canvas* canvas) {
  const uint64_t seed = random->Next();
  const double cell_x = canvas->width / courses.across;
  const double cell_y = cell_x / courses.ratio;
  const Field wobble = MakeField(canvas->width, canvas->height, {.cells_x = 30, .cells_y = 30, .octaves = 3}, random);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      const double wave = 0.02 * wobble.at(x, y);
      const double v = y / cell_y + wave;
      const auto row = static_cast<int64_t>(std::floor(v));
      const double u = x / cell_x + ((row & 1) != 0 ? courses.shift : 0) + wave / courses.ratio;
      const auto column = static_cast<int64_t>(std::floor(u));
      const double edge_x = std::min(u - std::floor(u), 1 - u + std::floor(u)) * courses.ratio;
      const double edge_y = std::min(v - std::floor(v), 1 - v + std::floor(v));
      const double inside = std::clamp((std::min(edge_x, edge_y) - courses.joint / 2) * cell_y + 0.5, 0.0, 1.0);
      Colour own = Blend(a, b, CellValue(seed, column, row));
      own = Scaled(own, 1 + courses.spread * (2 * CellValue(seed + 1, column, row) - 1));
      Point& point = canvas->at(x, y);
      point.colour = Blend(courses.joint_colour, own, inside);
      point.height += static_cast<float>(courses.raise * inside);
    }
  }
}

void PaintWood(bool planks, double repeats, Random* random, Canvas* canvas) {
  const Colour light = Tint(random->Between(0.05, 0.11), random->Between(0.25, 0.7), random->Between(0.45, 0.85));
  const Colour dark = Scaled(light, random->Between(0.45, 0.7));
  const int boards = planks ? std::max(2, static_cast<int>(repeats)) : 1;
  const uint64_t seed = random->Next();
  const Field bend = MakeField(canvas->width, canvas->height, {.cells_x = 2, .cells_y = 4, .octaves = 3}, random);
  const Field fibre =
      MakeField(canvas->width, canvas->height, {.cells_x = 5, .cells_y = 110, .octaves = 3, .gain = 0.7}, random);
  const double rings = random->Between(8, 26);
  for (int y = 0; y < canvas->height; ++y) {
    const double board = static_cast<double>(y) * boards / canvas->height;
    const auto which = static_cast<int64_t>(board);
    const double edge = std::min(board - which, which + 1 - board) * canvas->height / boards;
    for (int x = 0; x < canvas->width; ++x) {
      const double v = static_cast<double>(y) / canvas->height + 0.07 * bend.at(x, y) + 5 * CellValue(seed, which, 0);
      const double ring = 0.5 + 0.5 * std::sin(kTau * rings * v + 1.5 * bend.at(x, y));
      Point& point = canvas->at(x, y);
      const double shade = 0.85 + 0.3 * CellValue(seed, which, 1) + 0.08 * fibre.at(x, y);
      point.colour = Scaled(Blend(light, dark, 0.6 * ring * ring), shade);
      point.height += static_cast<float>(0.0006 * fibre.at(x, y));
      if (boards > 1 && edge < 1.2) {
        point.colour = Scaled(point.colour, 0.35);
        point.height -= 0.003f;
      }
    }
  }
}

void PaintMarble(Random* random, Canvas* canvas) {
  const Colour ground = Tint(random->Uniform(), random->Between(0.0, 0.2), random->Between(0.6, 0.95));
  const Colour vein = Tint(random->Uniform(), random->Between(0.0, 0.5), random->Between(0.15, 0.6));
  const double cells = random->Between(2, 5);
  const Field warp =
      MakeField(canvas->width, canvas->height, {.cells_x = cells, .cells_y = cells, .octaves = 6}, random);
  const Field cloud = MakeField(canvas->width, canvas->height, {.cells_x = 4, .cells_y = 4, .octaves = 6}, random);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      const double ridge =
          std::exp(-std::abs(warp.at(x, y)) * 9) + 0.5 * std::exp(-std::abs(cloud.at(x, y) - 0.6) * 14);
      Point& point = canvas->at(x, y);
      point.colour = Scaled(Blend(ground, vein, std::min(1.0, 0.8 * ridge)), 1 + 0.06 * cloud.at(x, y));
      point.gloss = 0.35f;
    }
  }
}

void PaintCloth(bool plaid, double repeats, Random* random, Canvas* canvas) {
  const Colour a = random->Chance(0.5) ? EarthColour(random) : PrintColour(random);
  const Colour b = plaid ? PrintColour(random) : Scaled(a, random->Between(0.6, 0.85));
  const Colour c = ReadableOn(a, random);
  const double bands = random->Between(2, 6);
  const double width = random->Between(0.15, 0.5);
  const double threads = plaid ? canvas->width / 4.0 : std::min(canvas->width / 3.0, 4 * repeats);
  const Field folds = MakeField(canvas->width, canvas->height, {.cells_x = 3, .cells_y = 2, .octaves = 2}, random);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      const double u = static_cast<double>(x) / canvas->width;
      const double v = static_cast<double>(y) / canvas->width;
      const double weave = std::sin(kTau * threads * u) * std::sin(kTau * threads * v);
      Colour colour = Blend(a, b, plaid ? 0 : 0.5 + 0.5 * weave);
      if (plaid) {
        const double across = u * bands - std::floor(u * bands);
        const double down = v * bands - std::floor(v * bands);
        if (across < width) colour = Blend(colour, b, 0.5);
        if (down < width) colour = Blend(colour, b, 0.5);
        if (std::abs(across - 0.75) < 0.03 || std::abs(down - 0.75) < 0.03) colour = Blend(colour, c, 0.7);
        colour = Scaled(colour, 1 + 0.08 * weave);
      }
      Point& point = canvas->at(x, y);
      point.colour = colour;
      point.height += static_cast<float>(0.0008 * weave + 0.006 * folds.at(x, y));
    }
  }
}

void PaintPebbles(double repeats, Random* random, Canvas* canvas) {
  const uint64_t seed = random->Next();
  const Colour a = EarthColour(random);
  const Colour b = EarthColour(random);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      const NearestPoint near = Cellular(seed, repeats * x / canvas->width, repeats * y / canvas->width);
      const double dome = std::max(0.0, 1 - near.distance * near.distance * 2.2);
      Point& point = canvas->at(x, y);
      point.colour = Scaled(Blend(a, b, near.cell_value), 0.35 + 0.65 * std::sqrt(dome));
      point.height += static_cast<float>(0.25 / repeats * std::sqrt(dome));
    }
  }
}

// Leaves over leaves, those below in the shade of those above.
void PaintFoliage(double repeats, Random* random, Canvas* canvas) {
  const double hue = random->Chance(0.85) ? random->Between(0.18, 0.38) : random->Between(0.02, 0.12);
  const Colour dark = Tint(hue, 0.7, 0.12);
  for (Point& point : canvas->points) point.colour = dark;
  const double size = canvas->width / repeats;
  const double slim = random->Between(0.25, 0.6);
  const int leaves = static_cast<int>(repeats * repeats * 2.2 * canvas->height / canvas->width);
  for (int i = 0; i < leaves; ++i) {
    const double level = static_cast<double>(i) / leaves;
    const double own_hue = hue + random->Between(-0.04, 0.04);
    const Colour colour = Tint(own_hue, random->Between(0.45, 0.85), (0.2 + 0.55 * level) * random->Between(0.7, 1.2));
    const double x = random->Uniform() * canvas->width;
    const double y = random->Uniform() * canvas->height;
    const double half = size * random->Between(0.45, 0.9);
    const double angle = random->Between(0, std::numbers::pi);
    Fill(EllipseShape{x, y, half, half * slim, angle}, {.colour = colour, .raise = 0.004, .soften = 1.5}, canvas);
    Fill(StrokeShape{x - 0.9 * half * std::cos(angle), y - 0.9 * half * std::sin(angle),
                     x + 0.9 * half * std::cos(angle), y + 0.9 * half * std::sin(angle), 0.04 * size + 0.2},
         {.colour = Scaled(colour, 1.35), .opacity = 0.6}, canvas);
  }
}

void PaintGrass(Random* random, Canvas* canvas) {
  const double hue = random->Between(0.17, 0.32);
  const Field blades =
      MakeField(canvas->width, canvas->height,
                {.cells_x = canvas->width / 5.0, .cells_y = canvas->height / 14.0, .octaves = 2}, random);
  const Field patches = MakeField(canvas->width, canvas->height, {.cells_x = 5, .cells_y = 5, .octaves = 5}, random);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      Point& point = canvas->at(x, y);
      const double shade = 0.42 + 0.12 * blades.at(x, y) + 0.06 * patches.at(x, y);
      point.colour = Tint(hue + 0.02 * patches.at(x, y), 0.55 + 0.08 * patches.at(x, y), shade);
      point.height += static_cast<float>(0.002 * blades.at(x, y));
    }
  }
}

void PaintMetal(bool rust, Random* random, Canvas* canvas) {
  const Colour metal = Tint(random->Uniform(), random->Between(0, 0.15), random->Between(0.45, 0.85));
  const Colour brown = Tint(random->Between(0.03, 0.08), random->Between(0.5, 0.8), random->Between(0.25, 0.5));
  const Field brush = MakeField(canvas->width, canvas->height, {.cells_x = 3, .cells_y = 120, .octaves = 2}, random);
  const Field stain =
      MakeField(canvas->width, canvas->height, {.cells_x = 4, .cells_y = 4, .octaves = 7, .gain = 0.7}, random);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      const double rusty = rust ? std::clamp(0.5 + 1.2 * stain.at(x, y), 0.0, 1.0) : 0;
      Point& point = canvas->at(x, y);
      point.colour = Scaled(Blend(metal, brown, rusty), 1 + 0.05 * brush.at(x, y) + 0.1 * rusty * stain.at(x, y));
      point.gloss = static_cast<float>(0.8 * (1 - rusty));
      point.height += static_cast<float>(0.002 * rusty * stain.at(x, y));
    }
  }
}

void PaintPrint(double repeats, Random* random, Canvas* canvas) {
  const Colour ground = random->Chance(0.5) ? PrintColour(random) : EarthColour(random);
  for (Point& point : canvas->points) point.colour = ground;
  const Colour inks[] = {ReadableOn(ground, random), PrintColour(random)};
  const double step = canvas->width / std::max(2.0, repeats);
  const int petals = random->Below(6);
  const double size = random->Between(0.2, 0.45) * step;
  for (int row = 0; row * step < canvas->height + step; ++row) {
    for (int column = 0; column * step < canvas->width + step; ++column) {
      const double x = (column + (row % 2 == 0 ? 0.0 : 0.5)) * step;
      const double y = row * step;
      const Colour& ink = inks[(row + column) % 2];
      for (int petal = 0; petal < petals; ++petal) {
        const double angle = kTau * petal / petals;
        Fill(EllipseShape{x + 0.6 * size * std::cos(angle), y + 0.6 * size * std::sin(angle), 0.5 * size, 0.22 * size,
                          angle},
             {.colour = ink}, canvas);
      }
      Fill(EllipseShape{x, y, 0.3 * size, 0.3 * size}, {.colour = inks[1]}, canvas);
    }
  }
}

}  // namespace

Colour EarthColour(Random* random) {
  const double hue = random->Chance(0.7) ? random->Between(0.02, 0.16) : random->Uniform();
  return Tint(hue, random->Between(0.04, 0.5), random->Between(0.25, 0.92));
}

Colour PrintColour(Random* random) {
  const double choice = random->Uniform();
  if (choice < 0.18) return Tint(random->Uniform(), random->Between(0, 0.12), random->Between(0.85, 1.0));
  if (choice < 0.28) return Tint(random->Uniform(), random->Between(0, 0.3), random->Between(0.05, 0.2));
  return Tint(random->Uniform(), random->Between(0.45, 1.0), random->Between(0.4, 0.95));
}

Colour ReadableOn(const Colour& ground, Random* random) {
  const bool light = Brightness(ground) < 0.5;
  const double hue = random->Uniform();
  if (light) return Tint(hue, random->Chance(0.5) ? 0.05 : random->Between(0.1, 0.6), random->Between(0.88, 1.0));
  return Tint(hue, random->Between(0.2, 1.0), random->Between(0.05, 0.4));
}

Canvas MakeMaterial(Material kind, int width, int height, double repeats, Random* random) {
  Canvas canvas(width, height, EarthColour(random));
  switch (kind) {
    case Material::kPlaster: {
      const Colour wall = random->Chance(0.7)
                              ? EarthColour(random)
                              : Tint(random->Uniform(), random->Between(0.1, 0.45), random->Between(0.6, 0.95));
      for (Point& point : canvas.points) point.colour = wall;
      WeatherAll(0.06, 0.04, 0.0012, random, &canvas);
      break;
    }
    case Material::kBrick: {
      const Colour a = Tint(random->Between(0.0, 0.08), random->Between(0.3, 0.7), random->Between(0.35, 0.75));
      const double grey = random->Between(0.45, 0.9);
      LayCourses({.across = repeats,
                  .ratio = random->Between(2.2, 3.5),
                  .joint = random->Between(0.1, 0.2),
                  .joint_colour = Tint(0.1, 0.08, grey)},
                 a, Scaled(a, random->Between(0.6, 0.85)), random, &canvas);
      WeatherAll(0.05, 0.05, 0.0006, random, &canvas);
      break;
    }
    case Material::kStoneBlocks: {
      const Colour a = EarthColour(random);
      LayCourses({.across = std::max(2.0, repeats / 2),
                  .ratio = random->Between(1.2, 2.4),
                  .joint = 0.06,
                  .raise = 0.006,
                  .joint_colour = Scaled(a, 0.6)},
                 a, Scaled(a, random->Between(0.7, 0.9)), random, &canvas);
      WeatherAll(0.09, 0.07, 0.002, random, &canvas);
      break;
    }
    case Material::kPebbles:
      PaintPebbles(2 * repeats, random, &canvas);
      WeatherAll(0.05, 0.06, 0.0004, random, &canvas);
      break;
    case Material::kConcrete: {
      const Colour grey = Tint(random->Uniform(), random->Between(0.0, 0.08), random->Between(0.35, 0.75));
      for (Point& point : canvas.points) point.colour = grey;
      WeatherAll(0.1, 0.06, 0.0008, random, &canvas);
      break;
    }
    case Material::kMarble: PaintMarble(random, &canvas); break;
    case Material::kWood: PaintWood(false, repeats, random, &canvas); break;
    case Material::kPlanks: PaintWood(true, repeats, random, &canvas); break;
    case Material::kTiles: {
      const Colour a = random->Chance(0.5) ? PrintColour(random) : EarthColour(random);
      const Colour b = random->Chance(0.5) ? a : ReadableOn(a, random);
      LayCourses(
          {.across = repeats, .ratio = 1, .joint = 0.06, .shift = 0, .spread = 0.06, .joint_colour = Scaled(a, 0.75)},
          a, b, random, &canvas);
      for (Point& point : canvas.points) point.gloss = 0.4f;
      WeatherAll(0.03, 0.02, 0.0001, random, &canvas);
      break;
    }
    case Material::kWeave: PaintCloth(false, repeats, random, &canvas); break;
    case Material::kPlaid: PaintCloth(true, repeats, random, &canvas); break;
    case Material::kPaper: {
      const Colour sheet = random->Chance(0.6) ? Tint(0.1, random->Between(0.0, 0.25), random->Between(0.75, 0.98))
                                               : PrintColour(random);
      for (Point& point : canvas.points) point.colour = sheet;
      WeatherAll(0.02, 0.015, 0.0003, random, &canvas);
      break;
    }
    case Material::kMetal: PaintMetal(false, random, &canvas); break;
    case Material::kRust: PaintMetal(true, random, &canvas); break;
    case Material::kLeather: {
      const Colour skin = Tint(random->Between(0.0, 0.1), random->Between(0.3, 0.8), random->Between(0.15, 0.6));
      for (Point& point : canvas.points) point.colour = skin;
      WeatherAll(0.06, 0.05, 0.002, random, &canvas);
      for (Point& point : canvas.points) point.gloss = 0.3f;
      break;
    }
    case Material::kFoliage: PaintFoliage(2 * repeats, random, &canvas); break;
    case Material::kGrass: PaintGrass(random, &canvas); break;
    case Material::kPrint: PaintPrint(repeats, random, &canvas); break;
  }
  return canvas;
}

}  // namespace sightline::scene::landmark
