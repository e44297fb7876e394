#include "model/train/scene/landmark/plan.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/train/scene/random.h"

namespace sightline::scene::landmark {
namespace {

// The kinds go round; those of which shops and museums hold more come up more often.
constexpr ModelKind kRound[] = {ModelKind::kBox,    ModelKind::kPainting, ModelKind::kFacade,   ModelKind::kFruit,
                                ModelKind::kBottle, ModelKind::kPoster,   ModelKind::kBuilding, ModelKind::kSign,
                                ModelKind::kBox,    ModelKind::kPainting, ModelKind::kFacade,   ModelKind::kFruit,
                                ModelKind::kCan,    ModelKind::kRelief};
constexpr int64_t kRoundLength = 14;
// From this many views on there are two queries.
constexpr int kViewsForTwoQueries = 8;

InstancePlan PlanInstance(const LandmarkSettings& settings, int64_t number) {
  InstancePlan out;
  out.instance = number;
  const int queries = settings.views >= kViewsForTwoQueries ? 2 : 1;
  const int indexed = settings.views - queries;
  const int junk = static_cast<int>(std::lround(settings.junk * indexed));
  // One more easy view than hard ones where they cannot be halved.
  const int hard = (indexed - junk) / 2;
  for (int view = 0; view < settings.views; ++view) {
    PicturePlan picture;
    picture.view = view;
    picture.role = view >= indexed                 ? Role::kQuery
                   : view >= indexed - junk        ? Role::kJunk
                   : view >= indexed - junk - hard ? Role::kHard
                                                   : Role::kEasy;
    picture.path = absl::StrFormat("%s/instance_%05d/view_%02d.jpg", view >= indexed ? "query" : "index", number, view);
    out.pictures.push_back(std::move(picture));
  }
  return out;
}

absl::string_view RoleName(Role role) {
  switch (role) {
    case Role::kEasy: return "easy";
    case Role::kHard: return "hard";
    case Role::kJunk: return "junk";
    case Role::kQuery: return "query";
    case Role::kDistractor: return "distractor";
  }
  return "";
}

}  // namespace

std::vector<FamilyPlan> MakePlan(const LandmarkSettings& settings) {
  std::vector<FamilyPlan> plan;
  int64_t made = 0;
  const auto add_family = [&] {
    FamilyPlan family;
    family.family = static_cast<int64_t>(plan.size());
    family.kind = kRound[family.family % kRoundLength];
    plan.push_back(std::move(family));
    return Random::For(settings.seed, {10, static_cast<uint64_t>(plan.back().family)});
  };
  while (made < settings.instances) {
    Random random = add_family();
    const int64_t members = std::min<int64_t>(1 + random.Below(3), settings.instances - made);
    for (int64_t i = 0; i < members; ++i) plan.back().instances.push_back(PlanInstance(settings, made++));
  }
  // Every other distractor looks like an instance, as long as there are families to join.
  const auto families = static_cast<int64_t>(plan.size());
  for (int64_t i = 0; i < settings.distractors; ++i) {
    const bool joins = i % 2 == 0 && i / 2 < families;
    if (!joins) add_family();
    InstancePlan own;
    own.instance = settings.instances + i;
    PicturePlan picture;
    picture.role = Role::kDistractor;
    picture.path = absl::StrFormat("index/distractor_%05d/view_00.jpg", i);
    own.pictures.push_back(std::move(picture));
    (joins ? plan[static_cast<size_t>(i / 2)] : plan.back()).instances.push_back(std::move(own));
  }
  return plan;
}

std::string FormatLandmarkLabels(const std::vector<FamilyPlan>& plan) {
  std::string out = "path,instance,family,view,split,difficulty,x0,y0,x1,y1\n";
  for (const FamilyPlan& family : plan) {
    for (const InstancePlan& instance : family.instances) {
      for (const PicturePlan& picture : instance.pictures) {
        absl::StrAppend(&out, picture.path, ",", instance.instance, ",", family.family, ",", picture.view, ",",
                        picture.role == Role::kQuery ? "query" : "index", ",", RoleName(picture.role), ",");
        absl::StrAppend(&out, picture.box.x0, ",", picture.box.y0, ",", picture.box.x1, ",", picture.box.y1, "\n");
      }
    }
  }
  return out;
}

std::string FormatGroundTruth(const std::vector<FamilyPlan>& plan) {
  std::string out = "query,image,relevance\n";
  for (const FamilyPlan& family : plan) {
    for (const InstancePlan& instance : family.instances) {
      for (const PicturePlan& query : instance.pictures) {
        if (query.role != Role::kQuery) continue;
        for (const PicturePlan& image : instance.pictures) {
          if (image.role == Role::kQuery) continue;
          absl::StrAppend(&out, query.path, ",", image.path, ",", RoleName(image.role), "\n");
        }
      }
    }
  }
  return out;
}

}  // namespace sightline::scene::landmark
