#include "server/services/regions.h"

#include <algorithm>

namespace sightline::server {
namespace {

// `part` of `whole`, both fractions of what they lie in.
image::CropBox Within(const image::CropBox& whole, const image::CropBox& part) {
  const double width = whole.x1 - whole.x0;
  const double height = whole.y1 - whole.y0;
  return {.x0 = whole.x0 + width * part.x0,
          .y0 = whole.y0 + height * part.y0,
          .x1 = whole.x0 + width * part.x1,
          .y1 = whole.y0 + height * part.y1};
}

image::CropBox Clamped(const image::CropBox& box) {
  return {.x0 = std::clamp(box.x0, 0.0, 1.0),
          .y0 = std::clamp(box.y0, 0.0, 1.0),
          .x1 = std::clamp(box.x1, 0.0, 1.0),
          .y1 = std::clamp(box.y1, 0.0, 1.0)};
}

}  // namespace

image::CropBox SeenRegion(const model::Model* model, int width, int height, const std::optional<image::CropBox>& crop) {
  if (width < 1 || height < 1) {
    // Pixels of an image of unknown size say nothing.
    return crop && crop->unit == image::CropBox::Unit::kFraction ? Clamped(*crop) : image::CropBox();
  }
  image::PixelRect rect{.width = width, .height = height};
  if (crop) {
    const absl::StatusOr<image::PixelRect> resolved = image::ResolveCrop(*crop, width, height, width, height);
    // The crop was embedded, so it can be resolved.
    if (resolved.ok()) rect = *resolved;
  }
  const image::CropBox region{.x0 = static_cast<double>(rect.x) / width,
                              .y0 = static_cast<double>(rect.y) / height,
                              .x1 = static_cast<double>(rect.x + rect.width) / width,
                              .y1 = static_cast<double>(rect.y + rect.height) / height};
  return model == nullptr ? region : Within(region, model->SeenPart(rect.width, rect.height));
}

image::CropBox SeenRegion(const model::Model* model, const index::Record& record) {
  std::optional<image::CropBox> crop;
  if (record.crop) {
    crop =
        image::CropBox{.x0 = record.crop->x0,
                       .y0 = record.crop->y0,
                       .x1 = record.crop->x1,
                       .y1 = record.crop->y1,
                       .unit = record.crop->in_pixels ? image::CropBox::Unit::kPixel : image::CropBox::Unit::kFraction};
  }
  return SeenRegion(model, record.width, record.height, crop);
}

void PutCell(const image::CropBox& region, int height, int width, int cell, v1::CropBox* out) {
  const double row = cell / width;
  const double column = cell % width;
  const image::CropBox box =
      Within(region, {.x0 = column / width, .y0 = row / height, .x1 = (column + 1) / width, .y1 = (row + 1) / height});
  out->set_x0(box.x0);
  out->set_y0(box.y0);
  out->set_x1(box.x1);
  out->set_y1(box.y1);
  out->set_unit(v1::CropBox::UNIT_FRACTION);
}

}  // namespace sightline::server
