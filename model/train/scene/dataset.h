// A folder of scenes: every instance photographed in several views, the last of them held out as a query.
//
//   DIR/index/instance_007_view_2.jpg   views 0 to views - 2
//   DIR/query/instance_007_view_5.jpg   the last view
//   DIR/labels.csv                      path,instance,view,split; with occluders also hidden, the share of the object's
//                                       pixels that something stands in front of
//   DIR/scenes.json                     the settings; written last, so that its presence means a complete folder
//
// Threading: GenerateScenes uses one thread per processor. Two runs into one folder at a time are the caller's fault.
// Failure: INVALID_ARGUMENT for settings out of range, FAILED_PRECONDITION for a folder that holds something else.
// The files depend on the settings alone, byte for byte on one machine.
//
//   auto outcome = GenerateScenes({.directory = "scenes", .instances = 48, .views = 6, .side = 320, .seed = 1});
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_DATASET_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_DATASET_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace sightline::scene {

struct SceneSettings {
  std::string directory;
  int instances = 48;  // 1 to 10,000
  int views = 6;       // 2 to 100
  int side = 320;      // pixels, 32 to 2,048
  uint64_t seed = 1;
  // The share of the object's pixels that is hidden in queries, 0 to 0.9: other objects stand in front of it. 0 leaves
  // the few small shapes that any view may have, and the files as they are without this setting. Pictures to index are
  // the same for every share.
  double occluders = 0;
};

enum class SceneOutcome { kWritten, kAlreadyThere };

absl::StatusOr<SceneOutcome> GenerateScenes(const SceneSettings& settings);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_DATASET_H_
