#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status.h"
#include "model/calibration/calibration.h"
#include "model/model.h"
#include "model/train/command.h"
#include "model/train/descriptor_source.h"
#include "model/train/flags.h"

namespace sightline::train {
namespace {

constexpr char kCalibrateUsage[] =
    R"(usage: sightline-train calibrate MODEL_DIR --images FOLDER [--count 64] [--threads N] [--allow_untrained]

Finds the scales with which the convolutions of a model compute in int8, writes them to MODEL_DIR/calibration.json, and
compares the descriptors of the same images in int8 and fp32. Linear layers need no calibration, so a plain ViT works in
int8 without.

  --images FOLDER     images like those the model will see; those below it count too
  --count N           how many of them, evenly spread, 1 to 100000
  --threads N         threads for embedding; without it all cores
  --allow_untrained   calibrate a model that has no weights, for trials

The file belongs to these weights: calibrate again after any change of them. Descriptors stay comparable: int8 is the same
embedding space.
)";

struct CalibrateSettings {
  std::string directory, images;
  int64_t count = 64;
  int threads = 0;
  bool allow_untrained = false;
};

absl::StatusOr<CalibrateSettings> ReadCalibrateSettings(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(
      const Flags flags,
      Flags::Parse(arguments, {{"images", "FOLDER"}, {"count", "N"}, {"threads", "N"}, {"allow_untrained", ""}}));
  if (flags.positional().size() != 1) {
    return base::InvalidArgument("ARGUMENT_MISSING",
                                 absl::StrCat(flags.positional().size(),
                                              " model directories are given; one is needed. Write `sightline-train "
                                              "calibrate MODEL_DIR --images FOLDER`."));
  }
  CalibrateSettings settings{.directory = flags.positional()[0],
                             .images = flags.Text("images", ""),
                             .allow_untrained = flags.Has("allow_untrained")};
  if (settings.images.empty()) {
    return base::InvalidArgument("SETTING_MISSING", "--images is not given. Name a folder of images.");
  }
  SIGHTLINE_ASSIGN_OR_RETURN(settings.count, flags.IntegerWithin("count", settings.count, 1, 100'000));
  SIGHTLINE_ASSIGN_OR_RETURN(settings.threads, flags.Threads());
  return settings;
}

struct Agreement {
  double mean = 0;
  double least = 1;
};

// Cosines of the rows of two lists of unit vectors.
Agreement Compare(const std::vector<float>& a, const std::vector<float>& b, int64_t dim) {
  Agreement agreement;
  const int64_t rows = static_cast<int64_t>(a.size()) / dim;
  for (int64_t row = 0; row < rows; ++row) {
    double cosine = 0;
    for (int64_t i = row * dim; i < (row + 1) * dim; ++i) {
      cosine += static_cast<double>(a[static_cast<size_t>(i)]) * b[static_cast<size_t>(i)];
    }
    agreement.mean += cosine / static_cast<double>(rows);
    agreement.least = std::min(agreement.least, cosine);
  }
  return agreement;
}

absl::Status RunCalibrate(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(const CalibrateSettings settings, ReadCalibrateSettings(arguments));
  model::LoadOptions options{
      .allow_untrained = settings.allow_untrained, .intra_op_threads = settings.threads, .observe = true};
  SIGHTLINE_ASSIGN_OR_RETURN(auto model, model::Model::Load(settings.directory, options));
  SIGHTLINE_ASSIGN_OR_RETURN(const DescriptorSource plain, EmbedFolder(*model, settings.images, settings.count));
  if (plain.skipped > 0) absl::PrintF("%d files are no images and were skipped\n", plain.skipped);
  if (plain.descriptors.count == 0) {
    return base::InvalidArgument(
        "NO_IMAGES", absl::StrCat("folder ", settings.images, " holds no image. Name a folder of JPEG, PNG or WebP."));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const model::Calibration calibration, model->MeasuredCalibration());
  const std::string path = absl::StrCat(settings.directory, "/", model::kCalibrationFile);
  SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(path, model::CalibrationText(calibration)));
  absl::PrintF("wrote %s: %d convolutions, from %d images\n", path, calibration.inputs.size(), calibration.images);

  // One model at a time: the largest take gigabytes.
  model.reset();
  options.observe = false;
  options.numeric = model::Numeric::kInt8;
  SIGHTLINE_ASSIGN_OR_RETURN(model, model::Model::Load(settings.directory, options));
  if (model->info().numeric != "int8/cpu") {
    absl::PrintF("this machine cannot compute in int8, so descriptors were not compared\n");
    return absl::OkStatus();
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const DescriptorSource int8, EmbedFolder(*model, settings.images, settings.count));
  const Agreement agreement = Compare(plain.embedded, int8.embedded, plain.descriptors.dim);
  absl::PrintF("descriptors in int8: cosine to fp32 %.5f on average, %.5f at least\n", agreement.mean, agreement.least);
  return absl::OkStatus();
}

}  // namespace

Command CalibrateCommand() {
  return {"calibrate", "find the scales with which a model computes in int8", kCalibrateUsage, RunCalibrate};
}

}  // namespace sightline::train
