#include "model/train/scene/landmark/landmarks.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/for_each.h"
#include "base/status.h"
#include "model/image/encode.h"
#include "model/train/scene/landmark/develop.h"
#include "model/train/scene/landmark/plan.h"
#include "model/train/scene/landmark/shot.h"
#include "model/train/scene/landmark/stock.h"
#include "model/train/scene/landmark/tracer.h"
#include "model/train/scene/set_folder.h"

namespace sightline::scene::landmark {
namespace {

// Raised whenever the same settings would give other pictures, so that folders of older versions are not taken for
// ours.
constexpr int kLandmarkVersion = 2;
constexpr double kMostJunk = 0.5;

absl::Status CheckSettings(const LandmarkSettings& settings) {
  SIGHTLINE_RETURN_IF_ERROR(CheckOutIsGiven(settings.directory));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("instances", settings.instances, 1, 100'000));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("views", settings.views, 3, 100));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("size", settings.side, 64, 2048));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("distractors", settings.distractors, 0, 1'000'000));
  SIGHTLINE_RETURN_IF_ERROR(CheckSetting("threads", settings.threads, 0, 256));
  return CheckShare("junk", settings.junk, kMostJunk, "Give the share of pictures to index that are junk.");
}

std::string DescribeSettings(const LandmarkSettings& settings) {
  return absl::StrFormat(
      "{\"generator\": \"sightline-train landmarks\", \"version\": %d, \"instances\": %d, \"views\": %d, \"size\": %d, "
      "\"seed\": %u, \"distractors\": %d, \"junk\": %g}\n",
      kLandmarkVersion, settings.instances, settings.views, settings.side, settings.seed, settings.distractors,
      settings.junk);
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

absl::Status WriteFamily(const LandmarkSettings& settings, const SetFolder& folder, const Stock& stock,
                         FamilyPlan* family) {
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
      SIGHTLINE_RETURN_IF_ERROR(folder.WritePicture(picture.path, jpeg));
    }
  }
  return absl::OkStatus();
}

absl::Status WriteFamilies(const LandmarkSettings& settings, const SetFolder& folder, std::vector<FamilyPlan>* plan) {
  const Stock stock = MakeStock(settings.seed);
  const size_t threads = settings.threads > 0 ? static_cast<size_t>(settings.threads) : base::Processors();
  return base::ForEach(plan->size(), threads,
                       [&](size_t family, size_t) { return WriteFamily(settings, folder, stock, &(*plan)[family]); });
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
  const SetFolder folder{.path = settings.directory,
                         .file = "landmarks.json",
                         .settings = DescribeSettings(settings),
                         .what = "landmarks"};
  SIGHTLINE_ASSIGN_OR_RETURN(outcome.already_there, folder.Begin());
  if (outcome.already_there) return outcome;
  SIGHTLINE_RETURN_IF_ERROR(WriteFamilies(settings, folder, &plan));
  SIGHTLINE_RETURN_IF_ERROR(
      folder.Finish({{"labels.csv", FormatLandmarkLabels(plan)}, {"ground_truth.csv", FormatGroundTruth(plan)}}));
  return outcome;
}

}  // namespace sightline::scene::landmark
