// Score: what a ranking is worth by a benchmark.
//
// Of a ranking, first what a split ignores is taken out, then the right images' ranks are counted. Where a shortlist
// was re-ranked pair by pair, the ignored images leave before it is cut: the first `shortlist` of what is left are
// ordered by the re-ranked score, and the others stand below them in their order before.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_EVALUATE_SCORE_H_
#define SIGHTLINE_CLIENT_CLI_EVALUATE_SCORE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/evaluate/benchmark.h"

namespace sightline::cli {

struct RankedImage {
  std::string id = {};  // of the server, or as a rankings file has it
  int32_t image = -1;   // index into Benchmark::images; -1 for one that is right for nobody
  double score = 0;     // the cosine
  std::optional<double> confidence = std::nullopt;
  int32_t rank_before = 0;  // before re-ranking, from 1; 0 where not known
  std::optional<double> rerank_score = std::nullopt;
};

// How many results of one query have which score, by hundredths: its confidence where every result has one, else the
// cosine.
struct ScoreCounts {
  struct Bin {
    int64_t right = 0;
    int64_t wrong = 0;
  };
  std::map<int, Bin> bins = {};  // by the score in hundredths, rounded down
  bool by_confidence = false;
  bool best_right = false;  // the result of the highest score; the first of equal ones
};

// Best first.
using Ranking = std::vector<RankedImage>;

// A result to look at.
struct Example {
  std::string id = {};
  int64_t rank = 0;  // from 1, in the ranking without ignored images
};

// One query in one split.
struct QueryScore {
  bool counted = false;  // it is part of the split and has right images
  int64_t positives = 0;
  int64_t found = 0;
  std::vector<double> values = {};  // by Benchmark::measures
};

struct QueryOutcome {
  std::vector<QueryScore> splits = {};
  // Of the main split, also where the query does not count there: how sure the results were.
  ScoreCounts scores = {};
  // Of the main split: the first wrong results, and the first right ones.
  std::vector<Example> wrong = {};
  std::vector<Example> right = {};
};

struct SplitScore {
  int64_t queries = 0;   // counted
  int64_t excluded = 0;  // of the split's queries: without right images
  int64_t positives = 0;
  int64_t not_found = 0;  // right images that no ranking holds
  std::vector<double> means = {};
};

// `shortlist` above 0: the ranking was re-ranked pair by pair, see above; every entry has its rank before.
QueryOutcome ScoreQuery(const Benchmark& benchmark, const BenchQuery& query, const Ranking& ranking,
                        int64_t shortlist = 0);

// In the order of Benchmark::splits. `outcomes` are in that of the queries.
std::vector<SplitScore> Mean(const Benchmark& benchmark, const std::vector<QueryOutcome>& outcomes);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVALUATE_SCORE_H_
