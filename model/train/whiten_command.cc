#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "model/config/model_config.h"
#include "model/model.h"
#include "model/train/command.h"
#include "model/train/derived_model.h"
#include "model/train/descriptor_source.h"
#include "model/train/flags.h"
#include "model/train/whitening.h"
#include "model/weights/model_folder.h"

namespace sightline::train {
namespace {

constexpr char kWhitenUsage[] =
    R"(usage: sightline-train whiten MODEL_DIR --out DIR (--images FOLDER | --export FILE) [--dim D] [--method pca]

Fits a whitening to the descriptors of a model and writes a model directory that ends with it: descriptors of D values
whose directions count alike. It is another embedding space. Stored descriptors of the old one are not comparable to it.

  --out DIR         the model directory to make
  --images FOLDER   embed every image below this folder
  --export FILE     descriptors of a collection, written by `sightline export`; the model must be the collection's
  --dim D           size of a descriptor, at most the model's; without it the model's
  --method pca      directions of largest variance, scaled to variance 1; needs more images than D
  --method learned  directions that tell pairs of images of one thing from others; needs groups
  --group_by NAME   with --export: images with the same value of this attribute show the same thing; with --images
                    those of one folder do
  --threads N       threads for embedding; without it all cores
  --force           replace a model that is in DIR
)";

struct WhitenSettings {
  std::string directory, out, images, exported, method, group_by;
  int64_t dim = 0;  // 0: the model's
  int threads = 0;
  bool force = false;
};

absl::Status WrongSetting(absl::string_view reason, absl::string_view text) {
  return base::InvalidArgument(reason, text);
}

absl::StatusOr<WhitenSettings> ReadSettings(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Flags flags, Flags::Parse(arguments, {{"out", "DIR"},
                                                                         {"images", "FOLDER"},
                                                                         {"export", "FILE"},
                                                                         {"dim", "D"},
                                                                         {"method", "pca|learned"},
                                                                         {"group_by", "NAME"},
                                                                         {"threads", "N"},
                                                                         {"force", ""}}));
  if (flags.positional().size() != 1) {
    return WrongSetting("ARGUMENT_MISSING",
                        absl::StrCat(flags.positional().size(),
                                     " model directories are given; one is needed. Write `sightline-train whiten "
                                     "MODEL_DIR --out DIR --images FOLDER`."));
  }
  WhitenSettings settings{.directory = flags.positional()[0],
                          .out = flags.Text("out", ""),
                          .images = flags.Text("images", ""),
                          .exported = flags.Text("export", ""),
                          .method = flags.Text("method", "pca"),
                          .group_by = flags.Text("group_by", "")};
  SIGHTLINE_ASSIGN_OR_RETURN(settings.dim, flags.Integer("dim", 0));
  SIGHTLINE_ASSIGN_OR_RETURN(settings.threads, flags.Threads());
  settings.force = flags.Has("force");
  if (settings.out.empty()) return WrongSetting("SETTING_MISSING", "--out is not given. Name the folder to write.");
  if (settings.images.empty() == settings.exported.empty()) {
    return WrongSetting("SETTING_MISSING",
                        "one of --images and --export is needed, and only one. Give a folder of "
                        "images or a file written by `sightline export`.");
  }
  if (settings.method != "pca" && settings.method != "learned") {
    return WrongSetting("SETTING_INVALID", absl::StrCat("--method is ", settings.method, ". Give pca or learned."));
  }
  return settings;
}

// model.json with the whitening in it.
absl::StatusOr<nlohmann::ordered_json> WhitenedJson(const std::string& text, const WhitenSettings& settings,
                                                    const std::string& provenance, int64_t dim) {
  SIGHTLINE_ASSIGN_OR_RETURN(const model::ModelConfig config, model::ParseModelConfig(text));
  if (config.whitening.has_value()) {
    return base::FailedPrecondition("WHITENED_ALREADY",
                                    absl::StrCat("model ", config.name, " in ", settings.directory,
                                                 " ends with a whitening. Fit one to the model it was made from."));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(nlohmann::ordered_json root, DerivedJson(text, settings.out, provenance));
  root["whitening"] = {{"dim", dim}};
  return root;
}

absl::Status RunWhiten(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(const WhitenSettings settings, ReadSettings(arguments));
  SIGHTLINE_RETURN_IF_ERROR(model::ModelFolder::CheckFree(settings.out, settings.force));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadModelJson(settings.directory));
  SIGHTLINE_RETURN_IF_ERROR(WhitenedJson(text, settings, "", 1).status());
  SIGHTLINE_ASSIGN_OR_RETURN(const auto model,
                             model::Model::Load(settings.directory, {.intra_op_threads = settings.threads}));

  SIGHTLINE_ASSIGN_OR_RETURN(const DescriptorSource source,
                             settings.images.empty() ? ReadExport(model->info(), settings.exported, settings.group_by)
                                                     : EmbedFolder(*model, settings.images));
  const int64_t dim = settings.dim == 0 ? model->info().descriptor_dim : settings.dim;
  const bool learned = settings.method == "learned";
  const std::vector<Pair> pairs = learned ? GroupPairs(source.groups) : std::vector<Pair>();
  SIGHTLINE_ASSIGN_OR_RETURN(const WhiteningFit fit, learned ? FitLearnedWhitening(source.descriptors, pairs, dim)
                                                             : FitPcaWhitening(source.descriptors, dim));
  const std::string on = learned ? absl::StrCat(pairs.size(), " pairs of ", source.descriptors.count, " images")
                                 : absl::StrCat(source.descriptors.count, " images");
  SIGHTLINE_ASSIGN_OR_RETURN(
      const nlohmann::ordered_json config,
      WhitenedJson(text, settings,
                   absl::StrCat("Whitening to ", dim, " dimensions (", settings.method, ") fitted to ", on, "."), dim));
  SIGHTLINE_ASSIGN_OR_RETURN(
      const model::ModelInfo whitened,
      WriteDerivedModel({.from = settings.directory, .out = settings.out, .replace = settings.force}, config,
                        {ViewOf("whitening.mean", fit.mean, {fit.in}),
                         ViewOf("whitening.projection", fit.projection, {fit.out, fit.in})}));

  if (source.skipped > 0) absl::PrintF("%d files are no images and were skipped\n", source.skipped);
  absl::PrintF("wrote %s: %d dimensions instead of %d, %.1f %% of the variance, fitted to %s\nembedding space %s\n",
               settings.out, whitened.descriptor_dim, model->info().descriptor_dim, 100 * fit.kept_variance, on,
               whitened.embedding_space);
  return absl::OkStatus();
}

}  // namespace

Command WhitenCommand() { return {"whiten", "fit a whitening to a model's descriptors", kWhitenUsage, RunWhiten}; }

}  // namespace sightline::train
