// A folder of landmarks: instances of many kinds, photographed as the revisited Oxford and Paris sets are split:
// queries with boxes, pictures to index that are easy, hard or junk, look-alikes, and distractors.
//
//   DIR/index/instance_00007/view_03.jpg    pictures to index
//   DIR/index/distractor_00002/view_00.jpg  further ones, of instances that no query shows
//   DIR/query/instance_00007/view_11.jpg    the last view or, of eight and more, the last two
//   DIR/labels.csv                          path,instance,family,view,split,difficulty,x0,y0,x1,y1
//   DIR/ground_truth.csv                    query,image,relevance: easy, hard or junk; all others are negatives
//   DIR/landmarks.json                      the settings; written last, so that its presence means a complete folder
//
// Instances of a family look alike at a glance; the box holds what is seen of the instance, in pixels, and is 0,0,0,0
// where nothing is.
//
// Threading: one run into a folder at a time. Failure: INVALID_ARGUMENT for settings out of range, FAILED_PRECONDITION
// for a folder that holds something else. The files depend on the settings, threads apart, byte for byte on one
// machine.
//
//   auto outcome = MakeLandmarks({.directory = "landmarks", .instances = 100, .views = 12, .side = 224});
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_LANDMARKS_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_LANDMARKS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace sightline::scene::landmark {

struct LandmarkSettings {
  std::string directory;
  int instances = 100;  // 1 to 100,000
  int views = 12;       // 3 to 100, queries among them
  int side = 224;       // pixels, 64 to 2,048
  uint64_t seed = 1;
  int distractors = 0;  // pictures, 0 to 1,000,000
  double junk = 0.1;    // share of an instance's pictures to index, 0 to 0.5; 0 for sets to train on
  int threads = 0;      // 0 to 256; 0: one per processor
};

struct LandmarkOutcome {
  bool already_there = false;
  int64_t pictures = 0;
  int64_t queries = 0;
};

absl::StatusOr<LandmarkOutcome> MakeLandmarks(const LandmarkSettings& settings);

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_LANDMARKS_H_
