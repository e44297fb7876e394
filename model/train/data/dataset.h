// Dataset: labelled photographs to train on or to validate with, whatever layout they are published in.
//
// Threading: pure functions and values. Failure: Status that names the file and the line. Nothing is decoded here; a
// photograph that cannot be read is the loader's to report.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const Dataset dataset, ReadDataset(config));
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_DATASET_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_DATASET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/image/geometry.h"
#include "model/train/data/dataset_config.h"

namespace sightline::train {

struct Position {
  double latitude = 0;  // degrees
  double longitude = 0;
};

struct Photo {
  std::string path = "";  // that opens from the working folder
  int64_t label = 0;      // 0 to classes - 1
  // What of it shows the instance, where the data says so.
  std::optional<image::CropBox> box = std::nullopt;
  std::optional<Position> position = std::nullopt;  // MSLS
  bool query = false;                               // of a validation set: a query; otherwise in the database
  double weight = 1;                                // how often it is drawn, against the others
};

struct Dataset {
  std::vector<Photo> photos;
  std::vector<std::string> classes;  // by label
};

// In an order that the files alone decide.
absl::StatusOr<Dataset> ReadDataset(const DatasetConfig& config);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_DATASET_H_
