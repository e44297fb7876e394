// Why two images match, from the plan of transport between their patches (METHODS.md 3.11).
//
// Threading: pure functions. Failure: none; the plan is one of the similarities (PatchSimilarities gives those of
// TransportQuery::Explain), the same cells in the same order. Equal strengths are ordered by cell.
//
//   const Evidence evidence = MakeEvidence(plan, {cosines, result_cells, query_cells}, /*most=*/20);
#ifndef SIGHTLINE_INDEX_RERANK_EVIDENCE_H_
#define SIGHTLINE_INDEX_RERANK_EVIDENCE_H_

#include <vector>

#include "index/rerank/sinkhorn.h"

namespace sightline::index::rerank {

struct Correspondence {
  int query_cell = 0;   // row-major in the query's grid
  int result_cell = 0;  // in the result's
  double mass = 0;
  double cosine = 0;
};

struct Evidence {
  std::vector<Correspondence> correspondences;  // by mass * cosine, greatest first
  std::vector<double> query_heat;               // mass that leaves each patch of the query
  std::vector<double> result_heat;              // mass that reaches each patch of the result
};

// The `most` largest entries of T * S above 0. `similarities` are those of the plan.
Evidence MakeEvidence(const Plan& plan, const Similarities& similarities, int most);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_EVIDENCE_H_
