#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "model/train/command.h"
#include "model/train/flags.h"
#include "model/train/scene/dataset.h"

namespace sightline::train {
namespace {

constexpr char kScenesUsage[] =
    R"(usage: sightline-train scenes --out DIR [--instances 48] [--views 6] [--size 320] [--seed 1] [--occluders SHARE]

Makes pictures of textured objects, each seen from several viewpoints in changing light, over clutter and partly hidden.

  --out DIR        the folder to write; it must be empty or absent, or hold a complete earlier run of the same settings
  --instances N    objects, 1 to 10000
  --views N        pictures of each, 2 to 100; the last one is held out as a query
  --size PIXELS    side of a picture, 32 to 2048
  --seed N         other seeds give other objects; the same seed gives the same files
  --occluders SHARE
                   hide this share of the object in every query, 0 to 0.9, behind parts of other objects; what is
                   hidden of each picture's object is then a column of labels.csv. Pictures to index stay as they are

writes DIR/index/instance_007_view_2.jpg ..., DIR/query/instance_007_view_5.jpg ..., DIR/labels.csv
)";

absl::Status RunScenes(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Flags flags, Flags::Parse(arguments, {{"out", "DIR"},
                                                                         {"instances", "N"},
                                                                         {"views", "N"},
                                                                         {"size", "PIXELS"},
                                                                         {"seed", "N"},
                                                                         {"occluders", "SHARE"}}));
  if (!flags.positional().empty()) {
    return base::InvalidArgument(
        "ARGUMENT_UNEXPECTED",
        absl::StrCat("argument \"", flags.positional()[0], "\" is not expected. Name the folder with --out DIR."));
  }
  scene::SceneSettings settings;
  settings.directory = flags.Text("out", "");
  SIGHTLINE_ASSIGN_OR_RETURN(settings.instances, flags.Int("instances", settings.instances));
  SIGHTLINE_ASSIGN_OR_RETURN(settings.views, flags.Int("views", settings.views));
  SIGHTLINE_ASSIGN_OR_RETURN(settings.side, flags.Int("size", settings.side));
  SIGHTLINE_ASSIGN_OR_RETURN(const int64_t seed, flags.Integer("seed", 1));
  settings.seed = static_cast<uint64_t>(seed);
  SIGHTLINE_ASSIGN_OR_RETURN(settings.occluders, flags.Number("occluders", settings.occluders));
  const auto start = std::chrono::steady_clock::now();
  SIGHTLINE_ASSIGN_OR_RETURN(const scene::SceneOutcome outcome, scene::GenerateScenes(settings));
  const int pictures = settings.instances * settings.views;
  if (outcome == scene::SceneOutcome::kAlreadyThere) {
    absl::PrintF("%s already holds these %d pictures; nothing to do\n", settings.directory, pictures);
    return absl::OkStatus();
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  absl::PrintF("wrote %d pictures of %d instances to %s in %.1f s (%d to index, %d held out)\n", pictures,
               settings.instances, settings.directory, seconds.count(), pictures - settings.instances,
               settings.instances);
  return absl::OkStatus();
}

}  // namespace

Command ScenesCommand() {
  return {"scenes", "make pictures of textured objects in several views", kScenesUsage, RunScenes};
}

}  // namespace sightline::train
