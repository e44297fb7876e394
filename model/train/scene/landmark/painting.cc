#include "model/train/scene/landmark/painting.h"

#include <cmath>
#include <numbers>

#include "model/train/scene/landmark/field.h"
#include "model/train/scene/landmark/material.h"

namespace sightline::scene::landmark {
namespace {

Colour Shifted(const Colour& colour, double spread, Random* random) {
  Colour out;
  const double all = random->Between(-spread, spread);
  for (size_t c = 0; c < 3; ++c) {
    out[c] = static_cast<float>(std::clamp(colour[c] + all + random->Between(-spread, spread) / 2, 0.0, 1.0));
  }
  return out;
}

// Ridges behind ridges under a sky, the far ones paler; at times water and a sun.
void PaintLandscape(Random* random, Canvas* canvas) {
  const Palette palette = MakePalette(random);
  const Colour sky =
      random->Chance(0.6) ? FromHsv(random->Between(0.5, 0.62), random->Between(0.1, 0.6), 0.9) : palette[0];
  const Colour glow =
      random->Chance(0.5) ? FromHsv(random->Between(0.02, 0.15), 0.5, 0.95) : Colour{0.95f, 0.95f, 0.92f};
  const double horizon = random->Between(0.3, 0.65);
  FillGradient(RectangleShape{All(*canvas)}, sky, glow, true, canvas);
  const Field clouds = MakeField(canvas->width, canvas->height, {.cells_x = 3, .cells_y = 7, .octaves = 6}, random);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      const double cover = std::clamp(0.7 * clouds.at(x, y) - 0.1, 0.0, 0.85);
      canvas->at(x, y).colour = Blend(canvas->at(x, y).colour, {0.97f, 0.96f, 0.95f}, cover);
    }
  }
  if (random->Chance(0.4)) {
    const double radius = random->Between(0.03, 0.09) * canvas->width;
    Fill(
        EllipseShape{random->Uniform() * canvas->width, random->Between(0.1, horizon) * canvas->height, radius, radius},
        {.colour = FromHsv(random->Between(0.0, 0.15), random->Between(0.1, 0.7), 1.0)}, canvas);
  }
  const Colour land = random->Chance(0.6)
                          ? FromHsv(random->Between(0.15, 0.4), random->Between(0.2, 0.7), random->Between(0.2, 0.5))
                          : palette[1];
  const int ridges = 2 + random->Below(5);
  for (int i = 0; i < ridges; ++i) {
    const double near = (i + 1.0) / ridges;
    const Field line =
        MakeField(canvas->width, 2, {.cells_x = random->Between(1.5, 5), .cells_y = 1, .octaves = 7}, random);
    const Field inner = MakeField(canvas->width, canvas->height, {.cells_x = 8, .cells_y = 14, .octaves = 5}, random);
    const Colour ground = Shifted(Blend(glow, land, 0.25 + 0.75 * near), 0.06, random);
    const double base = horizon + (1 - horizon) * (near - 1.0 / ridges);
    const double swing = random->Between(0.02, 0.09) * (1.3 - 0.5 * near);
    for (int x = 0; x < canvas->width; ++x) {
      const int top = static_cast<int>((base - swing * line.at(x, 0)) * canvas->height);
      for (int y = std::max(0, top); y < canvas->height; ++y) {
        canvas->at(x, y).colour = Scaled(ground, 1 + 0.12 * inner.at(x, y) - 0.2 * (y - top) / canvas->height);
      }
    }
  }
  if (random->Chance(0.35)) {
    // Water: the upper half mirrored, darker, in lines.
    const int shore = static_cast<int>(random->Between(0.6, 0.8) * canvas->height);
    const Field waves = MakeField(canvas->width, canvas->height, {.cells_x = 4, .cells_y = 40, .octaves = 3}, random);
    for (int y = shore; y < canvas->height; ++y) {
      for (int x = 0; x < canvas->width; ++x) {
        const int from = std::clamp(2 * shore - y + static_cast<int>(3 * waves.at(x, y)), 0, shore - 1);
        canvas->at(x, y).colour = Scaled(canvas->at(x, from).colour, 0.8 + 0.08 * waves.at(x, y));
      }
    }
  }
}

