// Where labelled photographs are, and in which layout: the members "data" and "validation" of a training configuration.
//
// Threading: values and pure functions. Failure: INVALID_ARGUMENT that names the member.
#ifndef SIGHTLINE_MODEL_TRAIN_DATA_DATASET_CONFIG_H_
#define SIGHTLINE_MODEL_TRAIN_DATA_DATASET_CONFIG_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "model/config/fields.h"

namespace sightline::train {

enum class DatasetLayout {
  kFolders,  // root/CLASS/*.jpg: a folder per instance
  kCsv,      // a file with the columns path and label; csv_list.cc has further ones
  kGldv2,    // train.csv or train_clean.csv of Google Landmarks v2, images in root/a/b/c/abc....jpg
  kGldv1,    // the list of GLDv1's downloads: id,url,landmark_id
  kSfm120k,  // the list of SfM-120k: cid and cluster, images in root/xx/xx/xx/CID
  kNcClean,  // the list of NC-clean (Gordo et al.)
  kCub,      // CUB-200-2011: images.txt, image_class_labels.txt, bounding_boxes.txt
  kCars,     // Cars196: a list of path and class
  kSop,      // Stanford Online Products: Ebay_train.txt, Ebay_test.txt
  kMsls,     // Mapillary Street Level Sequences: cities with postprocessed.csv and raw.csv
};

struct DatasetConfig {
  DatasetLayout layout = DatasetLayout::kFolders;
  std::string root = "";
  std::string list = "";   // a file below root or beside it, where it is not called as the layout has it
  std::string split = "";  // kCsv: rows of this split; kCub, kCars, kSop, kMsls: "train" or "test", "val"; empty: all
  int min_per_class = 1;   // classes with fewer photographs are left out
  int64_t max_photos = 0;  // 0: all; otherwise classes are dropped, in an order the seed of 1 decides
  double positive_metres = 10;  // kMsls
  double negative_metres = 25;

  static absl::StatusOr<DatasetConfig> Parse(model::Fields& fields);
  nlohmann::json ToJson() const;
};

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_DATA_DATASET_CONFIG_H_
