// Rankings of a database for queries, by any score and re-ranked by transport, and how good they are.
//
// Threading: ranks on several threads; call it from one. Ownership: looks at what it is given during the call only.
// Failure: Status of RerankShortlist.
//
//   const Rankings base = RankByCosine(queries, database);
//   SIGHTLINE_ASSIGN_OR_RETURN(const Rankings better, RerankBest(queries, database, base, 100, options));
//   Print(Judge(SameObjects(queries, database), better, Precision::kPlain).mean_average_precision());
#ifndef SIGHTLINE_TESTS_BENCH_RANKING_H_
#define SIGHTLINE_TESTS_BENCH_RANKING_H_

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/rerank/transport_options.h"
#include "tests/bench/labelled_pictures.h"

namespace sightline::bench {

struct Ranked {
  int item = 0;  // of the database
  double score = 0;
};

// One ranking per query, best first; equal ones in the order of the database.
using Rankings = std::vector<std::vector<Ranked>>;

// Of the whole database, by score(query, item); it is called on several threads.
Rankings RankBy(size_t queries, size_t database, const std::function<double(size_t query, size_t item)>& score);

Rankings RankByCosine(const std::vector<Picture>& queries, const std::vector<Picture>& database);

// The best `shortlist` of each ranking, whose scores are cosines, ordered anew by cosine + S_struct (METHODS.md 3.5);
// the rest stays behind them.
absl::StatusOr<Rankings> RerankBest(const std::vector<Picture>& queries, const std::vector<Picture>& database,
                                    const Rankings& rankings, size_t shortlist,
                                    const index::rerank::TransportOptions& options);

// What a ranking is judged by: items of the database, by query.
struct Relevance {
  std::vector<std::vector<int>> positives;
  // Neither right nor wrong: taken out of a ranking before it is judged or re-ranked (METHODS.md 6.2). Empty, or one
  // list per query.
  std::vector<std::vector<int>> ignored = {};
};

// The items that show the object of the query. For files and for pictures.
template <typename Labelled>
Relevance SameObjects(const std::vector<Labelled>& queries, const std::vector<Labelled>& database) {
  Relevance relevance{.positives = std::vector<std::vector<int>>(queries.size())};
  for (size_t q = 0; q < queries.size(); ++q) {
    for (size_t i = 0; i < database.size(); ++i) {
      if (database[i].object == queries[q].object) relevance.positives[q].push_back(static_cast<int>(i));
    }
  }
  return relevance;
}

Rankings WithoutIgnored(Rankings rankings, const Relevance& relevance);

enum class Precision {
  kPlain,      // METHODS.md 6.4 without its quirk
  kTrapezoid,  // METHODS.md 6.2
};

struct RankingQuality {
  std::vector<double> average_precision;  // by query; those without a positive are left out
  double recall_at_1 = 0;                 // the share of these queries whose first result is right

  double mean_average_precision() const;
};

// Of rankings without what is to be ignored. At least one query must have a positive.
RankingQuality Judge(const Relevance& relevance, const Rankings& rankings, Precision precision);

// The standard error of the mean of a - b over the queries: how much of a difference is chance of the choice of them.
double StandardErrorOfDifference(absl::Span<const double> a, absl::Span<const double> b);

}  // namespace sightline::bench

#endif  // SIGHTLINE_TESTS_BENCH_RANKING_H_