// Shaded balls, bottles and blocks on a table.
void PaintStillLife(Random* random, Canvas* canvas) {
  const double edge = random->Between(0.5, 0.75) * canvas->height;
  const Colour wall = EarthColour(random);
  FillGradient(RectangleShape{All(*canvas)}, wall, Scaled(wall, random->Between(0.4, 0.8)), false, canvas);
  const Colour table = EarthColour(random);
  FillGradient(RectangleShape{{0, edge, 1.0 * canvas->width, 1.0 * canvas->height}}, table, Scaled(table, 0.6), true,
               canvas);
  const int things = 3 + random->Below(6);
  for (int i = 0; i < things; ++i) {
    const double x = random->Between(0.08, 0.92) * canvas->width;
    const double y = edge + random->Between(-0.05, 0.75) * (canvas->height - edge);
    const double size = random->Between(0.06, 0.16) * canvas->longer();
    const double tall = random->Between(0.7, 1.9) * size;
    const Colour colour = PrintColour(random);
    Fill(EllipseShape{x + 0.5 * size, y + 0.1 * size, 1.4 * size, 0.3 * size},
         {.colour = Scaled(table, 0.25), .opacity = 0.6, .soften = 0.5 * size}, canvas);
    const EllipseShape body{x, y - tall * 0.8, size, tall};
    ForEachIn(body, 1, canvas, [&](Point& point, float cover, int px, int py) {
      const double u = (px - x) / size;
      const double v = (py - body.y) / tall;
      const double shade = std::clamp(0.95 - 0.55 * (0.8 * u + 0.5 * v) - 0.25 * (u * u + v * v), 0.1, 1.3);
      point.colour = Blend(point.colour, Scaled(colour, shade), cover);
    });
    Fill(EllipseShape{x - 0.4 * size, body.y - 0.45 * tall, 0.16 * size, 0.12 * tall},
         {.colour = {1, 1, 0.95f}, .opacity = 0.7, .soften = 0.2 * size}, canvas);
  }
}

