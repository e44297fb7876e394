// Confidence: the probability that two images show the same object, from their scores, by a logistic model fitted on
// labelled pairs: 1 / (1 + exp(-(a * score + b * structural + c))).
//
// Fitted by Newton's method on the log loss with a small ridge (so that separable pairs have an answer) and Platt's
// targets (J. Platt, "Probabilistic outputs for support vector machines", 1999); judged on pairs left out of the fit.
// a and b are at least 0: more likeness never means less confidence.
//
// Threading: pure functions. Failure: INVALID_ARGUMENT for too few pairs of a kind or scores that are not finite.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const ConfidenceFit fit, FitConfidence(pairs));
//   const double p = fit.model.Confidence(0.83, 0.71);
#ifndef SIGHTLINE_INDEX_RERANK_CONFIDENCE_H_
#define SIGHTLINE_INDEX_RERANK_CONFIDENCE_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace sightline::index::rerank {

inline constexpr int kLeastConfidencePairs = 20;  // of each kind

struct ConfidenceModel {
  double a = 0, b = 0, c = 0;
  // Without a structural score (no tokens, or not re-ranked) there is another model of the cosine alone.
  double score_only_a = 0, score_only_c = 0;

  double Confidence(double score, std::optional<double> structural) const;
  // The least cosine that has this confidence without a structural score; -2 or 2 where every one has it, or none.
  double LeastScore(double confidence) const;
  friend bool operator==(const ConfidenceModel&, const ConfidenceModel&) = default;
};

struct LabelledPair {
  double score = 0;
  std::optional<double> structural;
  bool same = false;
};

struct ConfidenceFit {
  ConfidenceModel model;
  int64_t pairs = 0;
  double log_loss = 0;        // mean, of pairs left out (five folds)
  double expected_error = 0;  // calibration error in ten bins, the same pairs
  double accuracy = 0;        // at 0.5, the same pairs
};

absl::StatusOr<ConfidenceFit> FitConfidence(absl::Span<const LabelledPair> pairs);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_CONFIDENCE_H_
