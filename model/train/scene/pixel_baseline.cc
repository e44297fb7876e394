#include "model/train/scene/pixel_baseline.h"

#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "model/image/resize.h"
#include "model/train/scene/labels.h"

namespace sightline::scene {
namespace {

constexpr int kSide = 16;
using Vector = std::array<double, kSide * kSide * 3>;

struct Item {
  int instance = 0;
  Vector values = {};
};

absl::StatusOr<Vector> ReadVector(const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path, image::Limits().max_encoded_bytes));
  SIGHTLINE_ASSIGN_OR_RETURN(const image::Image image, image::Decode(bytes, {}, {}));
  const image::Image small = image::ResizeBicubic(image, {0, 0, image.width, image.height}, kSide, kSide);
  Vector values;
  for (size_t i = 0; i < values.size(); ++i) values[i] = small.rgb[i];
  return values;
}

void CentreAndNormalise(const Vector& mean, std::vector<Item>* items) {
  for (Item& item : *items) {
    double square = 0;
    for (size_t i = 0; i < mean.size(); ++i) {
      item.values[i] -= mean[i];
      square += item.values[i] * item.values[i];
    }
    const double scale = square > 0 ? 1 / std::sqrt(square) : 0;
    for (double& value : item.values) value *= scale;
  }
}

double Dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// The instance of the item most similar to `query`.
int Nearest(const std::vector<Item>& index, const Vector& query) {
  int instance = -1;
  double best = -2;
  for (const Item& item : index) {
    const double cosine = Dot(item.values, query);
    if (cosine <= best) continue;
    best = cosine;
    instance = item.instance;
  }
  return instance;
}

}  // namespace

absl::StatusOr<BaselineResult> PixelBaseline(const std::string& directory) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Label> labels, ReadLabels(directory));
  std::vector<Item> index;
  std::vector<Item> queries;
  for (const Label& label : labels) {
    SIGHTLINE_ASSIGN_OR_RETURN(const Vector values, ReadVector(absl::StrCat(directory, "/", label.path)));
    (label.split == Split::kIndex ? index : queries).push_back({label.instance, values});
  }
  Vector mean = {};
  for (const Item& item : index) {
    for (size_t i = 0; i < mean.size(); ++i) mean[i] += item.values[i] / static_cast<double>(index.size());
  }
  CentreAndNormalise(mean, &index);
  CentreAndNormalise(mean, &queries);
  BaselineResult result;
  for (const Item& query : queries) {
    ++result.queries;
    if (Nearest(index, query.values) == query.instance) ++result.first;
  }
  return result;
}

}  // namespace sightline::scene
