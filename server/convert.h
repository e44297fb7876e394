// Between the API's messages and the types of the rooms behind it.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT for what a message cannot mean.
#ifndef SIGHTLINE_SERVER_CONVERT_H_
#define SIGHTLINE_SERVER_CONVERT_H_

#include <google/protobuf/map.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "index/collection.h"
#include "index/database.h"
#include "model/image/geometry.h"
#include "model/model.h"
#include "server/limits.h"
#include "server/model_hub.h"
#include "server/request.h"
#include "sightline/v1/collection.pb.h"
#include "sightline/v1/embedding.pb.h"
#include "sightline/v1/image_record.pb.h"
#include "sightline/v1/index_service.pb.h"
#include "sightline/v1/model.pb.h"
#include "sightline/v1/server_service.pb.h"

namespace sightline::server {

using AttributeMap = google::protobuf::Map<std::string, v1::AttributeValue>;

absl::StatusOr<index::Attributes> FromProto(const AttributeMap& attributes);
void ToProto(const index::Attributes& attributes, AttributeMap* out);
void ToProto(const index::AttributeValue& value, v1::AttributeValue* out);

// Whether sizes, numbers and sums are right is for ValidateRecord.
absl::StatusOr<index::PatchTokens> FromProto(const v1::PatchTokens& tokens);
void ToProto(const index::PatchTokens& tokens, const std::string& token_space, v1::PatchTokens* out);
index::PatchTokens FromModel(model::PatchTokens tokens);

image::CropBox FromProto(const v1::CropBox& box);
index::RecordCrop FromCrop(const image::CropBox& box);

absl::StatusOr<index::CollectionConfig> FromProto(const v1::CollectionSettings& settings);
void ToProto(const index::Collection& collection, v1::Collection* out);

// What the view asks for, as far as the record has it.
void ToProto(const index::Record& record, const index::CollectionConfig& config, v1::ImageRecord* out);

void ToProto(const index::SnapshotInfo& info, v1::Snapshot* out);
void ToProto(const index::OtherSpace& other, v1::OtherSpace* out);
void ToProto(const index::rerank::TransportOptions& options, v1::RerankOptions* out);
void ToProto(const index::FittedConfidence& confidence, v1::ConfidenceModel* out);

void ToProto(const model::RerankDefaults& rerank, v1::RerankOptions* out);
void ToProto(const ServedModel& model, v1::Model* out);
void ToProto(const ModelHub::Known& known, v1::Model* out);
void ToProto(const model::ModelInfo& info, v1::ModelUse* out);
void ToProto(const Limits& limits, v1::Limits* out);
void ToProto(absl::Time time, google::protobuf::Timestamp* out);

// The stages of a request, with "total" last, appended to `out`.
void StagesToProto(const Request& request, google::protobuf::RepeatedPtrField<v1::StageTime>* out);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_CONVERT_H_
