// Where patches lie in a whole image, whatever part of it was embedded.
//
// Threading: pure functions. Failure: none.
//
//   const image::CropBox region = SeenRegion(model, 4000, 3000, crop);
//   PutCell(region, tokens.height, tokens.width, cell, correspondence->mutable_query_box());
#ifndef SIGHTLINE_SERVER_SERVICES_REGIONS_H_
#define SIGHTLINE_SERVER_SERVICES_REGIONS_H_

#include <optional>

#include "index/record.h"
#include "model/image/geometry.h"
#include "model/model.h"
#include "sightline/v1/embedding.pb.h"

namespace sightline::server {

// What the patch grid covers of an image of width x height pixels whose `crop` was embedded, as fractions of the whole
// image. Without a model, or a size (0 x 0), the crop is taken to be covered in full.
image::CropBox SeenRegion(const model::Model* model, int width, int height, const std::optional<image::CropBox>& crop);

// The same for an image of a collection.
image::CropBox SeenRegion(const model::Model* model, const index::Record& record);

// The cell of a row-major height x width grid that covers `region`.
void PutCell(const image::CropBox& region, int height, int width, int cell, v1::CropBox* out);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_REGIONS_H_
