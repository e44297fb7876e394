#include "server/services/rerank.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/rerank/shortlist.h"

namespace sightline::server {
namespace {

using index::PatchTokens;

int64_t BytesOf(const PatchTokens& tokens) {
  return static_cast<int64_t>(tokens.values.size() + sizeof(float) * (tokens.floats.size() + tokens.scales.size() +
                                                                      tokens.importance.size() + tokens.centre.size()));
}

// The tokens of the first images of the shortlist, as many as there is time and memory for.
struct ShortlistTokens {
  std::vector<std::optional<PatchTokens>> tokens;
  int of_other_shape = 0;  // tokens of another dimension than the query's, left out
  bool memory_full = false;
  bool out_of_time = false;
};

absl::StatusOr<ShortlistTokens> ReadShortlist(const RerankJob& job, absl::Span<const index::Hit> shortlist) {
  StageTimer timer(job.request, "fetch_tokens");
  ShortlistTokens out;
  int64_t bytes = 0;
  std::vector<std::string> ids;
  while (out.tokens.size() < shortlist.size()) {
    if (job.request.cancelled()) return job.request.Check();
    if (job.request.clock().Steady() >= job.end) {
      out.out_of_time = true;
      break;
    }
    ids.clear();
    for (const index::Hit& hit : shortlist.subspan(out.tokens.size(), kTokensPerRead)) ids.push_back(hit.id);
    SIGHTLINE_ASSIGN_OR_RETURN(std::vector<std::optional<PatchTokens>> read, job.collection.ReadTokens(ids));
    for (std::optional<PatchTokens>& tokens : read) {
      if (tokens && tokens->dim != job.query.front().tokens.dim) {
        tokens.reset();
        ++out.of_other_shape;
      }
      if (tokens) bytes += BytesOf(*tokens);
      if (bytes > job.max_token_bytes) {
        out.memory_full = true;
        return out;
      }
      out.tokens.push_back(std::move(tokens));
    }
  }
  return out;
}

void AddReasons(const ShortlistTokens& read, const index::rerank::ShortlistResult& ranked, RerankOutcome* outcome) {
  const std::string counts = absl::StrCat(outcome->completed, " of ", outcome->requested, " results");
  if (read.out_of_time || ranked.ran_out_of_time) {
    outcome->degraded_reasons.push_back(absl::StrCat("re-ranked ", counts,
                                                     " before the deadline; the others stand behind them in their old "
                                                     "order. Allow more time, or ask for a smaller shortlist."));
  }
  if (read.memory_full) {
    outcome->degraded_reasons.push_back(absl::StrCat("re-ranked ", counts,
                                                     ": the patch tokens of more take too much memory. Ask for a "
                                                     "smaller shortlist, or for tokens of fewer cells."));
  }
  if (ranked.without_tokens > 0) {
    outcome->degraded_reasons.push_back(absl::StrCat(
        ranked.without_tokens, " of ", outcome->requested, " results have no patch tokens",
        read.of_other_shape > 0 ? " of the query's dimension" : "",
        " and stand behind those that have. Index them again, with their tokens, to have them re-ranked."));
  }
}

}  // namespace

absl::StatusOr<RerankOutcome> Rerank(const RerankJob& job, std::vector<index::Hit> hits) {
  RerankOutcome outcome;
  const size_t count = std::min(hits.size(), static_cast<size_t>(job.choice.shortlist));
  outcome.requested = static_cast<int>(count);
  SIGHTLINE_ASSIGN_OR_RETURN(const ShortlistTokens read, ReadShortlist(job, absl::MakeConstSpan(hits).first(count)));

  std::vector<index::rerank::Candidate> candidates;
  for (size_t i = 0; i < read.tokens.size(); ++i) {
    candidates.push_back({hits[i].score, read.tokens[i] ? &*read.tokens[i] : nullptr});
  }
  index::rerank::ShortlistOptions options;
  options.transport = job.choice.transport;
  options.weight = job.choice.weight;
  options.keep = job.keep;
  // Between two looks at the clock lies a portion of the work. What is left has to be enough for another like it.
  options.out_of_time = [&job, last = std::optional<base::Clock::Ticks>()]() mutable {
    const base::Clock::Ticks now = job.request.clock().Steady();
    const base::Clock::Ticks done = last ? now + (now - *last) : now;
    last = now;
    return done >= job.end;
  };
  options.cancelled = [&job] { return job.request.cancelled(); };
  options.pool = job.pool;
  options.device = job.device;
  index::rerank::ShortlistResult ranked;
  {
    StageTimer timer(job.request, "rerank");
    SIGHTLINE_ASSIGN_OR_RETURN(ranked, RerankShortlist(PatchesOf(job.query), candidates, options));
  }
  outcome.completed = ranked.scored;
  AddReasons(read, ranked, &outcome);

  outcome.hits.reserve(hits.size());
  for (const int place : ranked.order) {
    const auto i = static_cast<size_t>(place);
    RankedHit& hit = outcome.hits.emplace_back(RankedHit{std::move(hits[i]), ranked.structural[i]});
    if (hit.structural) hit.hit.rerank_score = hit.hit.score + job.choice.weight * *hit.structural;
  }
  for (size_t i = read.tokens.size(); i < hits.size(); ++i) outcome.hits.push_back({std::move(hits[i]), std::nullopt});
  return outcome;
}

base::Clock::Ticks EndOfExtras(const Request& request, absl::Duration rest) {
  // What is left to do but not known beforehand: the reply's own bytes, a thread that gets its turn late.
  const absl::Duration whole = absl::FromChrono(request.deadline() - request.start());
  const absl::Duration margin = std::clamp(whole / 20, absl::Milliseconds(5), absl::Milliseconds(50));
  return request.deadline() - absl::ToChronoNanoseconds(margin + rest);
}

}  // namespace sightline::server
