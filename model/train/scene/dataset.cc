#include "model/train/scene/dataset.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "base/file.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "model/image/encode.h"
#include "model/train/scene/labels.h"
#include "model/train/scene/occluder.h"
#include "model/train/scene/render.h"
#include "model/train/scene/surface.h"
#include "model/train/scene/view.h"

namespace sightline::scene {
namespace {

// Raised whenever the same settings would give other pictures, so that folders of older versions are not taken for
// ours.
constexpr int kGeneratorVersion = 1;
constexpr double kMostHidden = 0.9;

absl::Status CheckRange(absl::string_view name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return base::InvalidArgument(
      "SETTING_OUT_OF_RANGE",
      absl::StrCat("--", name, " is ", value, "; it must be ", low, " to ", high, ". Give a value in that range."),
      {{"limit", absl::StrCat(high)}, {"actual", absl::StrCat(value)}});
}

absl::Status Check(const SceneSettings& settings) {
  if (settings.directory.empty()) {
    return base::InvalidArgument("SETTING_MISSING", "no folder to write to is given. Add --out DIR.");
  }
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("instances", settings.instances, 1, 10'000));
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("views", settings.views, 2, 100));
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("size", settings.side, 32, 2048));
  if (settings.occluders >= 0 && settings.occluders <= kMostHidden) return absl::OkStatus();
  return base::InvalidArgument("SETTING_OUT_OF_RANGE",
                               absl::StrCat("--occluders is ", settings.occluders, "; it must be 0 to ", kMostHidden,
                                            ". Give the share of the object to hide."),
                               {{"limit", absl::StrCat(kMostHidden)}, {"actual", absl::StrCat(settings.occluders)}});
}

std::string Describe(const SceneSettings& settings) {
  return absl::StrFormat(
      "{\"generator\": \"sightline-train scenes\", \"version\": %d, \"instances\": %d, \"views\": %d, \"size\": %d, "
      "\"seed\": %u%s}\n",
      kGeneratorVersion, settings.instances, settings.views, settings.side, settings.seed,
      settings.occluders > 0 ? absl::StrCat(", \"occluders\": ", settings.occluders) : "");
}

// True when the folder holds a complete run with these settings, false when it is empty or absent.
absl::StatusOr<bool> IsComplete(const SceneSettings& settings) {
  std::error_code ignored;
  if (!std::filesystem::exists(settings.directory, ignored)) return false;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> entries, base::ListFolder(settings.directory));
  if (entries.empty()) return false;
  const absl::StatusOr<std::string> found = base::ReadFile(settings.directory + "/scenes.json", 1 << 16);
  if (found.ok() && *found == Describe(settings)) return true;
  const absl::string_view problem =
      found.ok() ? "holds scenes of other settings" : "is not empty and holds no complete set of scenes";
  return base::FailedPrecondition(
      "FOLDER_IN_USE", absl::StrCat("folder ", settings.directory, " ", problem, ". Remove it or give another --out."));
}

// Sets of scenes can be made again, so pictures are not synced one by one; the last file is.
absl::Status WriteQuickly(const std::string& path, const std::string& content) {
  std::ofstream out(path, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (out) return absl::OkStatus();
  return base::Error(absl::StatusCode::kUnavailable, "FILE_NOT_WRITTEN",
                     absl::StrCat("file ", path, " could not be written. Check the disk's free space."));
}

Label LabelOf(int instance, int view, int views) {
  const Split split = view + 1 == views ? Split::kQuery : Split::kIndex;
  const char* folder = split == Split::kQuery ? "query" : "index";
  return {absl::StrFormat("%s/instance_%03d_view_%d.jpg", folder, instance, view), instance, view, split};
}

// `labels`: those of the instance's views, in order.
absl::Status WriteInstance(const SceneSettings& settings, int instance, absl::Span<Label> labels) {
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
    SIGHTLINE_RETURN_IF_ERROR(WriteQuickly(absl::StrCat(settings.directory, "/", label.path), jpeg));
  }
  return absl::OkStatus();
}

// The first failure of many tasks.
class FirstError {
 public:
  void Note(const absl::Status& status) {
    base::MutexLock lock(mutex_);
    if (status_.ok()) status_ = status;
  }
  absl::Status status() const {
    base::MutexLock lock(mutex_);
    return status_;
  }

 private:
  mutable base::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::vector<Label>> WriteInstances(const SceneSettings& settings) {
  const auto views = static_cast<size_t>(settings.views);
  std::vector<Label> labels(views * static_cast<size_t>(settings.instances));
  FirstError error;
  {
    const int threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    base::ThreadPool pool({.name = "scenes",
                           .threads = threads,
                           .max_queue = static_cast<size_t>(settings.instances),
                           .on_thread_start = {}});
    for (int instance = 0; instance < settings.instances; ++instance) {
      const auto own = absl::MakeSpan(labels).subspan(views * static_cast<size_t>(instance), views);
      const bool queued = pool.TrySubmit([&settings, &error, instance, own] {
        if (error.status().ok()) error.Note(WriteInstance(settings, instance, own));
      });
      if (!queued) error.Note(absl::InternalError("the queue of scenes is full. Report this."));
    }
  }
  SIGHTLINE_RETURN_IF_ERROR(error.status());
  return labels;
}

}  // namespace

absl::StatusOr<SceneOutcome> GenerateScenes(const SceneSettings& settings) {
  SIGHTLINE_RETURN_IF_ERROR(Check(settings));
  SIGHTLINE_ASSIGN_OR_RETURN(const bool complete, IsComplete(settings));
  if (complete) return SceneOutcome::kAlreadyThere;
  SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(settings.directory + "/index"));
  SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(settings.directory + "/query"));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Label> labels, WriteInstances(settings));
  SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(settings.directory + "/labels.csv", FormatLabels(labels)));
  SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(settings.directory + "/scenes.json", Describe(settings)));
  return SceneOutcome::kWritten;
}

}  // namespace sightline::scene
