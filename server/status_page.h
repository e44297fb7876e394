// What an operator reads: the page /statusz and the gauges of collections and operations in /metrics.
//
// Threading: any thread. Failure: none.
#ifndef SIGHTLINE_SERVER_STATUS_PAGE_H_
#define SIGHTLINE_SERVER_STATUS_PAGE_H_

#include <string>
#include <vector>

#include "index/database.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/model_hub.h"
#include "server/operations.h"
#include "server/services/service_context.h"

namespace sightline::server {

// Plain text: what the server is, where its time goes, what it holds and what it works on.
std::string StatusPage(const ServerFacts& facts, bool serving, const Metrics& metrics, const index::Database& database,
                       const ModelHub& models, const Operations& operations, const Limits& limits);

// The gauges of collections, models, memory and operations.
void AddSamples(const index::Database& database, const ModelHub& models, const Operations& operations,
                const Limits& limits, std::vector<Metrics::Sample>* samples);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_STATUS_PAGE_H_
