#include "model/train/scene/dataset.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "base/for_each.h"
#include "base/status.h"
#include "model/image/encode.h"
#include "model/train/scene/labels.h"
#include "model/train/scene/occluder.h"
#include "model/train/scene/render.h"
#include "model/train/scene/set_folder.h"
#include "model/train/scene/surface.h"
#include "model/train/scene/view.h"

namespace sightline::scene {
namespace {

// Raised whenever the same settings would give other pictures, so that folders of older versions are not taken for
// ours.
constexpr int kGeneratorVersion = 1;
constexpr double kMostHidden = 0.9;

absl::Status Check(const SceneSettings& settings) {
  SIGHTLINE_RETURN_IF_ERROR(CheckOutIsGiven(settings.directory));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("instances", settings.instances, 1, 10'000));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("views", settings.views, 2, 100));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("size", settings.side, 32, 2048));
  return CheckShare("occluders", settings.occluders, kMostHidden, "Give the share of the object to hide.");
}

std::string Describe(const SceneSettings& settings) {
  return absl::StrFormat(
      "{\"generator\": \"sightline-train scenes\", \"version\": %d, \"instances\": %d, \"views\": %d, \"size\": %d, "
      "\"seed\": %u%s}\n",
      kGeneratorVersion, settings.instances, settings.views, settings.side, settings.seed,
      settings.occluders > 0 ? absl::StrCat(", \"occluders\": ", settings.occluders) : "");
}

Label LabelOf(int instance, int view, int views) {
  const Split split = view + 1 == views ? Split::kQuery : Split::kIndex;
  const char* folder = split == Split::kQuery ? "query" : "index";
  return {absl::StrFormat("%s/instance_%03d_view_%d.jpg", folder, instance, view), instance, view, split};
}

// `labels`: those of the instance's views, in order.
absl::Status WriteInstance(const SceneSettings& settings, const SetFolder& folder, int instance,
                           absl::Span<Label> labels) {
  const Surface surface = MakeSurface(settings.seed, instance);
  for (int view_number = 0; view_number < settings.views; ++view_number) {
    Random random =
        Random::For(settings.seed, {2, static_cast<uint64_t>(instance), static_cast<uint64_t>(view_number)});
    const View view = MakeView(surface.aspect, &random);
    Label& label = labels[static_cast<size_t>(view_number)];
    label = LabelOf(instance, view_number, settings.views);
    std::vector<Occluder> occluders;
    if (settings.occluders > 0) {
      const std::vector<float> object = ObjectCover(surface, view, settings.side);
      if (label.split == Split::kQuery) {
        // A stream of their own: the rest of the picture is as it would be without them.
        Random placing = Random::For(settings.seed, {3, static_cast<uint64_t>(instance)});
        occluders = MakeOccluders(object, view, settings.side, settings.occluders, &placing);
      }
      label.hidden = HiddenShare(object, view, settings.side, occluders);
    }
    const image::Image picture = Render(surface, view, settings.side, &random, occluders);
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string jpeg, image::EncodeJpeg(picture, view.jpeg_quality));
    SIGHTLINE_RETURN_IF_ERROR(folder.WritePicture(label.path, jpeg));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Label>> WriteInstances(const SceneSettings& settings, const SetFolder& folder) {
  const auto views = static_cast<size_t>(settings.views);
  const auto instances = static_cast<size_t>(settings.instances);
  std::vector<Label> labels(views * instances);
  SIGHTLINE_RETURN_IF_ERROR(base::ForEach(instances, base::Processors(), [&](size_t instance, size_t) {
    return WriteInstance(settings, folder, static_cast<int>(instance),
                         absl::MakeSpan(labels).subspan(views * instance, views));
  }));
  return labels;
}

}  // namespace

absl::StatusOr<SceneOutcome> GenerateScenes(const SceneSettings& settings) {
  SIGHTLINE_RETURN_IF_ERROR(Check(settings));
  const SetFolder folder{
      .path = settings.directory, .file = "scenes.json", .settings = Describe(settings), .what = "scenes"};
  SIGHTLINE_ASSIGN_OR_RETURN(const bool complete, folder.Begin());
  if (complete) return SceneOutcome::kAlreadyThere;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Label> labels, WriteInstances(settings, folder));
  SIGHTLINE_RETURN_IF_ERROR(folder.Finish({{"labels.csv", FormatLabels(labels)}}));
  return SceneOutcome::kWritten;
}

}  // namespace sightline::scene
