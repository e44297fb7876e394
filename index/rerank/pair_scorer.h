// One result against a packed query, in int8 and float32 vectors (index/kernels): what TransportQuery is made of.
//
// A scorer keeps its buffers from one result to the next, so that a result costs no large allocation. What float32
// cannot hold is noticed and answered by false; the caller then takes the plain version in double precision.
//
// Threading: a PairScorer belongs to one thread; OfThisThread gives each thread its own, whose buffers live as long as
// the thread and are given back when a result needed more than 32 MB. Ownership: Prepare only looks at the query and
// the result, which must stay until the next one. Failure: none; patches have been checked.
//
//   PairScorer& scorer = PairScorer::OfThisThread();
//   scorer.Prepare(query, result, options);
//   scorer.MakeMatrix(options);
//   if (!scorer.Run(options, /*steps=*/{})) return Plain(query, result);
//   return scorer.score();
#ifndef SIGHTLINE_INDEX_RERANK_PAIR_SCORER_H_
#define SIGHTLINE_INDEX_RERANK_PAIR_SCORER_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "index/kernels/aligned.h"
#include "index/kernels/scaling.h"
#include "index/kernels/token_cosines.h"
#include "index/record.h"
#include "index/rerank/patch_set.h"
#include "index/rerank/transport.h"
#include "index/rerank/transport_options.h"

namespace sightline::index::rerank {

// A query as the kernels take it.
struct PackedPatches {
  PackedPatches(const Patches& patches, const TransportOptions& options);

  std::vector<int> cells;                // those that the mask lets take part: a column each
  std::vector<int> columns;              // of each cell of the grid; -1 without one
  kernels::QueryTokens tokens;           // of `cells`
  kernels::AlignedVector<float> centre;  // of length 1; empty where the weights do not need it
};

// What the reference's stop rule looks at after a round, summed over rows and results.
struct RoundStep {
  double change = 0;  // of |r - r before|
  double r = 0;       // of r
};

class PairScorer {
 public:
  static PairScorer& OfThisThread();

  // Chooses and weighs the patches of both sides. `query` is what `packed` was made of.
  void Prepare(const Patches& query, const PackedPatches& packed, const Patches& result,
               const TransportOptions& options);

  // Whether a side has no patch that takes part: nothing is transported, and nothing below may be called.
  bool empty() const { return rows_.cells.empty() || columns_.cells.empty(); }

  // Something that S_struct cannot exceed.
  double UpperBound(const TransportOptions& options);

  // The cosines, and K.
  void MakeMatrix(const TransportOptions& options);

  // The rounds, by kMarginalError or up to options.max_rounds, and the score. Adds to `steps`, where given, one for each
  // of options.max_rounds. False: out of the range of float32.
  bool Run(const TransportOptions& options, absl::Span<RoundStep> steps);

  const TransportScore& score() const { return score_; }
  // Rows that the steps were summed over.
  size_t rows() const { return rows_.cells.size() + (problem_.dummy > 0 ? 1 : 0); }

  // Gives large buffers back; called after a batch.
  void Trim();

 private:
  const kernels::QueryTokens& query_tokens() const { return gathered_ ? gathered_tokens_ : packed_->tokens; }
  void SetWeights(const TransportOptions& options);
  // Cosines of the rows from `first`, as many as a block has; returns where they end.
  size_t MakeCosines(size_t first);

  const PackedPatches* packed_ = nullptr;
  ChosenPatches rows_, columns_;
  std::vector<double> row_centres_, column_centres_;  // cosines to the other side's centre, of all cells
  kernels::AlignedVector<float> centre_, centre_cosines_;
  bool gathered_ = false;                 // the columns are fewer than were packed
  kernels::QueryTokens gathered_tokens_;  // those, if so
  std::vector<int> gathered_columns_;
  kernels::TokenRows row_tokens_;
  kernels::AlignedVector<float> cosines_, matrix_;  // padded rows x stride
  kernels::AlignedVector<float> u_, v_, chosen_;    // chosen_: 1 for columns that take part
  kernels::AlignedVector<float> scalings_[4];       // r and c, before and after a round
  kernels::ScalingProblem problem_;
  double scale_ = 1;  // the plan is that of u_ and v_ times this
  TransportScore score_;
};

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_PAIR_SCORER_H_