// A head and shoulders before a ground; enough of one to be told from another.
void PaintPortrait(Random* random, Canvas* canvas) {
  const Colour ground = EarthColour(random);
  const Field shade = MakeField(canvas->width, canvas->height, {.cells_x = 2, .cells_y = 2, .octaves = 5}, random);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) canvas->at(x, y).colour = Scaled(ground, 0.75 + 0.2 * shade.at(x, y));
  }
  const double w = canvas->width;
  const double h = canvas->height;
  const double x = random->Between(0.4, 0.6) * w;
  const double y = random->Between(0.35, 0.45) * h;
  const double head = random->Between(0.12, 0.2) * std::min(w, h);
  const Colour skin = FromHsv(random->Between(0.03, 0.09), random->Between(0.25, 0.6), random->Between(0.35, 0.9));
  const Colour hair = FromHsv(random->Between(0.02, 0.12), random->Between(0.1, 0.7), random->Between(0.05, 0.6));
  const Colour coat = PrintColour(random);
  const double lean = random->Between(-0.3, 0.3);
  Fill(EllipseShape{x, y + 0.1 * head, 1.25 * head, 1.5 * head, lean}, {.colour = hair, .soften = 3}, canvas);
  Fill(EllipseShape{x - lean * head, y + 3.6 * head, random->Between(2.0, 3.0) * head, 2.2 * head},
       {.colour = coat, .soften = 2}, canvas);
  Fill(PolygonShape{{{x - 0.4 * head, y + head}, {x + 0.4 * head, y + head}, {x + 0.1 * head, y + 2.6 * head}}},
       {.colour = ReadableOn(coat, random)}, canvas);
  Fill(StrokeShape{x, y + head, x, y + 1.6 * head, 0.4 * head}, {.colour = Scaled(skin, 0.8)}, canvas);
  const EllipseShape face{x + random->Between(-0.15, 0.15) * head, y + 0.25 * head, 0.9 * head, 1.2 * head, lean};
  const double side = random->Sign();
  ForEachIn(face, 2, canvas, [&](Point& point, float cover, int px, int) {
    point.colour = Blend(point.colour, Scaled(skin, 0.95 + 0.35 * side * (px - face.x) / head), cover);
  });
  for (const double eye : {-0.35, 0.35}) {
    Fill(EllipseShape{face.x + eye * head, face.y - 0.1 * head, 0.15 * head, 0.07 * head},
         {.colour = Scaled(hair, 0.4)}, canvas);
    Fill(StrokeShape{face.x + (eye - 0.15) * head, face.y - 0.33 * head, face.x + (eye + 0.15) * head,
                     face.y - 0.36 * head, 0.04 * head},
         {.colour = hair}, canvas);
  }
  Fill(StrokeShape{face.x - 0.2 * head, face.y + 0.6 * head, face.x + 0.2 * head, face.y + 0.57 * head, 0.05 * head},
       {.colour = FromHsv(0.0, 0.6, 0.5)}, canvas);
  Fill(StrokeShape{face.x, face.y, face.x + 0.08 * side * head, face.y + 0.3 * head, 0.04 * head},
       {.colour = Scaled(skin, 0.65)}, canvas);
}

// Rectangles, circles and lines.
void PaintAbstract(Random* random, Canvas* canvas) {
  const Palette palette = MakePalette(random);
  const Colour ground = random->Chance(0.5) ? palette[0] : EarthColour(random);
  for (Point& point : canvas->points) point.colour = ground;
  const int shapes = 6 + random->Below(20);
  const int kind = random->Below(4);
  for (int i = 0; i < shapes; ++i) {
    const Colour colour = random->Chance(0.7) ? palette[static_cast<size_t>(random->Below(4))] : PrintColour(random);
    const double x = random->Uniform() * canvas->width;
    const double y = random->Uniform() * canvas->height;
    const double a = random->Between(0.03, 0.25) * canvas->longer();
    const double b = random->Between(0.03, 0.25) * canvas->longer();
    const Ink ink{.colour = colour, .opacity = random->Between(0.6, 1.0), .soften = random->Chance(0.2) ? 8.0 : 1.0};
    if (kind == 0 || (kind == 3 && i % 3 == 0)) {
      Fill(RectangleShape{{x - a, y - b, x + a, y + b}}, ink, canvas);
    } else if (kind == 1 || (kind == 3 && i % 3 == 1)) {
      Fill(EllipseShape{x, y, a, kind == 1 ? a : b, random->Between(0, 3)}, ink, canvas);
    } else {
      Fill(
          PolygonShape{
              {{x + a, y}, {x + random->Between(-a, a), y + b}, {x - b, y - random->Between(0, a)}, {x, y - b}}},
          ink, canvas);
    }
    if (random->Chance(0.3)) {
      Fill(StrokeShape{x, y, random->Uniform() * canvas->width, random->Uniform() * canvas->height,
                       random->Between(0.5, 4)},
           {.colour = ReadableOn(colour, random)}, canvas);
    }
  }
}

