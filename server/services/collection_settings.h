// What UpdateCollection asks for: the settings that its mask names.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT that names the path or the setting.
#ifndef SIGHTLINE_SERVER_SERVICES_COLLECTION_SETTINGS_H_
#define SIGHTLINE_SERVER_SERVICES_COLLECTION_SETTINGS_H_

#include "absl/status/statusor.h"
#include "index/collection.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {

// A path is a setting's name, or "settings." before it. "*" stands for every setting that can be changed; the others
// must then be unset or as the collection has them, so that what was read can be sent back changed.
absl::StatusOr<index::SettingsChange> ReadSettingsChange(const v1::UpdateCollectionRequest& message,
                                                         const index::CollectionConfig& config);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_COLLECTION_SETTINGS_H_
