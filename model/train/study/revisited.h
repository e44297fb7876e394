// The revisited protocol of landmark retrieval (Radenovic et al. 2018; METHODS 6.2): every image of the database is
// easy, hard or junk for a query, or wrong.
//
//   split    right          left out of the ranking
//   Easy     easy           hard, junk
//   Medium   easy, hard     junk
//   Hard     hard           easy, junk
//
// The value of a query is base::TrapezoidalPrecision over what is left; one without a right image has none.
//
// Threading: pure functions. Failure: none.
//
//   const RevisitedScores scores = ScoreRevisited(similarities, verdicts);
#ifndef SIGHTLINE_MODEL_TRAIN_STUDY_REVISITED_H_
#define SIGHTLINE_MODEL_TRAIN_STUDY_REVISITED_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/types/span.h"

namespace sightline::train {

enum class Relevance : uint8_t { kWrong, kEasy, kHard, kJunk };

enum class RevisitedSplit { kEasy, kMedium, kHard };

struct SplitScore {
  double map = 0;  // mean over `queries`; 0 without any
  int64_t queries = 0;
};

struct RevisitedScores {
  SplitScore easy;
  SplitScore medium;
  SplitScore hard;
};

// `ranking` is the database as a query ranks it, best first.
std::optional<double> RevisitedPrecision(absl::Span<const Relevance> ranking, RevisitedSplit split);

// `similarities` (Q, D), row-major, Q = verdicts.size() and D that of each of them; `verdicts` per query and image.
// Images of equal similarity keep the order of the database.
RevisitedScores ScoreRevisited(absl::Span<const float> similarities,
                               const std::vector<std::vector<Relevance>>& verdicts);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_STUDY_REVISITED_H_
