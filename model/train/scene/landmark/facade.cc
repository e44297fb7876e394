#include "model/train/scene/landmark/facade.h"

#include <cmath>
#include <numbers>
#include <vector>

#include "model/train/scene/landmark/field.h"
#include "model/train/scene/landmark/material.h"
#include "model/train/scene/landmark/text.h"

namespace sightline::scene::landmark {
namespace {

struct WindowStyle {
  double share_x = 0.5;  // of its bay
  double share_y = 0.6;
  bool arched = false;
  int hood = 0;  // what is above: 0 nothing, 1 a lintel, 2 a gable, 3 a keystone
  bool sill = true;
  bool shutters = false;
  int panes_x = 2;
  int panes_y = 3;
  bool balcony = false;
  Colour frame = {};
  Colour stone = {};
  Colour shutter = {};
  double gloss = 0.7;
};

WindowStyle MakeWindowStyle(Random* layout, Random* own) {
  WindowStyle style;
  style.share_x = layout->Between(0.35, 0.75);
  style.share_y = layout->Between(0.45, 0.78);
  style.arched = layout->Chance(0.3);
  style.hood = layout->Below(4);
  style.sill = layout->Chance(0.7);
  style.shutters = layout->Chance(0.25) && style.share_x < 0.55;
  style.panes_x = 1 + layout->Below(3);
  style.panes_y = 1 + layout->Below(4);
  style.balcony = layout->Chance(0.25);
  style.frame = own->Chance(0.6) ? Colour{0.92f, 0.92f, 0.9f} : EarthColour(own);
  style.stone = own->Chance(0.6) ? FromHsv(0.1, own->Between(0.03, 0.2), own->Between(0.6, 0.95)) : EarthColour(own);
  style.shutter = PrintColour(own);
  return style;
}

// The outline of an opening: a rectangle, with a half circle on top if arched.
struct Opening {
  Bounds box;
  bool arched = false;
  float distance(float x, float y) const {
    if (!arched) return RectangleShape{box}.distance(x, y);
    const double radius = box.width() / 2;
    const double spring = box.y0 + radius;
    if (y >= spring) return RectangleShape{{box.x0, spring - 1, box.x1, box.y1}}.distance(x, y);
    return static_cast<float>(std::hypot(x - box.middle_x(), y - spring) - radius);
  }
  Bounds bounds() const { return box; }
};

Bounds Grown(const Bounds& box, double by) { return {box.x0 - by, box.y0 - by, box.x1 + by, box.y1 + by}; }

// Glass with what is behind and what it mirrors.
void PaintGlass(const Opening& opening, double depth, Random* own, Canvas* canvas) {
  const bool lit = own->Chance(0.15);
  const Colour dark = lit ? FromHsv(0.11, 0.4, 0.8)
                          : FromHsv(own->Between(0.5, 0.65), own->Between(0.1, 0.4), own->Between(0.08, 0.35));
  const Colour bright = FromHsv(0.57, own->Between(0.1, 0.35), own->Between(0.3, 0.75));
  const double slope = own->Between(-0.6, 0.6);
  const double curtain = own->Chance(0.4) ? own->Between(0.1, 0.6) : 0;
  const Colour cloth = FromHsv(own->Uniform(), own->Between(0.0, 0.2), own->Between(0.6, 0.9));
  const Bounds& box = opening.box;
  ForEachIn(opening, 1, canvas, [&](Point& point, float cover, int x, int y) {
    const double u = (x - box.x0) / box.width();
    const double v = (y - box.y0) / box.height();
    const double mirror = std::clamp(0.75 - v - slope * (u - 0.5), 0.0, 1.0);
    Colour glass = Blend(dark, bright, mirror * mirror);
    if (v < curtain || (curtain > 0 && std::abs(u - 0.5) > 0.38))
      glass = Blend(glass, cloth, 0.45 + 0.1 * std::sin(40 * u));
    point.colour = Blend(point.colour, glass, cover);
    point.height -= cover * static_cast<float>(depth);
    point.gloss = 0.75f;
  });
}

void PaintWindow(const Bounds& bay, const WindowStyle& style, Random* own, Canvas* canvas) {
  const double w = bay.width() * style.share_x;
  const double h = bay.height() * style.share_y;
  const double middle = bay.middle_x();
  const double top = bay.middle_y() - h * 0.5;
  const Opening opening{{middle - w / 2, top, middle + w / 2, top + h}, style.arched};
  const double trim = 0.09 * w;
  const Ink stone{.colour = style.stone, .raise = 0.006};
  if (style.hood > 0) Fill(Opening{Grown(opening.box, trim), style.arched}, stone, canvas);
  PaintGlass(opening, 0.014, own, canvas);
  const Ink bar{.colour = style.frame, .raise = 0.004, .keep_gloss = false};
  const double thin = std::max(0.5, 0.022 * w);
  for (int i = 0; i <= style.panes_x; ++i) {
    const double x = opening.box.x0 + w * i / style.panes_x;
    const double y0 = style.arched
                          ? opening.box.y0 + w / 2 - std::sqrt(std::max(0.0, w * w / 4 - (x - middle) * (x - middle)))
                          : opening.box.y0;
    Fill(RectangleShape{{x - thin, y0, x + thin, opening.box.y1}}, bar, canvas);
  }
  for (int i = style.arched ? 1 : 0; i <= style.panes_y; ++i) {
    const double y = opening.box.y0 + h * i / style.panes_y;
    Fill(RectangleShape{{opening.box.x0, y - thin, opening.box.x1, y + thin}}, bar, canvas);
  }
  const double reach = 0.62 * w;
  if (style.sill) {
    Fill(RectangleShape{{middle - reach, top + h, middle + reach, top + h + 0.09 * w}},
         {.colour = style.stone, .raise = 0.012}, canvas);
    Fill(RectangleShape{{middle - reach, top + h + 0.09 * w, middle + reach, top + h + 0.2 * w}},
         {.colour = {}, .opacity = 0.35, .soften = 3}, canvas);
  }
  if (style.hood == 1 && !style.arched) {
    Fill(RectangleShape{{middle - reach, top - 0.2 * w, middle + reach, top - 0.06 * w}},
         {.colour = style.stone, .raise = 0.012}, canvas);
  } else if (style.hood == 2) {
    Fill(PolygonShape{{{middle - reach, top - 0.08 * w}, {middle, top - 0.38 * w}, {middle + reach, top - 0.08 * w}}},
         {.colour = style.stone, .raise = 0.012}, canvas);
  } else if (style.hood == 3) {
    Fill(PolygonShape{{{middle - 0.1 * w, top - 0.2 * w},
                       {middle + 0.1 * w, top - 0.2 * w},
                       {middle + 0.06 * w, top + 0.05 * w},
                       {middle - 0.06 * w, top + 0.05 * w}}},
         {.colour = style.stone, .raise = 0.01}, canvas);
  }
  if (style.shutters) {
    for (const double side : {-1.0, 1.0}) {
      const double x = middle + side * 0.77 * w;
      Fill(RectangleShape{{x - 0.24 * w, top, x + 0.24 * w, top + h}}, {.colour = style.shutter, .raise = 0.006},
           canvas);
      for (double y = top + 0.05 * h; y < top + h; y += std::max(2.5, 0.06 * h)) {
        Fill(RectangleShape{{x - 0.2 * w, y, x + 0.2 * w, y + 1}},
             {.colour = Scaled(style.shutter, 0.55), .opacity = 0.8}, canvas);
      }
    }
  }
  if (style.balcony) {
    const double low = top + h;
    const double rail = top + 0.62 * h;
    Fill(RectangleShape{{middle - reach, low, middle + reach, low + 0.1 * w}}, {.colour = style.stone, .raise = 0.025},
         canvas);
    const Ink iron{.colour = Scaled(style.shutter, 0.3), .raise = 0.02};
    Fill(RectangleShape{{middle - reach, rail, middle + reach, rail + std::max(1.0, 0.03 * w)}}, iron, canvas);
    for (double x = middle - reach; x <= middle + reach; x += std::max(2.6, 0.1 * w)) {
      Fill(RectangleShape{{x - 0.5, rail, x + 0.5, low}}, iron, canvas);
    }
  }
}

void PaintCornice(double y, double tall, const Colour& stone, bool teeth, Canvas* canvas) {
  const double width = canvas->width;
  for (int step = 0; step < 3; ++step) {
    const double part = tall / 3;
    Fill(RectangleShape{{0, y + part * step, width, y + part * (step + 1)}},
         {.colour = Scaled(stone, 1.05 - 0.12 * step), .raise = 0.016 - 0.005 * step}, canvas);
  }
  if (teeth) {
    for (double x = 0; x < width; x += 1.2 * tall) {
      Fill(RectangleShape{{x, y + tall, x + 0.6 * tall, y + 1.5 * tall}}, {.colour = stone, .raise = 0.01}, canvas);
    }
  }
  Fill(RectangleShape{{0, y + tall, width, y + 1.6 * tall}}, {.colour = {}, .opacity = 0.3, .soften = 0.4 * tall},
       canvas);
}

void PaintColumn(double x, double y0, double y1, double half, const Colour& stone, Canvas* canvas) {
  ForEachIn(RectangleShape{{x - half, y0, x + half, y1}}, 1, canvas, [&](Point& point, float cover, int px, int) {
    const double u = std::clamp((px + 0.5 - x) / half, -1.0, 1.0);
    point.colour = Blend(point.colour, Scaled(stone, 0.9 - 0.15 * u + 0.06 * std::sin(14 * u)), cover);
    point.height += cover * static_cast<float>(0.03 * std::sqrt(1 - u * u));
  });
  const Ink block{.colour = stone, .raise = 0.01};
  Fill(RectangleShape{{x - 1.4 * half, y0, x + 1.4 * half, y0 + 1.2 * half}}, block, canvas);
  Fill(RectangleShape{{x - 1.4 * half, y1 - 1.2 * half, x + 1.4 * half, y1}}, block, canvas);
}

void PaintDoor(const Bounds& box, bool arched, const Colour& stone, Random* own, Canvas* canvas) {
  const Colour wood =
      own->Chance(0.5) ? FromHsv(own->Between(0.03, 0.1), 0.6, own->Between(0.2, 0.5)) : Scaled(PrintColour(own), 0.7);
  Fill(Opening{Grown(box, 0.14 * box.width()), arched}, {.colour = stone, .raise = 0.01}, canvas);
  Fill(Opening{box, arched}, {.colour = wood, .raise = -0.02}, canvas);
  const int leaves = 1 + own->Below(2);
  for (int leaf = 0; leaf < leaves; ++leaf) {
    for (int row = 0; row < 3; ++row) {
      const Bounds panel =
          box.Part((leaf + 0.12) / leaves, 0.3 + 0.23 * row, (leaf + 0.88) / leaves, 0.48 + 0.23 * row);
      Fill(RectangleShape{panel, 1}, {.colour = Scaled(wood, row == 0 && leaves == 1 ? 0.4 : 1.25), .raise = 0.004},
           canvas);
    }
  }
}

// A window to the pavement under a sign, at times with an awning.
void PaintShop(const Bounds& floor, const Colour& stone, Random* layout, Random* own, Canvas* canvas) {
  const Colour front = PrintColour(own);
  Fill(RectangleShape{floor}, {.colour = Scaled(front, 0.75), .raise = 0.008}, canvas);
  const double sign = layout->Between(0.16, 0.28);
  const Bounds board = floor.Part(0.03, 0.03, 0.97, sign);
  const Colour ground = own->Chance(0.5) ? front : PrintColour(own);
  Fill(RectangleShape{board}, {.colour = ground, .raise = 0.012}, canvas);
  DrawText(MakePhrase(1 + layout->Below(2), own), board.Inset(0.06, 0.14), MakeTypeface(own),
           {.colour = ReadableOn(ground, own), .raise = 0.006}, canvas);
  const int parts = 2 + layout->Below(3);
  const int door = layout->Below(parts);
  for (int i = 0; i < parts; ++i) {
    const Bounds part = floor.Part((i + 0.08) / parts, sign + 0.06, (i + 0.92) / parts, i == door ? 1.0 : 0.86);
    PaintGlass({part, false}, 0.02, own, canvas);
    if (i == door) {
      Fill(RectangleShape{part.Part(0.46, 0, 0.54, 1)}, {.colour = Scaled(front, 0.6), .raise = 0.005}, canvas);
      continue;
    }
    // Goods on display.
    const int goods = 3 + own->Below(5);
    for (int k = 0; k < goods; ++k) {
      const double u = own->Between(0.02, 0.8);
      const double tall = own->Between(0.15, 0.5);
      Fill(RectangleShape{part.Part(u, 1 - tall, std::min(0.98, u + own->Between(0.08, 0.25)), 0.98), 2},
           {.colour = PrintColour(own), .opacity = 0.8}, canvas);
    }
  }
  if (layout->Chance(0.45)) {
    const Bounds awning = floor.Part(0.01, sign, 0.99, sign + layout->Between(0.14, 0.26));
    const Colour a = PrintColour(own);
    const Colour b = own->Chance(0.6) ? Colour{0.95f, 0.94f, 0.9f} : PrintColour(own);
    const double stripe = awning.width() / (6 + 2 * layout->Below(6));
    ForEachIn(RectangleShape{awning}, 1, canvas, [&](Point& point, float cover, int x, int y) {
      const bool even = static_cast<int>((x - awning.x0) / stripe) % 2 == 0;
      const double v = (y - awning.y0) / awning.height();
      point.colour = Blend(point.colour, Scaled(even ? a : b, 1.05 - 0.2 * v), cover);
      point.height += cover * static_cast<float>(0.01 + 0.05 * v);
      point.gloss = 0;
    });
  }
  Fill(RectangleShape{floor.Part(0, 0.97, 1, 1)}, {.colour = Scaled(stone, 0.6), .raise = 0.006}, canvas);
}

void CutRoof(double eaves, int kind, const Colour& roof, Random* own, Canvas* canvas) {
  const double width = canvas->width;
  const Field tiles = MakeField(canvas->width, canvas->height, {.cells_x = 60, .cells_y = 60, .octaves = 2}, own);
  for (int y = 0; y < static_cast<int>(eaves); ++y) {
    const double up = 1 - (y + 0.5) / eaves;
    // How far the roof reaches to each side at this height.
    const double half = kind == 0   ? 0.5 * (1 - up)
                        : kind == 1 ? 0.5 - 0.12 * up
                                    : 0.5 * std::floor(5 * (1 - up) + 1) / 6;
    for (int x = 0; x < canvas->width; ++x) {
      Point& point = canvas->at(x, y);
      const double aside = std::abs((x + 0.5) / width - 0.5);
      point.alpha = aside > half ? 0.0f : 1.0f;
      if (kind == 1) {
        const double row = std::fmod(y, 6.0) < 1 ? 0.75 : 1;
        point.colour = Scaled(roof, row * (1 + 0.08 * tiles.at(x, y)));
        point.height -= static_cast<float>(0.06 * up);
      } else if (half - aside < 0.025) {
        point.colour = Scaled(roof, 1.1);
        point.height += 0.012f;
      }
    }
  }
}

}  // namespace

Canvas MakeFacade(int width, int height, Random* layout, Random* own) {
  constexpr Material kWalls[] = {Material::kPlaster,  Material::kPlaster, Material::kBrick, Material::kStoneBlocks,
                                 Material::kConcrete, Material::kTiles,   Material::kPlanks};
  const Material wall = kWalls[layout->Below(7)];
  Canvas canvas = MakeMaterial(wall, width, height, layout->Between(9, 26), own);
  const WindowStyle style = MakeWindowStyle(layout, own);
  const Colour stone = style.stone;
  const int roof = layout->Below(5);  // 0 gable, 1 mansard, 2 stepped gable, above: flat
  const double eaves = roof < 3 ? layout->Between(0.14, 0.3) * height : layout->Between(0.02, 0.06) * height;
  const int storeys = 2 + layout->Below(4);
  const int bays = 2 + layout->Below(5);
  const double ground = layout->Between(0.18, 0.32) * height;
  const double storey = (height - ground - eaves) / storeys;
  const bool shop = layout->Chance(0.5);
  const bool varied = layout->Chance(0.5);
  WindowStyle other = MakeWindowStyle(layout, own);
  other.frame = style.frame;
  other.stone = stone;
  if (layout->Chance(0.4)) {
    const Canvas base =
        MakeMaterial(Material::kStoneBlocks, width, static_cast<int>(ground), layout->Between(8, 16), own);
    Paste(base, {0, height - ground, 1.0 * width, 1.0 * height}, &canvas);
  }
  const int centre = varied ? bays / 2 : -1;
  for (int floor = 0; floor < storeys; ++floor) {
    for (int bay = 0; bay < bays; ++bay) {
      const double x = static_cast<double>(width) * bay / bays;
      const double y = eaves + storey * floor;
      const bool special = bay == centre || (varied && floor == 0);
      PaintWindow({x, y + 0.08 * storey, x + static_cast<double>(width) / bays, y + storey}, special ? other : style,
                  own, &canvas);
    }
    if (layout->Chance(0.4))
      PaintCornice(eaves + storey * (floor + 1) - 0.03 * storey, 0.035 * storey, stone, false, &canvas);
  }
  if (roof == 0 || roof == 2) {
    const double radius = layout->Between(0.05, 0.09) * width;
    const EllipseShape rose{0.5 * width, 0.68 * eaves, radius, radius};
    Fill(EllipseShape{rose.x, rose.y, 1.25 * radius, 1.25 * radius}, {.colour = stone, .raise = 0.008}, &canvas);
    Fill(rose, {.colour = layout->Chance(0.5) ? Colour{0.15f, 0.17f, 0.22f} : Colour{0.93f, 0.92f, 0.87f}}, &canvas);
    for (int i = 0; i < 6; ++i) {
      const double angle = i * std::numbers::pi / 6;
      Fill(StrokeShape{rose.x - radius * std::cos(angle), rose.y - radius * std::sin(angle),
                       rose.x + radius * std::cos(angle), rose.y + radius * std::sin(angle), 0.5},
           {.colour = style.frame}, &canvas);
    }
  }
  const Bounds low{0, height - ground, 1.0 * width, 1.0 * height};
  if (shop) {
    PaintShop(low, stone, layout, own, &canvas);
  } else {
    const int openings = std::max(2, bays - layout->Below(2));
    const int door = layout->Below(openings);
    for (int i = 0; i < openings; ++i) {
      const Bounds part = low.Part(static_cast<double>(i) / openings, 0, (i + 1.0) / openings, 1);
      if (i == door)
        PaintDoor(part.Part(0.25, 0.2, 0.75, 1), style.arched, stone, own, &canvas);
      else
        PaintWindow(part, other, own, &canvas);
    }
  }
  PaintCornice(height - ground - 0.02 * height, 0.02 * height, stone, layout->Chance(0.3), &canvas);
  if (layout->Chance(0.35)) {
    const int columns = bays + 1;
    const bool whole = layout->Chance(0.4);
    for (int i = 0; i < columns; ++i) {
      const double x = std::clamp(1.0 * width * i / bays, 0.02 * width, 0.98 * width);
      PaintColumn(x, eaves, whole ? height : height - ground, 0.05 * width / bays * 2.2, stone, &canvas);
    }
  }
  PaintCornice(eaves, 0.025 * height, stone, layout->Chance(0.5), &canvas);
  if (roof < 3)
    CutRoof(eaves, roof,
            own->Chance(0.6) ? FromHsv(own->Between(0.0, 0.08), 0.5, own->Between(0.3, 0.6)) : EarthColour(own), own,
            &canvas);
  // Dirt runs down and gathers.
  const Field dirt = MakeField(width, height, {.cells_x = 26, .cells_y = 3, .octaves = 5, .gain = 0.65}, own);
  const double dirty = own->Between(0.01, 0.09);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x)
      canvas.at(x, y).colour = Scaled(canvas.at(x, y).colour, std::max(0.2, 1 + dirty * dirt.at(x, y)));
  }
  return canvas;
}

}  // namespace sightline::scene::landmark
