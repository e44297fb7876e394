#include "model/train/data/dataset.h"

#include <utility>

#include "absl/status/status.h"
#include "base/status.h"
#include "model/train/data/layout.h"

namespace sightline::train {
namespace {

absl::Status ReadLayout(const DatasetConfig& config, DatasetBuilder& builder) {
  switch (config.layout) {
    case DatasetLayout::kFolders: return ReadFolders(config, builder);
    case DatasetLayout::kCsv: return ReadCsv(config, builder);
    case DatasetLayout::kGldv2: return ReadGldv2(config, builder);
    case DatasetLayout::kGldv1: return ReadGldv1(config, builder);
    case DatasetLayout::kSfm120k: return ReadSfm120k(config, builder);
    case DatasetLayout::kNcClean: return ReadNcClean(config, builder);
    case DatasetLayout::kCub: return ReadCub(config, builder);
    case DatasetLayout::kCars: return ReadCars(config, builder);
    case DatasetLayout::kSop: return ReadSop(config, builder);
    case DatasetLayout::kMsls: return ReadMsls(config, builder);
  }
  return absl::InternalError("unknown layout");
}

}  // namespace

absl::StatusOr<Dataset> ReadDataset(const DatasetConfig& config) {
  DatasetBuilder builder;
  SIGHTLINE_RETURN_IF_ERROR(ReadLayout(config, builder));
  return std::move(builder).Finish(config);
}

}  // namespace sightline::train
