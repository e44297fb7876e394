#include "model/train/scene/landmark/label.h"

#include <cmath>
#include <numbers>

#include "absl/strings/str_cat.h"
#include "model/train/scene/landmark/field.h"
#include "model/train/scene/landmark/material.h"
#include "model/train/scene/landmark/painting.h"

namespace sightline::scene::landmark {
namespace {

constexpr double kCircle = 2 * std::numbers::pi;

PolygonShape Star(double x, double y, double radius, int points, double depth, double angle) {
  PolygonShape star;
  for (int i = 0; i < 2 * points; ++i) {
    const double reach = i % 2 == 0 ? radius : radius * depth;
    const double at = angle + kCircle * i / (2 * points);
    star.corners.emplace_back(x + reach * std::sin(at), y - reach * std::cos(at));
  }
  return star;
}

// An emblem: the same `mark` gives the same shape.
void DrawEmblem(const Bounds& box, uint64_t mark, const Colour& a, const Colour& b, Canvas* canvas) {
  Random random(mark);
  const double x = box.middle_x();
  const double y = box.middle_y();
  const double radius = std::min(box.width(), box.height()) / 2;
  if (random.Chance(0.5)) Fill(EllipseShape{x, y, radius, radius}, {.colour = b}, canvas);
  const int parts = 1 + random.Below(3);
  for (int i = 0; i < parts; ++i) {
    const double size = radius * random.Between(0.4, 0.9);
    const Ink ink{.colour = i % 2 == 0 ? a : b};
    switch (random.Below(6)) {
      case 0:
        Fill(Star(x, y, size, 3 + random.Below(6), random.Between(0.3, 0.8), random.Uniform()), ink, canvas);
        break;
      case 1: {
        const int petals = 3 + random.Below(5);
        for (int k = 0; k < petals; ++k) {
          const double angle = kCircle * k / petals;
          Fill(EllipseShape{x + 0.5 * size * std::cos(angle), y + 0.5 * size * std::sin(angle), 0.5 * size, 0.22 * size,
                            angle},
               ink, canvas);
        }
        break;
      }
      case 2:
        Fill(EllipseShape{x + random.Between(-0.3, 0.3) * size, y, 0.8 * size, 0.4 * size, random.Between(0, 3)}, ink,
             canvas);
        break;
      case 3:
        for (int k = 0; k < 3; ++k) {
          const double shift = (k - 1) * 0.5 * size;
          Fill(StrokeShape{x - size, y + shift, x + size, y + shift * random.Between(-1, 1), 0.12 * size}, ink, canvas);
        }
        break;
      case 4:
        Fill(PolygonShape{{{x - size, y + 0.6 * size},
                           {x - 0.2 * size, y - size},
                           {x + 0.3 * size, y},
                           {x + 0.5 * size, y - 0.4 * size},
                           {x + size, y + 0.6 * size}}},
             ink, canvas);
        break;
      default:
        Fill(RectangleShape{{x - 0.7 * size, y - 0.7 * size, x + 0.7 * size, y + 0.7 * size},
                            random.Between(0, 0.6) * size},
             ink, canvas);
        break;
    }
  }
}

void DrawBarcode(const Bounds& box, Random* own, Canvas* canvas) {
  Fill(RectangleShape{box}, {.colour = {0.97f, 0.97f, 0.97f}}, canvas);
  const double module = std::max(0.8, box.width() / 70);
  for (double x = box.x0 + 4 * module; x < box.x1 - 4 * module;) {
    const double bar = module * (1 + own->Below(3));
    Fill(RectangleShape{{x, box.y0 + 0.06 * box.height(), x + bar, box.y1 - 0.2 * box.height()}},
         {.colour = {0.05f, 0.05f, 0.05f}}, canvas);
    x += bar + module * (1 + own->Below(3));
  }
  DrawSmallPrint(box.Part(0.15, 0.82, 0.85, 1), 1, {0.1f, 0.1f, 0.1f}, own, canvas);
}

// The thing that is in the package: balls, leaves, bars, a bowl; or a picture.
void DrawContents(const Bounds& box, Random* layout, Random* own, Canvas* canvas) {
  const int kind = layout->Below(4);
  if (kind == 0) {
    const Canvas picture =
        MakePainting(std::max(16, static_cast<int>(box.width())), std::max(16, static_cast<int>(box.height())), own);
    Paste(picture, box, canvas);
    return;
  }
  const double hue = own->Uniform();
  const int pieces = 4 + own->Below(14);
  const double size = std::min(box.width(), box.height()) * own->Between(0.12, 0.26);
  const double slim = own->Chance(0.5) ? 1 : own->Between(0.3, 0.7);
  for (int i = 0; i < pieces; ++i) {
    const double x = box.x0 + size + own->Uniform() * std::max(0.0, box.width() - 2 * size);
    const double y = box.y0 + size + (0.2 + 0.8 * i / pieces) * std::max(0.0, box.height() - 2 * size);
    const double angle = own->Between(0, 3.14);
    const Colour colour =
        FromHsv(hue + own->Between(0, 0.06) - std::floor(hue + 0.06), own->Between(0.5, 0.95), own->Between(0.5, 0.95));
    Fill(EllipseShape{x + 0.15 * size, y + 0.25 * size, size, size * slim, angle},
         {.colour = {}, .opacity = 0.35, .soften = 0.3 * size}, canvas);
    const EllipseShape piece{x, y, size, size * slim, angle};
    ForEachIn(piece, 1, canvas, [&](Point& point, float cover, int px, int py) {
      const double u = (px - x) / size;
      const double v = (py - y) / size;
      point.colour = Blend(point.colour,
                           Scaled(colour, std::clamp(1.05 - 0.5 * (u + v) - 0.3 * (u * u + v * v), 0.15, 1.3)), cover);
    });
    Fill(EllipseShape{x - 0.35 * size, y - 0.3 * size * slim, 0.18 * size, 0.12 * size},
         {.colour = {1, 1, 1}, .opacity = 0.7, .soften = 0.15 * size}, canvas);
    if (own->Chance(0.3)) {
      Fill(EllipseShape{x + 0.8 * size, y - 0.8 * size, 0.6 * size, 0.22 * size, 0.8},
           {.colour = FromHsv(0.3, 0.7, own->Between(0.3, 0.7))}, canvas);
    }
  }
}

void PaintGround(const Brand& brand, Random* layout, Random* own, Canvas* canvas) {
  const Bounds all = All(*canvas);
  switch (layout->Below(7)) {
    case 0: FillGradient(RectangleShape{all}, brand.ground, brand.second, layout->Chance(0.7), canvas); break;
    case 1: {  // bands
      const double at = layout->Between(0.25, 0.7);
      Fill(RectangleShape{all.Part(0, at, 1, 1)}, {.colour = brand.second}, canvas);
      Fill(RectangleShape{all.Part(0, at - 0.015, 1, at + 0.015)}, {.colour = brand.accent}, canvas);
      break;
    }
    case 2: {  // a wave
      const double at = layout->Between(0.35, 0.65);
      const double swing = layout->Between(0.05, 0.16);
      const double turns = layout->Between(0.4, 1.5);
      const double phase = layout->Uniform();
      for (int y = 0; y < canvas->height; ++y) {
        for (int x = 0; x < canvas->width; ++x) {
          const double edge = at + swing * std::sin(kCircle * (turns * x / canvas->width + phase));
          const double below = std::clamp(y - edge * canvas->height + 0.5, 0.0, 1.0);
          canvas->at(x, y).colour = Blend(canvas->at(x, y).colour, brand.second, below);
        }
      }
      break;
    }
    case 3: {  // stripes
      const double step = canvas->width / layout->Between(5, 16);
      const double lean = layout->Chance(0.5) ? 0 : layout->Between(-1, 1);
      for (int y = 0; y < canvas->height; ++y) {
        for (int x = 0; x < canvas->width; ++x) {
          const double at = (x + lean * y) / step + 100;
          if (at - std::floor(at) < 0.5) canvas->at(x, y).colour = Blend(brand.ground, brand.second, 0.8);
        }
      }
      break;
    }
    case 4: Paste(MakePainting(canvas->width, canvas->height, own), all, canvas); break;
    case 5: {  // a disc behind everything
      const double radius = layout->Between(0.35, 0.6) * canvas->width;
      Fill(EllipseShape{canvas->width * layout->Between(0.2, 0.8), canvas->height * layout->Between(0.3, 0.7), radius,
                        radius},
           {.colour = brand.second}, canvas);
      break;
    }
    default: break;
  }
}

}  // namespace

Brand MakeBrand(Random* own) {
  Brand brand;
  brand.name = MakeWord(own);
  brand.kind = MakePhrase(1 + own->Below(2), own);
  brand.face = MakeTypeface(own);
  brand.small_face = MakeTypeface(own);
  brand.small_face.weight = std::min(brand.small_face.weight, 0.14);
  brand.ground = PrintColour(own);
  brand.second = PrintColour(own);
  brand.accent = ReadableOn(brand.ground, own);
  brand.mark = own->Next();
  return brand;
}

Canvas MakeLabel(int width, int height, const Brand& brand, Random* layout, Random* own) {
  Canvas canvas(width, height, brand.ground);
  PaintGround(brand, layout, own, &canvas);
  const Bounds all = All(canvas);
  const double order = layout->Uniform();
  const double name_at = order < 0.7 ? layout->Between(0.06, 0.16) : layout->Between(0.4, 0.6);
  const double name_tall = layout->Between(0.12, 0.26);
  const Bounds name = all.Part(0.06, name_at, 0.94, name_at + name_tall);
  const double picture_at = order < 0.7 ? name_at + name_tall + 0.08 : 0.05;
  const double picture_end = order < 0.7 ? layout->Between(0.8, 0.95) : name_at - 0.04;
  const double narrow = layout->Between(0, 0.2);
  if (picture_end - picture_at > 0.12 && layout->Chance(0.85)) {
    const Bounds box = all.Part(0.05 + narrow, picture_at + 0.08, 0.95 - narrow / 2, picture_end);
    if (layout->Chance(0.3)) {
      const double round = layout->Between(0, 0.3) * std::min(box.width(), box.height());
      Fill(RectangleShape{box, round}, {.colour = brand.second}, &canvas);
    }
    DrawContents(box.Inset(0.05, 0.05), layout, own, &canvas);
  }
  // The brand, on a block of its own at times.
  Colour under = brand.ground;
  if (layout->Chance(0.55)) {
    under = own->Chance(0.5) ? brand.accent : PrintColour(own);
    const double pad = 0.12 * name.height();
    const Bounds block{name.x0 - pad, name.y0 - pad, name.x1 + pad, name.y1 + pad};
    if (layout->Chance(0.4)) {
      Fill(EllipseShape{block.middle_x(), block.middle_y(), block.width() / 2, block.height() * 0.62},
           {.colour = under}, &canvas);
    } else {
      Fill(RectangleShape{block, layout->Between(0, 0.4) * block.height()}, {.colour = under}, &canvas);
    }
  }
  const Colour ink = ReadableOn(under, own);
  if (layout->Chance(0.3)) {
    const double shift = 0.04 * name.height();
    DrawText(brand.name, {name.x0 + shift, name.y0 + shift, name.x1 + shift, name.y1 + shift}, brand.face,
             {.colour = ReadableOn(ink, own), .opacity = 0.8}, &canvas);
  }
  DrawText(brand.name, name, brand.face, {.colour = ink, .gloss = 0.3, .keep_gloss = false}, &canvas);
  const Bounds kind =
      all.Part(0.12, name_at + name_tall + 0.02, 0.88, name_at + name_tall + 0.02 + layout->Between(0.045, 0.09));
  Colour plate = brand.ground;
  if (layout->Chance(0.6)) {
    plate = PrintColour(own);
    Fill(RectangleShape{kind, 0.3 * kind.height()}, {.colour = plate}, &canvas);
  }
  DrawText(brand.kind, kind.Inset(0.04, 0.14), brand.small_face, {.colour = ReadableOn(plate, own)}, &canvas);
  if (layout->Chance(0.6)) {
    const double size = layout->Between(0.16, 0.3);
    const double x = layout->Chance(0.5) ? 0.04 : 0.96 - size;
    const double y = layout->Between(0.55, 0.75);
    DrawEmblem(all.Part(x, y, x + size, y + size * width / height), brand.mark, brand.accent, PrintColour(own),
               &canvas);
  }
  if (layout->Chance(0.35)) {  // a burst with an offer
    const double radius = 0.14 * width;
    const double x = layout->Between(0.2, 0.8) * width;
    const double y = layout->Between(0.4, 0.85) * height;
    const Colour burst = PrintColour(own);
    Fill(Star(x, y, radius, 12, 0.8, 0), {.colour = burst}, &canvas);
    DrawText(absl::StrCat(5 + own->Below(90), "%"),
             {x - 0.6 * radius, y - 0.4 * radius, x + 0.6 * radius, y + 0.4 * radius}, brand.small_face,
             {.colour = ReadableOn(burst, own)}, &canvas);
  }
  if (layout->Chance(0.7)) {
    DrawText(absl::StrCat(25 * (1 + own->Below(40)), " ", own->Chance(0.5) ? "g" : "ml"),
             all.Part(0.68, 0.93, 0.95, 0.98), brand.small_face, {.colour = brand.accent}, &canvas);
  }
  if (layout->Chance(0.5)) DrawSmallPrint(all.Part(0.06, 0.9, 0.5, 0.98), 3, brand.accent, own, &canvas);
  for (Point& point : canvas.points) point.gloss = std::max(point.gloss, 0.15f);
  return canvas;
}

Canvas MakeSideLabel(int width, int height, const Brand& brand, Random* layout, Random* own) {
  Canvas canvas(width, height, layout->Chance(0.6) ? brand.ground : brand.second);
  const Bounds all = All(canvas);
  const Colour ground = canvas.at(0, 0).colour;
  const Colour ink = ReadableOn(ground, own);
  DrawText(brand.name, all.Part(0.08, 0.05, 0.92, 0.2), brand.face, {.colour = ink}, &canvas);
  if (layout->Chance(0.5))
    DrawContents(all.Part(0.1, 0.22, 0.9, 0.48), layout, own, &canvas);
  else
    DrawSmallPrint(all.Part(0.08, 0.24, 0.92, 0.48), 8, ink, own, &canvas);
  const Bounds table = all.Part(0.1, 0.52, 0.9, 0.74);
  if (layout->Chance(0.7)) {
    Fill(RectangleShape{table}, {.colour = {0.95f, 0.95f, 0.93f}}, &canvas);
    DrawSmallPrint(table.Inset(0.05, 0.05), 7, {0.1f, 0.1f, 0.1f}, own, &canvas);
  } else {
    DrawEmblem(table, brand.mark, brand.accent, brand.second, &canvas);
  }
  if (layout->Chance(0.7)) DrawBarcode(all.Part(0.2, 0.8, 0.85, 0.95), own, &canvas);
  for (Point& point : canvas.points) point.gloss = 0.15f;
  return canvas;
}

Canvas MakeSign(int width, int height, Random* layout, Random* own) {
  const Brand brand = MakeBrand(own);
  Canvas canvas = MakeMaterial(layout->Chance(0.5) ? Material::kMetal : Material::kPlanks, width, height, 4, own);
  const Bounds all = All(canvas);
  const int shape = layout->Below(4);
  const double round = layout->Between(0, 0.5) * std::min(width, height);
  const bool painted = layout->Chance(0.75);
  const auto fill = [&](double inset, const Ink& ink) {
    const Bounds box{inset, inset, width - inset, height - inset};
    if (shape == 0)
      Fill(EllipseShape{box.middle_x(), box.middle_y(), box.width() / 2, box.height() / 2}, ink, &canvas);
    else if (shape == 1)
      Fill(
          PolygonShape{
              {{box.x0, box.middle_y()}, {box.middle_x(), box.y0}, {box.x1, box.middle_y()}, {box.middle_x(), box.y1}}},
          ink, &canvas);
    else
      Fill(RectangleShape{box, std::max(0.0, round - inset)}, ink, &canvas);
  };
  // Everything outside the outline becomes a hole.
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double u = std::abs((x + 0.5) / width * 2 - 1);
      const double v = std::abs((y + 0.5) / height * 2 - 1);
      const float outside =
          RectangleShape{all, round}.distance(static_cast<float>(x) + 0.5f, static_cast<float>(y) + 0.5f);
      const bool hole = shape == 0 ? u * u + v * v > 1 : shape == 1 ? u + v > 1 : outside > 0;
      if (hole) canvas.at(x, y).alpha = 0;
    }
  }
  const double edge = layout->Between(0.02, 0.06) * std::min(width, height);
  if (painted) fill(0, {.colour = brand.ground});
  fill(edge, {.colour = brand.accent, .raise = 0.006});
  fill(2 * edge, {.colour = painted ? brand.ground : brand.second, .raise = -0.004});
  const Bounds inner = shape < 2 ? all.Inset(0.2, 0.25) : all.Inset(0.08, 0.1);
  const Colour ink = ReadableOn(painted ? brand.ground : brand.second, own);
  const int layout_kind = layout->Below(3);
  const Ink letters{.colour = ink, .raise = layout->Chance(0.5) ? 0.012 : 0.0};
  if (layout_kind == 0) {
    DrawText(brand.name, inner, brand.face, letters, &canvas);
  } else if (layout_kind == 1) {
    DrawEmblem(inner.Part(0.25, 0, 0.75, 0.55), brand.mark, brand.accent, brand.second, &canvas);
    DrawText(brand.name, inner.Part(0, 0.6, 1, 1), brand.face, letters, &canvas);
  } else {
    DrawText(brand.name, inner.Part(0, 0, 1, 0.55), brand.face, letters, &canvas);
    DrawText(brand.kind, inner.Part(0.05, 0.65, 0.95, 0.95), brand.small_face, letters, &canvas);
  }
  const Field wear = MakeField(width, height, {.cells_x = 4, .cells_y = 4, .octaves = 6, .gain = 0.7}, own);
  const double worn = own->Between(0.01, 0.08);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x)
      canvas.at(x, y).colour = Scaled(canvas.at(x, y).colour, std::max(0.2, 1 + worn * wear.at(x, y)));
  }
  return canvas;
}

}  // namespace sightline::scene::landmark
