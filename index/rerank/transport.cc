#include "index/rerank/transport.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/status.h"
#include "index/rerank/marginals.h"
#include "index/rerank/patch_set.h"

namespace sightline::index::rerank {
namespace {

// Two images as Sinkhorn takes them: the patches that take part, and nothing else.
struct Match {
  ChosenPatches rows, columns;
  std::vector<double> similarities;

  Similarities View() const { return {similarities, rows.cells.size(), columns.cells.size()}; }
};

std::vector<double> CentreCosines(const PatchSet& set, const PatchSet& other, const TransportOptions& options) {
  if (!NeedsCentre(options.marginals)) return std::vector<double>(set.cells);
  return Cosines(set, other.centre);
}

absl::StatusOr<Match> MakeMatch(const Patches& query, const PatchSet& query_set, const Patches& result,
                                const TransportOptions& options) {
  SIGHTLINE_RETURN_IF_ERROR(CheckPatches(result, options));
  SIGHTLINE_RETURN_IF_ERROR(CheckSameDimension(*query.tokens, *result.tokens));
  const PatchSet result_set = DecodePatches(*result.tokens);
  Match match;
  match.rows = ChoosePatches(result, CentreCosines(result_set, query_set, options), options.result_cells, options);
  match.columns = ChoosePatches(query, CentreCosines(query_set, result_set, options), options.query_cells, options);
  match.similarities.reserve(match.rows.cells.size() * match.columns.cells.size());
  for (const int row : match.rows.cells) {
    const double* token = &result_set.tokens[static_cast<size_t>(row) * result_set.dim];
    const std::vector<double> cosines = Cosines(query_set, {token, result_set.dim});
    for (const int column : match.columns.cells) match.similarities.push_back(cosines[static_cast<size_t>(column)]);
  }
  return match;
}

}  // namespace

// The query as it was packed. Its tokens may be gone by the time of a score; what weights need of them is kept.
struct TransportQuery::Packed {
  TransportOptions options;
  PatchTokens tokens;
  std::vector<uint8_t> mask;
  PatchSet set;
};

TransportQuery::TransportQuery(std::unique_ptr<const Packed> packed) : packed_(std::move(packed)) {}
TransportQuery::~TransportQuery() = default;
TransportQuery::TransportQuery(TransportQuery&&) noexcept = default;
TransportQuery& TransportQuery::operator=(TransportQuery&&) noexcept = default;

absl::StatusOr<TransportQuery> TransportQuery::Make(const Patches& query, const TransportOptions& options) {
  SIGHTLINE_RETURN_IF_ERROR(ValidateTransport(options));
  SIGHTLINE_RETURN_IF_ERROR(CheckPatches(query, options));
  return TransportQuery(std::make_unique<Packed>(Packed{.options = options,
                                                        .tokens = *query.tokens,
                                                        .mask = {query.mask.begin(), query.mask.end()},
                                                        .set = DecodePatches(*query.tokens)}));
}

absl::StatusOr<std::vector<TransportScore>> TransportQuery::Score(absl::Span<const Patches> results) const {
  std::vector<Match> matches;
  std::vector<Similarities> similarities;
  std::vector<std::vector<double>> u, v;
  std::vector<size_t> places;
  std::vector<TransportScore> scores(results.size(), {.converged = true});
  for (size_t i = 0; i < results.size(); ++i) {
    SIGHTLINE_ASSIGN_OR_RETURN(
        Match match, MakeMatch({&packed_->tokens, packed_->mask}, packed_->set, results[i], packed_->options));
    if (match.similarities.empty()) continue;
    places.push_back(i);
    u.push_back(match.rows.weights);
    v.push_back(match.columns.weights);
    matches.push_back(std::move(match));
  }
  for (const Match& match : matches) similarities.push_back(match.View());
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Plan> plans, SinkhornTogether(similarities, u, v, packed_->options));
  for (size_t i = 0; i < plans.size(); ++i) {
    scores[places[i]] = {plans[i].structural, plans[i].mass, plans[i].rounds, plans[i].converged};
  }
  return scores;
}

absl::StatusOr<std::vector<double>> TransportQuery::UpperBounds(absl::Span<const Patches> results) const {
  std::vector<double> bounds;
  for (const Patches& result : results) {
    SIGHTLINE_ASSIGN_OR_RETURN(const Match match,
                               MakeMatch({&packed_->tokens, packed_->mask}, packed_->set, result, packed_->options));
    // Whatever the round, a column of the plan sums to its weight in full transport and to no more in partial: none
    // earns more than that times its best cosine.
    const size_t columns = match.columns.cells.size();
    const bool partial = packed_->options.mass < kFullMass;
    double bound = 0;
    for (size_t j = 0; j < columns && !match.rows.cells.empty(); ++j) {
      double best = partial ? 0 : -std::numeric_limits<double>::infinity();
      for (size_t at = j; at < match.similarities.size(); at += columns) best = std::max(best, match.similarities[at]);
      bound += match.columns.weights[j] * best;
    }
    bounds.push_back(bound);
  }
  return bounds;
}

absl::StatusOr<Plan> TransportQuery::Explain(const Patches& result) const {
  SIGHTLINE_ASSIGN_OR_RETURN(const Match match,
                             MakeMatch({&packed_->tokens, packed_->mask}, packed_->set, result, packed_->options));
  Plan plan;
  plan.converged = true;
  if (!match.similarities.empty()) {
    SIGHTLINE_ASSIGN_OR_RETURN(plan,
                               Sinkhorn(match.View(), match.rows.weights, match.columns.weights, packed_->options));
  }
  const size_t columns = packed_->set.cells;
  std::vector<double> whole(static_cast<size_t>(result.tokens->cells()) * columns);
  for (size_t i = 0; i < match.rows.cells.size(); ++i) {
    for (size_t j = 0; j < match.columns.cells.size(); ++j) {
      whole[static_cast<size_t>(match.rows.cells[i]) * columns + static_cast<size_t>(match.columns.cells[j])] =
          plan.transport[i * match.columns.cells.size() + j];
    }
  }
  plan.transport = std::move(whole);
  return plan;
}

}  // namespace sightline::index::rerank
