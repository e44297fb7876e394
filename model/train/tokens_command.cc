#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status.h"
#include "model/config/model_config.h"
#include "model/model.h"
#include "model/tokens/projection.h"
#include "model/train/command.h"
#include "model/train/derived_model.h"
#include "model/train/flags.h"
#include "model/train/token_pca.h"
#include "model/train/token_source.h"
#include "model/weights/model_folder.h"

namespace sightline::train {
namespace {

constexpr char kTokensUsage[] =
    R"(usage: sightline-train tokens MODEL_DIR --out DIR (--images FOLDER | --export FILE --dim D) [--dim D]

Fits the projection of a model's patch tokens (PCA) and writes a model directory that stores it: tokens of D values that
keep the cosines between patches as well as any projection of their size does. Descriptors stay as they are, and so does
their embedding space; tokens are of another token space, so re-embed collections that re-rank.

  --out DIR         the model directory to make
  --images FOLDER   fit to every image below this folder, from the backbone's own tokens
  --export FILE     fit to the tokens of a collection, written by `sightline export`; they have been projected once, so
                    this finds fewer dimensions among those; the model must be the collection's
  --dim D           size of a token; with --images at most the backbone's, and without it the model's; with --export at
                    most the model's
  --threads N       threads for embedding; without it all cores
  --force           replace a model that is in DIR

A fifth of the images is left out of the fit; how far the cosines between their patches moved is printed.
)";

constexpr char kProjectionTensor[] = "tokens.projection";

struct TokensSettings {
  std::string directory, out, images, exported;
  int64_t dim = 0;  // 0: the model's
  int threads = 0;
  bool force = false;
};

absl::StatusOr<TokensSettings> ReadTokensSettings(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(
      const Flags flags,
      Flags::Parse(
          arguments,
          {{"out", "DIR"}, {"images", "FOLDER"}, {"export", "FILE"}, {"dim", "D"}, {"threads", "N"}, {"force", ""}}));
  if (flags.positional().size() != 1) {
    return base::InvalidArgument("ARGUMENT_MISSING",
                                 absl::StrCat(flags.positional().size(),
                                              " model directories are given; one is needed. Write `sightline-train "
                                              "tokens MODEL_DIR --out DIR --images FOLDER`."));
  }
  TokensSettings settings{.directory = flags.positional()[0],
                          .out = flags.Text("out", ""),
                          .images = flags.Text("images", ""),
                          .exported = flags.Text("export", "")};
  SIGHTLINE_ASSIGN_OR_RETURN(settings.dim, flags.Integer("dim", 0));
  SIGHTLINE_ASSIGN_OR_RETURN(settings.threads, flags.Threads());
  settings.force = flags.Has("force");
  if (settings.out.empty()) {
    return base::InvalidArgument("SETTING_MISSING", "--out is not given. Name the folder to write.");
  }
  if (settings.images.empty() == settings.exported.empty()) {
    return base::InvalidArgument("SETTING_MISSING",
                                 "one of --images and --export is needed, and only one. Give a folder of images or a "
                                 "file written by `sightline export`.");
  }
  if (!settings.exported.empty() && !flags.Has("dim")) {
    return base::InvalidArgument("SETTING_MISSING",
                                 "--export is given without --dim. Say how many of the exported tokens' dimensions to "
                                 "keep.");
  }
  return settings;
}

// How many dimensions to fit.
absl::StatusOr<int64_t> FittedDim(const TokensSettings& settings, const model::ModelConfig& config) {
  const bool from_images = settings.exported.empty();
  constexpr int kMostTokenDim = 1024;  // what model.json may say, and a collection keep
  const int64_t most = from_images ? std::min(Facts(config.backbone).dim, kMostTokenDim) : config.tokens.dim;
  const int64_t dim = settings.dim == 0 && from_images ? config.tokens.dim : settings.dim;
  if (dim >= 1 && dim <= most) return dim;
  return base::InvalidArgument(
      "TOKENS_DIM",
      absl::StrCat("tokens of ", dim, " dimensions are asked for; ", from_images ? "the backbone" : "the export",
                   " gives ", most, ". Ask for 1 to ", most, "."),
      {{"actual", absl::StrCat(dim)}, {"limit", absl::StrCat(most)}});
}

absl::Status CheckProjection(const model::ModelConfig& config) {
  if (config.tokens.projection != model::TokenProjection::kHead) return absl::OkStatus();
  return base::FailedPrecondition("TOKENS_OF_HEAD",
                                  absl::StrCat("the head of model ", config.name,
                                               " maps its patches, and was trained to. Fit a projection to a model "
                                               "with another tokens.projection."));
}

// The model's projection as it is, (D, Ct).
absl::StatusOr<std::vector<float>> PresentProjection(const model::ModelConfig& config, const std::string& directory) {
  const int rows = Facts(config.backbone).dim;
  if (config.tokens.projection == model::TokenProjection::kOrthonormal) {
    return model::OrthonormalProjection(rows, config.tokens.dim, config.tokens.projection_seed);
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const auto file,
                             base::MappedFile::Open(directory + "/weights.safetensors", kMaxDerivedBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(const weights::Safetensors weights, weights::ParseSafetensors(file->bytes(), {}));
  // The model was loaded with it: it is there and has its shape.
  const auto stored = std::find_if(weights.tensors.begin(), weights.tensors.end(),
                                   [](const weights::TensorView& tensor) { return tensor.name == kProjectionTensor; });
  std::vector<float> projection(static_cast<size_t>(rows) * static_cast<size_t>(config.tokens.dim));
  weights::ToFloats(stored->dtype, stored->bytes, absl::MakeSpan(projection));
  return projection;
}

std::string AgreementText(const CosineAgreement& agreement) {
  return absl::StrFormat("%.4f off on average, correlation %.4f", agreement.mean_difference, agreement.correlation);
}

absl::Status RunTokens(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(const TokensSettings settings, ReadTokensSettings(arguments));
  SIGHTLINE_RETURN_IF_ERROR(model::ModelFolder::CheckFree(settings.out, settings.force));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadModelJson(settings.directory));
  SIGHTLINE_ASSIGN_OR_RETURN(const model::ModelConfig config, model::ParseModelConfig(text));
  SIGHTLINE_RETURN_IF_ERROR(CheckProjection(config));
  SIGHTLINE_ASSIGN_OR_RETURN(const int64_t dim, FittedDim(settings, config));
  const bool from_images = settings.exported.empty();
  SIGHTLINE_ASSIGN_OR_RETURN(
      const auto model,
      model::Model::Load(settings.directory, {.intra_op_threads = settings.threads, .whole_tokens = from_images}));
  const int64_t channels = Facts(config.backbone).dim;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> present, PresentProjection(config, settings.directory));

  SIGHTLINE_ASSIGN_OR_RETURN(const TokenSource source, from_images ? TokensOfFolder(*model, channels, settings.images)
                                                                   : TokensOfExport(model->info(), settings.exported));
  SIGHTLINE_ASSIGN_OR_RETURN(const TokenBasis basis, source.moments.Fit(dim));
  const std::vector<float> projection =
      from_images ? basis.matrix : Product(present, basis.matrix, channels, config.tokens.dim, dim);

  const std::string sentence = absl::StrCat("Patch tokens projected to ", dim, " dimensions (pca) fitted to ",
                                            source.moments.count(), " tokens of ", source.images, " images.");
  SIGHTLINE_ASSIGN_OR_RETURN(nlohmann::ordered_json root, DerivedJson(text, settings.out, sentence));
  root["tokens"]["dim"] = dim;
  root["tokens"]["projection"] = {{"type", "stored"}};
  const DerivedModel derived{
      .from = settings.directory, .out = settings.out, .replace = settings.force, .same_descriptors = true};
  SIGHTLINE_ASSIGN_OR_RETURN(
      const model::ModelInfo written,
      WriteDerivedModel(derived, root, {ViewOf(kProjectionTensor, projection, {channels, dim})}));

  if (source.skipped > 0) absl::PrintF("%d files are no images and were skipped\n", source.skipped);
  absl::PrintF("wrote %s: tokens of %d dimensions instead of %d, %.1f %% of the energy of %d, fitted to %d tokens\n",
               settings.out, dim, config.tokens.dim, 100 * basis.kept_energy, basis.in, source.moments.count());
  absl::PrintF("cosines between patches of images left out: %s\n",
               AgreementText(CompareCosines(source.left_out, basis.matrix, basis.in, dim)));
  if (from_images) {
    absl::PrintF("with the projection before: %s\n",
                 AgreementText(CompareCosines(source.left_out, present, channels, config.tokens.dim)));
  }
  absl::PrintF("token space %s\n", written.token_space);
  return absl::OkStatus();
}

}  // namespace

Command TokensCommand() { return {"tokens", "fit the projection of a model's patch tokens", kTokensUsage, RunTokens}; }

}  // namespace sightline::train
