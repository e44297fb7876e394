// SearchRun: all queries of a benchmark, searched one way and measured.
//
// The whole ranking is asked for, page by page, as far as the API gives one (10,000 results); right images beyond count
// as not found, and an image that two pages have counts where it came first. Where a shortlist is re-ranked pair by
// pair, it is asked for so much longer as the query has ignored images, so that these do not use it up; see score.h.
// Only the first page is re-ranked: what stands below keeps its order.
//
// Threading: RunSearches uses threads of its own and returns when all have ended. Ownership: borrows what it is given.
// Failure: the first error of a search, with the query's name; CANCELLED when interrupted.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_SEARCH_RUN_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_SEARCH_RUN_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cli/command.h"
#include "client/cli/evaluate/benchmark.h"
#include "client/cli/evaluate/score.h"
#include "client/cpp/client.h"

namespace sightline::cli {

struct SearchPlan {
  std::string name;           // "plain"
  v1::SearchRequest request;  // without the query
  // Where the server re-ranks pair by pair, so many: the request's shortlist, or the API's default. 0 where it does
  // not.
  int64_t shortlist = 0;
  int64_t depth = 0;  // results wanted of a query beside ignored ones; 0 for as many as there are
};

struct SearchRunOptions {
  int in_flight = 4;
  int64_t max_image_bytes = 0;
  int64_t images = 0;  // in the collection
  bool keep_lines = false;
};

struct SearchRunResult {
  std::vector<QueryOutcome> outcomes;          // by query
  std::map<std::string, double> milliseconds;  // by stage: the mean over the first pages
  v1::SearchStats stats;                       // of some query
  int64_t degraded = 0;                        // queries with an answer that is less than what was asked for
  std::string degraded_reason;                 // one of them
  int64_t unknown = 0;                         // results that are no image of the benchmark and no distractor
  int64_t clipped = 0;                         // queries whose shortlist could not be made long enough
  std::vector<std::string> lines;              // of a rankings file, by query
};

// The most results that the API gives for a query, and the most that it re-ranks.
constexpr int64_t kMostResults = 10'000;
constexpr int64_t kMostShortlist = 1000;

// `pictures` are the queries' files.
absl::StatusOr<SearchRunResult> RunSearches(Context& context, client::Client& client, const Benchmark& benchmark,
                                            const std::vector<std::string>& pictures, const SearchPlan& plan,
                                            const SearchRunOptions& options);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_SEARCH_RUN_H_
