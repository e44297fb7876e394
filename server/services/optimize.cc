#include "server/services/optimize.h"

#include "base/status.h"
#include "server/convert.h"
#include "server/services/field_checks.h"

namespace sightline::server {

absl::StatusOr<index::OptimizeOptions> ReadOptimizeOptions(const v1::OptimizeCollectionRequest& message) {
  index::OptimizeOptions options;
  SIGHTLINE_RETURN_IF_ERROR(CheckRange("augment_neighbours", message.augment_neighbours(), 0, kMaxAugmentNeighbours));
  options.augment_neighbours = message.augment_neighbours();
  if (message.has_augment_alpha()) {
    SIGHTLINE_RETURN_IF_ERROR(CheckAlpha("augment_alpha", message.augment_alpha()));
    options.augment_alpha = message.augment_alpha();
  }
  return options;
}

Operations::MakeWork MakeOptimize(index::Database& database) {
  return [&database](const std::string& name, const google::protobuf::Any& request) -> Operations::Work {
    return [&database, name, request](const index::Progress& progress) -> absl::StatusOr<google::protobuf::Any> {
      v1::OptimizeCollectionRequest message;
      if (!request.UnpackTo(&message)) {
        return base::Error(absl::StatusCode::kInternal, "REQUEST_LOST",
                           "the request of the operation cannot be read any more. Start it again.");
      }
      SIGHTLINE_ASSIGN_OR_RETURN(const index::OptimizeOptions options, ReadOptimizeOptions(message));
      SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, database.Find(name));
      SIGHTLINE_RETURN_IF_ERROR(collection->Optimize(options, progress));
      v1::Collection result;
      ToProto(*collection, &result);
      return Packed(result);
    };
  };
}

}  // namespace sightline::server