// Contours of noise in flat colours, as in marbled paper.
void PaintFlow(Random* random, Canvas* canvas) {
  const Palette palette = MakePalette(random);
  const double cells = random->Between(1.5, 4);
  const Field base = MakeField(canvas->width, canvas->height,
                               {.cells_x = cells, .cells_y = cells, .octaves = 4, .gain = 0.45}, random);
  const Field warp = MakeField(canvas->width, canvas->height, {.cells_x = 3, .cells_y = 3, .octaves = 6}, random);
  const double bands = random->Between(2, 7);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      const double value = bands * (base.at(x, y) + 0.25 * warp.at(x, y)) + 100;
      const int band = static_cast<int>(value);
      const Colour colour = palette[static_cast<size_t>(band % 4)];
      canvas->at(x, y).colour =
          Scaled(Blend(colour, palette[static_cast<size_t>((band + 1) % 4)], std::pow(value - band, 6)),
                 1 + 0.05 * warp.at(x, y));
    }
  }
}

// Lays the picture again in strokes that follow a field of directions.
void Brush(double size, Random* random, Canvas* canvas) {
  const Canvas from = *canvas;
  const Field turn = MakeField(canvas->width, canvas->height, {.cells_x = 2, .cells_y = 2, .octaves = 3}, random);
  const double area = static_cast<double>(canvas->width) * canvas->height;
  const int strokes = std::min(6000, static_cast<int>(area / (size * size * 3)));
  for (int i = 0; i < strokes; ++i) {
    const double x = random->Uniform() * (canvas->width - 1);
    const double y = random->Uniform() * (canvas->height - 1);
    const Point& point = from.at(static_cast<int>(x), static_cast<int>(y));
    const double angle = 1.6 * turn.at(static_cast<int>(x), static_cast<int>(y));
    const double half = size * random->Between(0.8, 2.2);
    Fill(StrokeShape{x - half * std::cos(angle), y - half * std::sin(angle), x + half * std::cos(angle),
                     y + half * std::sin(angle), size * random->Between(0.3, 0.6)},
         {.colour = Shifted(point.colour, 0.07, random), .opacity = 0.85, .raise = random->Between(-0.001, 0.001)},
         canvas);
  }
}

}  // namespace

Canvas MakePainting(int width, int height, Random* random) {
  Canvas canvas(width, height, {});
  switch (random->Below(8)) {
    case 0:
    case 1:
    case 2: PaintLandscape(random, &canvas); break;
    case 3: PaintStillLife(random, &canvas); break;
    case 4: PaintPortrait(random, &canvas); break;
    case 5: PaintFlow(random, &canvas); break;
    default: PaintAbstract(random, &canvas); break;
  }
  if (random->Chance(0.6)) Brush(canvas.longer() * random->Between(0.006, 0.025), random, &canvas);
  return canvas;
}

void PaintPictureFrame(double share, Random* random, Canvas* canvas) {
  const double wide = share * std::min(canvas->width, canvas->height);
  const Colour colour =
      random->Chance(0.5) ? FromHsv(random->Between(0.08, 0.13), random->Between(0.3, 0.7), random->Between(0.45, 0.85))
                          : EarthColour(random);
  const double grooves = random->Between(1, 4);
  const double beads = random->Chance(0.5) ? random->Between(0.2, 0.6) * wide : 0;
  const Field grain = MakeField(canvas->width, canvas->height, {.cells_x = 20, .cells_y = 20, .octaves = 4}, random);
  for (int y = 0; y < canvas->height; ++y) {
    for (int x = 0; x < canvas->width; ++x) {
      const double edge = std::min({x + 0.5, y + 0.5, canvas->width - x - 0.5, canvas->height - y - 0.5});
      if (edge >= wide) continue;
      const double t = edge / wide;
      const double profile = 0.5 + 0.5 * std::cos(2 * std::numbers::pi * grooves * t);
      double height = 0.012 * (1 - t) + 0.006 * profile;
      if (beads > 0) height += 0.003 * std::sin(6.2832 * x / beads) * std::sin(6.2832 * y / beads);
      Point& point = canvas->at(x, y);
      point.colour = Scaled(colour, 0.6 + 0.4 * profile + 0.07 * grain.at(x, y));
      point.height = static_cast<float>(height);
      point.gloss = 0.4f;
    }
  }
}

}  // namespace sightline::scene::landmark
