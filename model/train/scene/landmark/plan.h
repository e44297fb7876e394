// Plan: which pictures a set of landmarks has: families, instances, the views of each and what is asked of them.
//
// Threading: pure functions. Ownership: values. Failure: none.
//
//   for (const FamilyPlan& family : MakePlan(settings)) Write(family);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_PLAN_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "model/train/scene/landmark/landmarks.h"
#include "model/train/scene/landmark/model.h"
#include "model/train/scene/landmark/shot.h"

namespace sightline::scene::landmark {

// Columns "split" and "difficulty" of labels.csv.
enum class Role { kEasy, kHard, kJunk, kQuery, kDistractor };

// Where in a picture the instance is seen, in pixels; x1 and y1 are behind it. Empty if it is not.
struct PixelBox {
  int x0 = 0;
  int y0 = 0;
  int x1 = 0;
  int y1 = 0;
};

struct PicturePlan {
  std::string path;  // relative to the folder
  int view = 0;
  Role role = Role::kEasy;
  PixelBox box;  // known once it is rendered
};

struct InstancePlan {
  int64_t instance = 0;  // distractors are numbered behind the instances
  std::vector<PicturePlan> pictures;
};

struct FamilyPlan {
  int64_t family = 0;
  ModelKind kind = ModelKind::kBox;
  std::vector<InstancePlan> instances;
};

std::vector<FamilyPlan> MakePlan(const LandmarkSettings& settings);

std::string FormatLandmarkLabels(const std::vector<FamilyPlan>& plan);
std::string FormatGroundTruth(const std::vector<FamilyPlan>& plan);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_PLAN_H_
