#include "absl/strings/str_format.h"
#include "base/status.h"
#include "model/train/command.h"
#include "model/train/flags.h"
#include "model/train/scene/pixel_baseline.h"

namespace sightline::train {
namespace {

constexpr char kBaselineUsage[] =
    R"(usage: sightline-train pixel-baseline DIR [--json]

Ranks the index pictures of a folder made by `sightline-train scenes` for every held-out one by 16x16 pixels alone: what
a model has to beat.

  --json    one JSON object: bench, case, value, unit, queries, first
)";

absl::Status RunBaseline(const std::vector<std::string>& arguments) {
  SIGHTLINE_ASSIGN_OR_RETURN(const Flags flags, Flags::Parse(arguments, {{"json", ""}}));
  if (flags.positional().size() != 1) {
    return base::InvalidArgument("ARGUMENT_MISSING",
                                 absl::StrFormat("%d folders are given; one is needed. Write `sightline-train "
                                                 "pixel-baseline DIR`.",
                                                 flags.positional().size()));
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const scene::BaselineResult result, scene::PixelBaseline(flags.positional()[0]));
  if (flags.Has("json")) {
    absl::PrintF(
        "{\"bench\": \"pixel-baseline\", \"case\": \"held-out views whose own instance ranks first, 16x16 pixels\", "
        "\"value\": %.4f, \"unit\": \"fraction\", \"queries\": %d, \"first\": %d}\n",
        result.fraction(), result.queries, result.first);
  } else {
    absl::PrintF("held-out views whose own instance ranks first, 16x16 pixels: %.2f (%d of %d)\n", result.fraction(),
                 result.first, result.queries);
  }
  return absl::OkStatus();
}

}  // namespace

Command PixelBaselineCommand() {
  return {"pixel-baseline", "rank held-out pictures by 16x16 pixels alone", kBaselineUsage, RunBaseline};
}

}  // namespace sightline::train
