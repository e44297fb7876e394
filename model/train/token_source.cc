#include "model/train/token_source.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/train/export_reader.h"
#include "model/train/image_folder.h"
#include "model/weights/dtype.h"

namespace sightline::train {
namespace {

constexpr int64_t kLeftOutEvery = 5;
// 2,048 tokens make two million pairs.
constexpr size_t kMostLeftOut = 2048;
constexpr size_t kLeftOutPerImage = 16;

// Scales every token to length 1 and drops those without a direction. False where a value is not finite.
bool Normalise(size_t dim, std::vector<float>* tokens) {
  size_t kept = 0;
  for (size_t t = 0; t < tokens->size(); t += dim) {
    double squares = 0;
    for (size_t i = t; i < t + dim; ++i) squares += static_cast<double>((*tokens)[i]) * (*tokens)[i];
    if (!std::isfinite(squares)) return false;
    if (squares == 0) continue;
    const double scale = 1 / std::sqrt(squares);
    for (size_t i = 0; i < dim; ++i) (*tokens)[kept + i] = static_cast<float>((*tokens)[t + i] * scale);
    kept += dim;
  }
  tokens->resize(kept);
  return true;
}

// The tensors of an export that hold its tokens.
struct TokenTensors {
  const weights::TensorView* grids = nullptr;
  const weights::TensorView* values = nullptr;
  int64_t dim = 0;
};

absl::StatusOr<TokenTensors> FindTokens(const ExportReader& file, int64_t dim) {
  TokenTensors found{.grids = file.Find("token_grids"), .values = file.Find("token_values"), .dim = dim};
  if (found.grids == nullptr || found.values == nullptr) return file.Invalid("holds no patch tokens");
  const bool grids =
      found.grids->dtype == weights::DType::kI32 && found.grids->shape.size() == 2 && found.grids->shape[1] == 2;
  using D = weights::DType;
  const D dtype = found.values->dtype;
  const bool values = (dtype == D::kI8 || dtype == D::kF16 || dtype == D::kF32) && found.values->shape.size() == 2 &&
                      found.values->shape[1] == dim;
  if (!grids || !values) return file.Invalid(absl::StrCat("holds no patch tokens of ", dim, " values"));
  return found;
}

}  // namespace

void TokenSource::AddImage(std::vector<float> tokens) {
  const auto dim = static_cast<size_t>(moments.dim());
  if (++images % kLeftOutEvery != 0) return moments.Add(tokens);
  const size_t cells = tokens.size() / dim;
  const size_t taken = std::min(cells, kLeftOutPerImage);
  for (size_t i = 0; i < taken; ++i) {
    const auto token = tokens.begin() + static_cast<std::ptrdiff_t>(i * cells / taken * dim);
    left_out.insert(left_out.end(), token, token + static_cast<std::ptrdiff_t>(dim));
  }
  // Bounded however many images there are.
  if (left_out.size() > 4 * kMostLeftOut * dim) Thin(2 * kMostLeftOut);
}

void TokenSource::Thin(size_t most) {
  const auto dim = static_cast<size_t>(moments.dim());
  const size_t count = left_out.size() / dim;
  if (count <= most) return;
  for (size_t i = 0; i < most; ++i) {
    const auto from = left_out.begin() + static_cast<std::ptrdiff_t>(i * count / most * dim);
    std::copy(from, from + static_cast<std::ptrdiff_t>(dim), left_out.begin() + static_cast<std::ptrdiff_t>(i * dim));
  }
  left_out.resize(most * dim);
}

absl::Status TokenSource::Finish(const std::string& where) {
  if (images < kLeftOutEvery || left_out.size() < 2 * static_cast<size_t>(moments.dim())) {
    return base::InvalidArgument("TOKENS_TOO_FEW",
                                 absl::StrCat(where, " holds ", images, " images with patch tokens; the fit needs ",
                                              kLeftOutEvery, ", of which it is measured on one. Give more images."),
                                 {{"actual", absl::StrCat(images)}, {"limit", absl::StrCat(kLeftOutEvery)}});
  }
  Thin(kMostLeftOut);
  return absl::OkStatus();
}

absl::StatusOr<TokenSource> TokensOfFolder(model::Model& model, int64_t dim, const std::string& folder) {
  TokenSource source(dim);
  bool finite = true;
  const auto add = [&](const std::filesystem::path&, model::Embedding embedding) {
    finite = finite && Normalise(static_cast<size_t>(dim), &embedding.tokens.floats);
    if (finite && !embedding.tokens.floats.empty()) source.AddImage(std::move(embedding.tokens.floats));
  };
  SIGHTLINE_ASSIGN_OR_RETURN(const FolderCounts counts,
                             EmbedEach(model, folder, std::numeric_limits<int64_t>::max(), add));
  if (!finite) {
    return base::InvalidArgument(
        "TOKENS_NOT_FINITE",
        absl::StrCat("model ", model.info().name, " makes patch tokens that are not finite. Check its weights."));
  }
  source.skipped = counts.skipped;
  SIGHTLINE_RETURN_IF_ERROR(source.Finish(absl::StrCat("folder ", folder)));
  return source;
}

absl::StatusOr<TokenSource> TokensOfExport(const model::ModelInfo& model, const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const ExportReader file, ExportReader::Open(path));
  SIGHTLINE_RETURN_IF_ERROR(file.CheckSpace("token_space", model.token_space, model.name));
  SIGHTLINE_ASSIGN_OR_RETURN(const TokenTensors tensors, FindTokens(file, model.token_dim));
  const auto dim = static_cast<size_t>(tensors.dim);
  const auto value_bytes = static_cast<size_t>(weights::DTypeBytes(tensors.values->dtype));
  TokenSource source(tensors.dim);
  int64_t left = tensors.values->shape[0];
  size_t offset = 0;  // in bytes of the values
  for (int64_t image = 0; image < tensors.grids->shape[0]; ++image) {
    int32_t grid[2];
    std::memcpy(grid, tensors.grids->bytes.data() + static_cast<size_t>(image) * sizeof grid, sizeof grid);
    const int64_t cells = int64_t{grid[0]} * grid[1];
    if (grid[0] < 0 || grid[1] < 0 || cells > left) {
      return file.Invalid(absl::StrCat("says that image ", image, " has a grid of ", grid[0], "x", grid[1],
                                       " tokens, and has ", left, " left"));
    }
    left -= cells;
    if (cells == 0) continue;
    // Codes are a token up to its scale, and a token is a direction.
    std::vector<float> tokens(static_cast<size_t>(cells) * dim);
    weights::ToFloats(tensors.values->dtype, tensors.values->bytes.substr(offset, tokens.size() * value_bytes),
                      absl::MakeSpan(tokens));
    offset += tokens.size() * value_bytes;
    if (!Normalise(dim, &tokens)) return file.Invalid("holds patch tokens that are not finite");
    if (!tokens.empty()) source.AddImage(std::move(tokens));
  }
  if (left != 0) return file.Invalid(absl::StrCat("has ", left, " tokens more than its grids say"));
  SIGHTLINE_RETURN_IF_ERROR(source.Finish(path));
  return source;
}

}  // namespace sightline::train
