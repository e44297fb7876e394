#include "tests/bench/labelled_pictures.h"

#include <fstream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/for_each.h"
#include "base/status.h"
#include "model/image/decode.h"
#include "model/image/resize.h"
#include "model/train/scene/labels.h"
#include "server/convert.h"

namespace sightline::bench {
namespace {

constexpr int64_t kMaxFileBytes = 16 << 20;

absl::StatusOr<Picture> EmbedFile(model::Model& model, const LabelledFile& file) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string encoded, base::ReadFile(file.path, kMaxFileBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(const auto header, image::ReadHeader(encoded, {}));
  // A crop may need every pixel there is.
  const int wanted_side = file.crop ? 0 : model.wanted_side(header.width, header.height);
  SIGHTLINE_ASSIGN_OR_RETURN(const image::Image decoded, image::Decode(encoded, {}, {.wanted_side = wanted_side}));
  SIGHTLINE_ASSIGN_OR_RETURN(const model::PreparedImage prepared, model.Prepare(decoded, file.crop));
  const model::PreparedImage* const batch[] = {&prepared};
  SIGHTLINE_ASSIGN_OR_RETURN(std::vector<model::Embedding> embeddings, model.Embed(batch));
  return Picture{file.object, std::move(embeddings[0].descriptor), server::FromModel(std::move(embeddings[0].tokens))};
}

}  // namespace

absl::StatusOr<LabelledFiles> Groceries(const std::string& folder, int products) {
  const std::string root = absl::StrCat(folder, "/grocery/");
  std::ifstream labels(root + "labels.csv");
  LabelledFiles files;
  std::string line;
  std::getline(labels, line);  // path,split,product_id,product
  while (std::getline(labels, line)) {
    const std::vector<std::string> fields = absl::StrSplit(line, ',');
    int product = 0;
    if (fields.size() != 4 || !absl::SimpleAtoi(fields[2], &product)) {
      return base::InvalidArgument("LABELS_INVALID", absl::StrCat("line \"", line, "\" of ", root,
                                                                  "labels.csv is not path,split,product_id,product. "
                                                                  "Copy the file again."));
    }
    if (product < products)
      (fields[1] == "train" ? files.database : files.queries).push_back({root + fields[0], product});
  }
  return files;
}

absl::StatusOr<LabelledFiles> Scenes(const std::string& folder, double* hidden) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<scene::Label> labels, scene::ReadLabels(folder));
  LabelledFiles files;
  double sum = 0;
  for (const scene::Label& label : labels) {
    const bool query = label.split == scene::Split::kQuery;
    (query ? files.queries : files.database).push_back({absl::StrCat(folder, "/", label.path), label.instance});
    if (query) sum += label.hidden.value_or(0);
  }
  *hidden = files.queries.empty() ? 0 : sum / static_cast<double>(files.queries.size());
  return files;
}

absl::StatusOr<image::Image> ReadPicture(const LabelledFile& file) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string encoded, base::ReadFile(file.path, kMaxFileBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(image::Image decoded, image::Decode(encoded, {}, {}));
  if (!file.crop) return decoded;
  SIGHTLINE_ASSIGN_OR_RETURN(
      const image::PixelRect region,
      image::ResolveCrop(*file.crop, decoded.width, decoded.height, decoded.original_width, decoded.original_height));
  return image::ResizeBicubic(decoded, region, region.width, region.height);
}

absl::StatusOr<Models> LoadForEachProcessor(const std::string& folder, model::LoadOptions options) {
  options.intra_op_threads = 1;
  Models models(base::Processors());
  for (std::unique_ptr<model::Model>& model : models) {
    SIGHTLINE_ASSIGN_OR_RETURN(model, model::Model::Load(folder, options));
  }
  return models;
}

absl::StatusOr<std::vector<Picture>> EmbedFiles(const Models& models, const std::vector<LabelledFile>& files) {
  std::vector<Picture> pictures(files.size());
  SIGHTLINE_RETURN_IF_ERROR(base::ForEach(files.size(), models.size(), [&](size_t i, size_t thread) -> absl::Status {
    SIGHTLINE_ASSIGN_OR_RETURN(pictures[i], EmbedFile(*models[thread], files[i]));
    return absl::OkStatus();
  }));
  return pictures;
}

}  // namespace sightline::bench
