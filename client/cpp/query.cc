#include "client/cpp/query.h"

#include <utility>

#include "base/file.h"
#include "base/status.h"

namespace sightline::client {

Query Query::ImageFile(std::string path) {
  Query query;
  query.path_ = std::move(path);
  return query;
}

Query Query::Image(std::string bytes) {
  Query query;
  query.part_.set_image(std::move(bytes));
  return query;
}

Query Query::Id(std::string id) {
  Query query;
  query.part_.set_id(std::move(id));
  return query;
}

Query Query::Descriptor(std::vector<float> values, std::string embedding_space) {
  Query query;
  auto& descriptor = *query.part_.mutable_global_descriptor();
  descriptor.mutable_values()->Add(values.begin(), values.end());
  descriptor.set_embedding_space(std::move(embedding_space));
  return query;
}

Query& Query::Tokens(v1::PatchTokens tokens) {
  *part_.mutable_tokens() = std::move(tokens);
  return *this;
}

Query& Query::Crop(double x0, double y0, double x1, double y1, v1::CropBox::Unit unit) {
  auto& crop = *part_.add_crops();
  crop.set_x0(x0);
  crop.set_y0(y0);
  crop.set_x1(x1);
  crop.set_y1(y1);
  crop.set_unit(unit);
  return *this;
}

absl::StatusOr<v1::Query> Query::Build(int64_t max_image_bytes) const {
  v1::Query query;
  v1::QueryPart& part = *query.add_parts();
  part = part_;
  if (path_) {
    SIGHTLINE_ASSIGN_OR_RETURN(*part.mutable_image(), base::ReadFile(*path_, max_image_bytes));
  }
  return query;
}

absl::StatusOr<v1::ExplainImage> Query::BuildExplain(int64_t max_image_bytes) const {
  v1::ExplainImage image;
  if (part_.has_global_descriptor() || part_.crops_size() > 1) {
    return base::InvalidArgument("EXPLAIN_IMAGE_INVALID",
                                 "an explanation compares two images, each with at most one box. Pass an image file, "
                                 "image bytes or an id.");
  }
  if (path_) {
    SIGHTLINE_ASSIGN_OR_RETURN(*image.mutable_image(), base::ReadFile(*path_, max_image_bytes));
  } else if (part_.has_image()) {
    image.set_image(part_.image());
  } else if (part_.source_case() == v1::QueryPart::kId) {
    image.set_id(part_.id());
  }
  if (!part_.crops().empty()) *image.mutable_crop() = part_.crops(0);
  return image;
}

}  // namespace sightline::client
