// Rankings of a database for labelled queries, by cosine and re-ranked by transport, and how good they are.
//
// Average precision is the plain one over the whole ranking (METHODS.md 6.4 without its quirk): the mean over a query's
// matches of the share of matches among the results down to each.
//
// Threading: ranks on several threads; call it from one. Ownership: looks at the pictures during the call only.
// Failure: Status of RerankShortlist.
//
//   const Rankings base = RankByCosine(queries, database);
//   SIGHTLINE_ASSIGN_OR_RETURN(const Rankings better, RerankBest(queries, database, base, options));
//   Print(Judge(queries, database, better).mean_average_precision());
#ifndef SIGHTLINE_TESTS_BENCH_RANKING_H_
#define SIGHTLINE_TESTS_BENCH_RANKING_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/rerank/transport_options.h"
#include "tests/bench/labelled_pictures.h"

namespace sightline::bench {

struct Ranked {
  int item = 0;  // of the database
  double cosine = 0;
};

// One ranking of the whole database per query, best first; equal ones in the order of the database.
using Rankings = std::vector<std::vector<Ranked>>;

Rankings RankByCosine(const std::vector<Picture>& queries, const std::vector<Picture>& database);

// The best `shortlist` of each ranking ordered anew by cosine + S_struct; the rest stays behind them.
absl::StatusOr<Rankings> RerankBest(const std::vector<Picture>& queries, const std::vector<Picture>& database,
                                    const Rankings& rankings, size_t shortlist,
                                    const index::rerank::TransportOptions& options);

struct RankingQuality {
  std::vector<double> average_precision;  // by query
  double recall_at_1 = 0;

  double mean_average_precision() const;
};

RankingQuality Judge(const std::vector<Picture>& queries, const std::vector<Picture>& database,
                     const Rankings& rankings);

// `relevant`: whether each result is a match, best first; all matches are among them. 0 without any.
double AveragePrecision(const std::vector<bool>& relevant);

// The standard error of the mean of a - b over the queries: how much of a difference is chance of the choice of them.
double StandardErrorOfDifference(absl::Span<const double> a, absl::Span<const double> b);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_RANKING_H_
