#include "index/rerank/transport.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "base/status.h"
#include "index/rerank/marginals.h"
#include "index/rerank/pair_scorer.h"
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

// Of r, where the reference's rule ends the rounds.
constexpr double kJointStep = 0.1;
// How far off a step may be in float32, of the sum of r: r is large where K is small, and the rule looks at its
// absolute change.
constexpr double kStepRounding = 1e-5;

struct JointStop {
  int rounds = 0;  // that are done
  bool converged = false;
  bool certain = true;  // whether rounding cannot have decided it
};

JointStop FindJointStop(absl::Span<const RoundStep> steps, double rows) {
  JointStop stop;
  for (const RoundStep& step : steps) {
    ++stop.rounds;
    const double least = kJointStep * rows - step.change, rounding = kStepRounding * step.r;
    stop.certain = rows == 0 || std::abs(least) > rounding;
    stop.converged = rows == 0 || least > 0;
    if (stop.converged || !stop.certain) break;
  }
  return stop;
}

}  // namespace

// The query as it was packed. Its tokens may be gone by the time of a score; what weights and the plain version need of
// them is kept.
struct TransportQuery::Packed {
  Packed(const Patches& query, const TransportOptions& chosen)
      : options(chosen), tokens(*query.tokens), mask(query.mask.begin(), query.mask.end()), packed(query, chosen) {}

  Patches View() const { return {&tokens, mask}; }

  absl::Status Check(absl::Span<const Patches> results) const;
  absl::StatusOr<std::vector<TransportScore>> ScorePlain(absl::Span<const Patches> results) const;
  absl::StatusOr<std::vector<TransportScore>> ScoreTogether(absl::Span<const Patches> results) const;

  TransportOptions options;
  PatchTokens tokens;
  std::vector<uint8_t> mask;
  PackedPatches packed;
};

absl::Status TransportQuery::Packed::Check(absl::Span<const Patches> results) const {
  for (const Patches& result : results) {
    SIGHTLINE_RETURN_IF_ERROR(CheckPatches(result, options));
    SIGHTLINE_RETURN_IF_ERROR(CheckSameDimension(tokens, *result.tokens));
  }
  return absl::OkStatus();
}

// In double precision, which has the range that float32 lacks.
absl::StatusOr<std::vector<TransportScore>> TransportQuery::Packed::ScorePlain(
    absl::Span<const Patches> results) const {
  const PatchSet set = DecodePatches(tokens);
  std::vector<Match> matches;
  std::vector<Similarities> similarities;
  std::vector<std::vector<double>> u, v;
  std::vector<size_t> places;
  std::vector<TransportScore> scores(results.size(), {.converged = true});
  for (size_t i = 0; i < results.size(); ++i) {
    SIGHTLINE_ASSIGN_OR_RETURN(Match match, MakeMatch(View(), set, results[i], options));
    if (match.similarities.empty()) continue;
    places.push_back(i);
    u.push_back(match.rows.weights);
    v.push_back(match.columns.weights);
    matches.push_back(std::move(match));
  }
  for (const Match& match : matches) similarities.push_back(match.View());
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Plan> plans, SinkhornTogether(similarities, u, v, options));
  for (size_t i = 0; i < plans.size(); ++i) {
    scores[places[i]] = {plans[i].structural, plans[i].mass, plans[i].rounds, plans[i].converged};
  }
  return scores;
}

