// Fitting the confidence of a collection, as an operation; and what it says of a result.
//
// Threading: pure functions; the work runs on an operation's thread. Failure: INVALID_ARGUMENT with field, limit and
// actual value.
#ifndef SIGHTLINE_SERVER_SERVICES_CONFIDENCE_H_
#define SIGHTLINE_SERVER_SERVICES_CONFIDENCE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "index/database.h"
#include "index/rerank/transport_options.h"
#include "server/limits.h"
#include "server/model_hub.h"
#include "server/operations.h"
#include "sightline/v1/collection_service.pb.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::server {

inline constexpr char kFitConfidenceKind[] = "fit-confidence";

// Refuses what cannot go well from the start.
absl::Status CheckFitConfidence(const v1::FitConfidenceRequest& message, const Limits& limits);

// The work of a request that was checked. Database and models must outlive it.
Operations::Work FitConfidenceWork(const index::Database& database, const ModelHub& models, const std::string& name,
                                   v1::FitConfidenceRequest message);

// How the patches of a collection are compared where `options` leave it open: as its model says.
index::rerank::TransportOptions TransportOf(const index::CollectionConfig& config, const v1::RerankOptions& options,
                                            const ModelHub& models);

// The confidence of one result: of both scores where its patches were compared as when the confidence was fitted, else
// of the cosine alone.
double ConfidenceOf(const index::FittedConfidence& confidence, double score, std::optional<double> structural,
                    const index::rerank::TransportOptions& transport);

// The confidence of the match that the evidence is about.
void SetConfidence(const index::FittedConfidence& confidence, const index::rerank::TransportOptions& transport,
                   v1::Evidence* evidence);

absl::Status ConfidenceNotFitted(const std::string& collection);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_CONFIDENCE_H_
