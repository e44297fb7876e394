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
    default: break;
  }
  return absl::UnimplementedError("layout");
}

}  // namespace

absl::StatusOr<Dataset> ReadDataset(const DatasetConfig& config) {
  DatasetBuilder builder;
  SIGHTLINE_RETURN_IF_ERROR(ReadLayout(config, builder));
  return std::move(builder).Finish(config);
}

}  // namespace sightline::train
