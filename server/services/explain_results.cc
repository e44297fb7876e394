#include "server/services/explain_results.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/services/confidence.h"
#include "server/services/evidence.h"
#include "server/services/regions.h"

namespace sightline::server {
namespace {

// What a plan is taken to cost per pair of patches before the first has been measured: that of a slow machine.
constexpr double kMillisecondsPerPair = 1e-3;

}  // namespace

absl::Status ExplainResults(const ExplainJob& job, google::protobuf::RepeatedPtrField<v1::SearchResult>* results,
                            std::vector<std::string>* degraded_reasons) {
  StageTimer timer(job.request, "explain");
  const base::Clock& clock = job.request.clock();
  const int count = std::min(results->size(), ExplainedResultsOf(job.options));
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) ids.push_back(results->Get(i).id());
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::optional<index::PatchTokens>> tokens,
                             job.collection.ReadTokens(ids));
  SIGHTLINE_ASSIGN_OR_RETURN(const EvidenceMaker maker, EvidenceMaker::Make(job.query, job.choice, job.options));

  double per_pair = kMillisecondsPerPair;
  int explained = 0;
  int without_tokens = 0;
  int done = 0;
  for (; done < count; ++done) {
    if (job.request.cancelled()) return job.request.Check();
    const std::optional<index::PatchTokens>& of_result = tokens[static_cast<size_t>(done)];
    if (!of_result || of_result->dim != job.query.front().tokens.dim) {
      ++without_tokens;
      continue;
    }
    const base::Clock::Ticks begin = clock.Steady();
    const auto pairs = static_cast<double>(maker.PairsWith(*of_result));
    if (base::MillisecondsBetween(begin, job.end) < per_pair * pairs) break;
    v1::SearchResult& result = *results->Mutable(done);
    const absl::StatusOr<index::Record> record = job.collection.Get(result.id(), index::RecordView::kMetadata);
    // Deleted since the search found it.
    if (absl::IsNotFound(record.status())) continue;
    SIGHTLINE_RETURN_IF_ERROR(record.status());
    SIGHTLINE_RETURN_IF_ERROR(
        maker.Explain({.tokens = &*of_result, .region = SeenRegion(job.model, *record), .score = result.score()},
                      result.mutable_evidence()));
    if (job.confidence) SetConfidence(*job.confidence, job.choice.transport, result.mutable_evidence());
    const double measured = base::MillisecondsBetween(begin, clock.Steady()) / pairs;
    per_pair = explained++ == 0 ? measured : std::max(per_pair, measured);
  }
  if (done < count) {
    degraded_reasons->push_back(absl::StrCat("evidence was made for ", explained, " of ", count,
                                             " results before the deadline. Allow more time, or ask for less of it."));
  }
  if (without_tokens > 0) {
    degraded_reasons->push_back(absl::StrCat(without_tokens, " of ", count,
                                             " results have no patch tokens to make evidence of. Index them again, "
                                             "with their tokens."));
  }
  return absl::OkStatus();
}

}  // namespace sightline::server