// The reference's rule looks at all results after every round. Their matrices together may be too large to keep, so the
// rounds are done once to find when the rule holds, and once again up to there. Where that is a matter of rounding, or
// the plain version is needed for one of them, it is for all.
absl::StatusOr<std::vector<TransportScore>> TransportQuery::Packed::ScoreTogether(
    absl::Span<const Patches> results) const {
  constexpr int kFirstRounds = 16, kGrowth = 4;
  PairScorer& scorer = PairScorer::OfThisThread();
  TransportOptions fixed = options;
  JointStop stop;
  for (int most = std::min(kFirstRounds, options.max_rounds);;) {
    std::vector<RoundStep> steps(static_cast<size_t>(most));
    size_t rows = 0;
    fixed.max_rounds = most;
    for (const Patches& result : results) {
      scorer.Prepare(View(), packed, result, options);
      if (scorer.empty()) continue;
      scorer.MakeMatrix(options);
      if (!scorer.Run(fixed, absl::MakeSpan(steps))) return ScorePlain(results);
      rows += scorer.rows();
    }
    stop = FindJointStop(steps, static_cast<double>(rows));
    if (!stop.certain) return ScorePlain(results);
    if (stop.converged || most == options.max_rounds) break;
    most = most > options.max_rounds / kGrowth ? options.max_rounds : most * kGrowth;
  }
  fixed.max_rounds = stop.rounds;
  std::vector<TransportScore> scores(results.size(), {.converged = true});
  for (size_t i = 0; i < results.size(); ++i) {
    scorer.Prepare(View(), packed, results[i], options);
    if (scorer.empty()) continue;
    scorer.MakeMatrix(options);
    if (!scorer.Run(fixed, {})) return ScorePlain(results);
    scores[i] = scorer.score();
    scores[i].converged = stop.converged;
  }
  scorer.Trim();
  return scores;
}

TransportQuery::TransportQuery(std::unique_ptr<const Packed> packed) : packed_(std::move(packed)) {}
TransportQuery::~TransportQuery() = default;
TransportQuery::TransportQuery(TransportQuery&&) noexcept = default;
TransportQuery& TransportQuery::operator=(TransportQuery&&) noexcept = default;

absl::StatusOr<TransportQuery> TransportQuery::Make(const Patches& query, const TransportOptions& options) {
  SIGHTLINE_RETURN_IF_ERROR(ValidateTransport(options));
  SIGHTLINE_RETURN_IF_ERROR(CheckPatches(query, options));
  return TransportQuery(std::make_unique<Packed>(query, options));
}

const TransportOptions& TransportQuery::options() const { return packed_->options; }
Patches TransportQuery::patches() const { return packed_->View(); }

absl::StatusOr<std::vector<TransportScore>> TransportQuery::Score(absl::Span<const Patches> results) const {
  const TransportOptions& options = packed_->options;
  SIGHTLINE_RETURN_IF_ERROR(packed_->Check(results));
  if (NeedsDouble(options)) return packed_->ScorePlain(results);
  if (options.stop == StopRule::kReference) return packed_->ScoreTogether(results);
  PairScorer& scorer = PairScorer::OfThisThread();
  std::vector<TransportScore> scores(results.size(), {.converged = true});
  for (size_t i = 0; i < results.size(); ++i) {
    scorer.Prepare(packed_->View(), packed_->packed, results[i], options);
    if (scorer.empty()) continue;
    scorer.MakeMatrix(options);
    if (scorer.Run(options, {})) {
      scores[i] = scorer.score();
    } else {
      SIGHTLINE_ASSIGN_OR_RETURN(const auto plain, packed_->ScorePlain(results.subspan(i, 1)));
      scores[i] = plain.front();
    }
  }
  scorer.Trim();
  return scores;
}

absl::StatusOr<std::vector<double>> TransportQuery::UpperBounds(absl::Span<const Patches> results) const {
  SIGHTLINE_RETURN_IF_ERROR(packed_->Check(results));
  PairScorer& scorer = PairScorer::OfThisThread();
  std::vector<double> bounds(results.size());
  for (size_t i = 0; i < results.size(); ++i) {
    scorer.Prepare(packed_->View(), packed_->packed, results[i], packed_->options);
    if (!scorer.empty()) bounds[i] = scorer.UpperBound(packed_->options);
  }
  scorer.Trim();
  return bounds;
}

absl::StatusOr<Plan> TransportQuery::Explain(const Patches& result) const {
  const PatchSet set = DecodePatches(packed_->tokens);
  SIGHTLINE_ASSIGN_OR_RETURN(const Match match, MakeMatch(packed_->View(), set, result, packed_->options));
  Plan plan;
  plan.converged = true;
  if (!match.similarities.empty()) {
    SIGHTLINE_ASSIGN_OR_RETURN(plan,
                               Sinkhorn(match.View(), match.rows.weights, match.columns.weights, packed_->options));
  }
  const size_t columns = set.cells;
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
