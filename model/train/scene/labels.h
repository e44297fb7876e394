// labels.csv: which file of a folder of scenes shows which instance, and on which side of the test it stands.
//
// Threading: pure functions. Ownership: values. Failure: Status that names the file and the line.
//
//   auto labels = ReadLabels("scenes");
//   for (const Label& label : *labels) Use("scenes/" + label.path);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LABELS_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LABELS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace sightline::scene {

enum class Split { kIndex, kQuery };

struct Label {
  std::string path;  // relative to the folder
  int instance = 0;
  int view = 0;
  Split split = Split::kIndex;
  // The share of the object's pixels that something stands in front of; known where occluders were asked for.
  std::optional<double> hidden = std::nullopt;
};

// With a header line: path,instance,view,split, and hidden where every label knows it.
std::string FormatLabels(const std::vector<Label>& labels);

// Reads DIRECTORY/labels.csv. Paths that lead out of the folder are refused.
absl::StatusOr<std::vector<Label>> ReadLabels(const std::string& directory);

}  // namespace sightline::scene

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LABELS_H_
