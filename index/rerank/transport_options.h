// How two images' patches are matched: the choices of METHODS.md section 3, and ours.
//
// Threading: values and a pure function. Failure: ValidateTransport answers INVALID_ARGUMENT.
#ifndef SIGHTLINE_INDEX_RERANK_TRANSPORT_OPTIONS_H_
#define SIGHTLINE_INDEX_RERANK_TRANSPORT_OPTIONS_H_

#include "absl/status/status.h"
#include "index/rerank/marginal_modes.h"

namespace sightline::index::rerank {

// When the rounds end.
enum class StopRule {
  // When both marginals are met to `tolerance` in total variation (sinkhorn.h says which exactly), pair by pair: a
  // pair's score does not depend on the pairs beside it. The default.
  kMarginalError,
  // The reference code's: mean |r - r of the round before| < 0.1 over all rows of all candidates of the call together
  // (METHODS.md 3.3). For parity alone: a score depends on what else is in the shortlist.
  kReference,
  // After max_rounds.
  kFixed,
};

struct TransportOptions {
  double epsilon = 0.05;  // entropic regularisation, 0.001 to 10
  double mass =
      1;  // transported, above 0 to 1; below kFullMass the worst-matching rest goes to a dummy (METHODS.md 3.4)
  Marginals marginals = Marginals::kCrossCorrelation;
  double temperature = 1;  // of kInverse and kSoftmax, 0.001 to 1,000
  StopRule stop = StopRule::kMarginalError;
  int max_rounds = 100;     // 1 to 10,000
  double tolerance = 1e-3;  // of kMarginalError, above 0 to 1
  // Only so many of the query's patches, those of the greatest weight, against so many of each result's; 0 takes all.
  int query_cells = 0;
  int result_cells = 0;

  friend bool operator==(const TransportOptions&, const TransportOptions&) = default;
};

// Transport of less mass than this is partial; of this or more it is full, as in the reference code.
inline constexpr double kFullMass = 0.999;

// Float32 cannot tell whether a finer tolerance is met.
inline constexpr double kFinestTolerance = 1e-5;

// Whether the rounds need double precision, whatever the images.
inline bool NeedsDouble(const TransportOptions& options) {
  return options.stop == StopRule::kMarginalError && options.tolerance < kFinestTolerance;
}

absl::Status ValidateTransport(const TransportOptions& options);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_TRANSPORT_OPTIONS_H_
