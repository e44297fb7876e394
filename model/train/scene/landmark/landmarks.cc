#include "model/train/scene/landmark/landmarks.h"

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
#include "model/train/scene/landmark/develop.h"
#include "model/train/scene/landmark/plan.h"
#include "model/train/scene/landmark/shot.h"
#include "model/train/scene/landmark/stock.h"
#include "model/train/scene/landmark/tracer.h"

namespace sightline::scene::landmark {
namespace {

// Raised whenever the same settings would give other pictures, so that folders of older versions are not taken for
// ours.
constexpr int kLandmarkVersion = 2;
constexpr double kMostJunk = 0.5;

absl::Status InRange(absl::string_view name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return base::InvalidArgument(
      "SETTING_OUT_OF_RANGE",
      absl::StrCat("--", name, " is ", value, "; it must be ", low, " to ", high, ". Give a value in that range."),
      {{"limit", absl::StrCat(high)}, {"actual", absl::StrCat(value)}});
}

absl::Status CheckSettings(const LandmarkSettings& settings) {
  if (settings.directory.empty()) {
    return base::InvalidArgument("SETTING_MISSING", "no folder to write to is given. Add --out DIR.");
  }
  SIGHTLINE_RETURN_IF_ERROR(InRange("instances", settings.instances, 1, 100'000));
  SIGHTLINE_RETURN_IF_ERROR(InRange("views", settings.views, 3, 100));
  SIGHTLINE_RETURN_IF_ERROR(InRange("size", settings.side, 64, 2048));
  SIGHTLINE_RETURN_IF_ERROR(InRange("distractors", settings.distractors, 0, 1'000'000));
  SIGHTLINE_RETURN_IF_ERROR(InRange("threads", settings.threads, 0, 256));
  if (settings.junk >= 0 && settings.junk <= kMostJunk) return absl::OkStatus();
  return base::InvalidArgument("SETTING_OUT_OF_RANGE",
                               absl::StrCat("--junk is ", settings.junk, "; it must be 0 to ", kMostJunk,
                                            ". Give the share of pictures to index that are junk."),
                               {{"limit", absl::StrCat(kMostJunk)}, {"actual", absl::StrCat(settings.junk)}});
}

std::string DescribeSettings(const LandmarkSettings& settings) {
  return absl::StrFormat(
      "{\"generator\": \"sightline-train landmarks\", \"version\": %d, \"instances\": %d, \"views\": %d, \"size\": %d, "
      "\"seed\": %u, \"distractors\": %d, \"junk\": %g}\n",
      kLandmarkVersion, settings.instances, settings.views, settings.side, settings.seed, settings.distractors,
      settings.junk);
}

// True when the folder holds a complete run with these settings, false when it is empty or absent.
absl::StatusOr<bool> HoldsThese(const LandmarkSettings& settings) {
  std::error_code ignored;
  if (!std::filesystem::exists(settings.directory, ignored)) return false;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> entries, base::ListFolder(settings.directory));
  if (entries.empty()) return false;
  const absl::StatusOr<std::string> found = base::ReadFile(settings.directory + "/landmarks.json", 1 << 16);
  if (found.ok() && *found == DescribeSettings(settings)) return true;
  const absl::string_view problem =
      found.ok() ? "holds landmarks of other settings" : "is not empty and holds no complete set of landmarks";
  return base::FailedPrecondition(
      "FOLDER_IN_USE", absl::StrCat("folder ", settings.directory, " ", problem, ". Remove it or give another --out."));
}

// Sets can be made again, so pictures are not synced one by one; the last file is.
absl::Status WritePicture(const std::string& path, const std::string& content) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  std::ofstream out(path, std::ios::binary);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
  out.close();
  if (out) return absl::OkStatus();
  return base::Error(absl::StatusCode::kUnavailable, "FILE_NOT_WRITTEN",
                     absl::StrCat("file ", path, " could not be written. Check the disk's free space."));
}

PixelBox BoxOf(const Picture& picture) {
  PixelBox box{picture.side, picture.side, 0, 0};
  for (int y = 0; y < picture.side; ++y) {
    for (int x = 0; x < picture.side; ++x) {
      if (picture.owner[static_cast<size_t>(y) * picture.side + x] != kInstance) continue;
      box = {std::min(box.x0, x), std::min(box.y0, y), std::max(box.x1, x + 1), std::max(box.y1, y + 1)};
    }
  }
  return box.x1 > 0 ? box : PixelBox();
}

Difficulty DifficultyOf(Role role) {
  switch (role) {
    case Role::kHard: return Difficulty::kHard;
    case Role::kJunk: return Difficulty::kJunk;
    case Role::kEasy:
    case Role::kQuery:
    case Role::kDistractor: return Difficulty::kEasy;
  }
  return Difficulty::kEasy;
}

// Textures as fine as the pictures need, so that an object that fills one is sharp.
int TexturePixels(int side) { return std::clamp(side * 7 / 4, 96, 1536); }

absl::Status WriteFamily(const LandmarkSettings& settings, const Stock& stock, FamilyPlan* family) {
  const uint64_t family_seed = Random::For(settings.seed, {11, static_cast<uint64_t>(family->family)}).Next();
  std::vector<Model> models;
  for (const InstancePlan& instance : family->instances) {
    const uint64_t own = Random::For(settings.seed, {12, static_cast<uint64_t>(instance.instance)}).Next();
    models.push_back(MakeModel(family->kind, TexturePixels(settings.side), family_seed, own));
  }
  for (size_t i = 0; i < models.size(); ++i) {
    std::vector<const Model*> siblings;
    for (size_t k = 0; k < models.size(); ++k) {
      if (k != i) siblings.push_back(&models[k]);
    }
    InstancePlan& instance = family->instances[i];
    for (PicturePlan& picture : instance.pictures) {
      Random random = Random::For(settings.seed,
                                  {13, static_cast<uint64_t>(instance.instance), static_cast<uint64_t>(picture.view)});
      const Shot shot = MakeShot(models[i], siblings, stock, DifficultyOf(picture.role), &random);
      Picture light = Trace(shot.stage, settings.side);
      picture.box = BoxOf(light);
      const image::Image photograph = Develop(std::move(light), shot.exposure, &random);
      SIGHTLINE_ASSIGN_OR_RETURN(const std::string jpeg, image::EncodeJpeg(photograph, shot.exposure.jpeg_quality));
      SIGHTLINE_RETURN_IF_ERROR(WritePicture(absl::StrCat(settings.directory, "/", picture.path), jpeg));
    }
  }
  return absl::OkStatus();
}

// The first failure of many tasks.
class FirstFailure {
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

absl::Status WriteFamilies(const LandmarkSettings& settings, std::vector<FamilyPlan>* plan) {
  const Stock stock = MakeStock(settings.seed);
  FirstFailure failure;
  {
    const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    base::ThreadPool pool({.name = "landmarks",
                           .threads = settings.threads > 0 ? settings.threads : processors,
                           .max_queue = plan->size(),
                           .on_thread_start = {}});
    for (FamilyPlan& family : *plan) {
      const bool queued = pool.TrySubmit([&settings, &stock, &failure, &family] {
        if (failure.status().ok()) failure.Note(WriteFamily(settings, stock, &family));
      });
      if (!queued) failure.Note(absl::InternalError("the queue of landmarks is full. Report this."));
    }
  }
  return failure.status();
}

}  // namespace

absl::StatusOr<LandmarkOutcome> MakeLandmarks(const LandmarkSettings& settings) {
  SIGHTLINE_RETURN_IF_ERROR(CheckSettings(settings));
  std::vector<FamilyPlan> plan = MakePlan(settings);
  LandmarkOutcome outcome;
  for (const FamilyPlan& family : plan) {
    for (const InstancePlan& instance : family.instances) {
      outcome.pictures += static_cast<int64_t>(instance.pictures.size());
      outcome.queries += std::count_if(instance.pictures.begin(), instance.pictures.end(),
                                       [](const PicturePlan& picture) { return picture.role == Role::kQuery; });
    }
  }
  SIGHTLINE_ASSIGN_OR_RETURN(outcome.already_there, HoldsThese(settings));
  if (outcome.already_there) return outcome;
  SIGHTLINE_RETURN_IF_ERROR(base::CreateFolders(settings.directory));
  SIGHTLINE_RETURN_IF_ERROR(WriteFamilies(settings, &plan));
  const auto write = [&settings](absl::string_view name, const std::string& content) {
    return base::WriteFileDurably(absl::StrCat(settings.directory, "/", name), content);
  };
  SIGHTLINE_RETURN_IF_ERROR(write("labels.csv", FormatLandmarkLabels(plan)));
  SIGHTLINE_RETURN_IF_ERROR(write("ground_truth.csv", FormatGroundTruth(plan)));
  SIGHTLINE_RETURN_IF_ERROR(write("landmarks.json", DescribeSettings(settings)));
  return outcome;
}

}  // namespace sightline::scene::landmark
