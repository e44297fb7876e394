#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "model/train/command.h"
#include "model/train/flags.h"
#include "model/train/scene/landmark/landmarks.h"

namespace sightline::train {
namespace {

constexpr char kLandmarksUsage[] =
    R"(usage: sightline-train landmarks --out DIR [--instances 100] [--views 12] [--size 224] [--seed 1] [--distractors 0]

Makes photographs of things that were never built: packages, bottles, fruit, paintings, posters, signs, house fronts,
buildings, reliefs; each from several viewpoints, in changing light and weather, among others that look like it, partly
hidden, with what phone cameras do to pictures. Queries, easy, hard and junk pictures are split as in the revisited
Oxford and Paris sets.

  --out DIR        the folder to write; it must be empty or absent, or hold a complete earlier run of the same settings
  --instances N    1 to 100000
  --views N        pictures of each, 3 to 100; the last one is a query, of eight and more the last two are
  --size PIXELS    side of a picture, 64 to 2048
  --seed N         other seeds give other instances; the same seed gives the same files
  --distractors N  further pictures to index of instances that no query shows, half of them look-alikes, 0 to 1000000
  --junk SHARE     share of an instance's pictures to index in which it can hardly be seen, 0 to 0.5 [0.1]; give 0 for
                   pictures to train on
  --threads N      0 to 256 [0: one per processor]; the files are the same for every number

writes DIR/index/instance_00007/view_03.jpg ..., DIR/query/instance_00007/view_11.jpg ..., DIR/labels.csv,
DIR/ground_truth.csv, DIR/landmarks.json
)";

absl::Status RunLandmarks(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Flags flags, Flags::Parse(arguments, {{"out", "DIR"},
                                                                         {"instances", "N"},
                                                                         {"views", "N"},
                                                                         {"size", "PIXELS"},
                                                                         {"seed", "N"},
                                                                         {"distractors", "N"},
                                                                         {"junk", "SHARE"},
                                                                         {"threads", "N"}}));
  if (!flags.positional().empty()) {
    return base::InvalidArgument(
        "ARGUMENT_UNEXPECTED",
        absl::StrCat("argument \"", flags.positional()[0], "\" is not expected. Name the folder with --out DIR."));
  }
  scene::landmark::LandmarkSettings settings;
  settings.directory = flags.Text("out", "");
  SIGHTLINE_ASSIGN_OR_RETURN(settings.instances, flags.Int("instances", settings.instances));
  SIGHTLINE_ASSIGN_OR_RETURN(settings.views, flags.Int("views", settings.views));
  SIGHTLINE_ASSIGN_OR_RETURN(settings.side, flags.Int("size", settings.side));
  SIGHTLINE_ASSIGN_OR_RETURN(const int64_t seed, flags.Integer("seed", 1));
  settings.seed = static_cast<uint64_t>(seed);
  SIGHTLINE_ASSIGN_OR_RETURN(settings.distractors, flags.Int("distractors", settings.distractors));
  SIGHTLINE_ASSIGN_OR_RETURN(settings.junk, flags.Number("junk", settings.junk));
  SIGHTLINE_ASSIGN_OR_RETURN(settings.threads, flags.Int("threads", settings.threads));
  const auto start = std::chrono::steady_clock::now();
  SIGHTLINE_ASSIGN_OR_RETURN(const scene::landmark::LandmarkOutcome outcome, scene::landmark::MakeLandmarks(settings));
  if (outcome.already_there) {
    absl::PrintF("%s already holds these %d pictures; nothing to do\n", settings.directory, outcome.pictures);
    return absl::OkStatus();
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  absl::PrintF("wrote %d pictures of %d instances to %s in %.1f s (%.1f a second; %d to index, %d queries)\n",
               outcome.pictures, settings.instances, settings.directory, seconds.count(),
               static_cast<double>(outcome.pictures) / seconds.count(), outcome.pictures - outcome.queries,
               outcome.queries);
  return absl::OkStatus();
}

}  // namespace

Command LandmarksCommand() {
  return {"landmarks", "make photographs of made-up things, split into queries, easy, hard and junk", kLandmarksUsage,
          RunLandmarks};
}

}  // namespace sightline::train
