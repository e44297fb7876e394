// What an operator reads: the page /statusz and the gauges of collections and operations in /metrics.
//
// Threading: any thread. Failure: none.
#ifndef SIGHTLINE_SERVER_STATUS_PAGE_H_
#define SIGHTLINE_SERVER_STATUS_PAGE_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "index/database.h"
#include "server/collection_series.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/model_hub.h"
#include "server/observe/call_log.h"
#include "server/operations.h"
#include "server/services/service_context.h"

namespace sightline::server {

// What the page shows beside what the parts of the server know themselves.
struct StatusExtras {
  std::vector<std::pair<std::string, std::string>> settings = {};  // those that are not the default
  std::vector<std::pair<std::string, size_t>> queues = {};         // how much waits in each
  int64_t decode_memory = 0;                                       // taken by images, in bytes
  std::string card = {};                                           // CardText
  std::vector<Incident> slow = {};                                 // newest first, as the failures
  std::vector<Incident> failures = {};
};

// Plain text of at most 100 columns: what the server is, where its time goes, what it holds and what it works on.
std::string StatusPage(const ServerFacts& facts, bool serving, const Metrics& metrics, const index::Database& database,
                       const ModelHub& models, const Operations& operations, const Limits& limits,
                       const StatusExtras& extras = {});

// The gauges of collections, models, memory and operations. `series` says which collections have gauges of their own,
// and learns which ones there are; those of the others are added up.
void AddSamples(const index::Database& database, const ModelHub& models, const Operations& operations,
                const Limits& limits, CollectionSeries* series, std::vector<Metrics::Sample>* samples);

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_STATUS_PAGE_H_
