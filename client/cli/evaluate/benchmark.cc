#include "client/cli/evaluate/benchmark.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

int Order(Grade grade) { return grade == Grade::kSelf ? 0 : static_cast<int>(grade); }

}  // namespace

absl::string_view Stem(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash != absl::string_view::npos) path.remove_prefix(slash + 1);
  const size_t dot = path.rfind('.');
  return dot == absl::string_view::npos || dot == 0 ? path : path.substr(0, dot);
}

ImageNames::ImageNames(const Benchmark& benchmark) : by_stem_(benchmark.by_stem) {
  for (size_t i = 0; i < benchmark.images.size(); ++i) {
    images_.emplace(benchmark.images[i], static_cast<int32_t>(i));
  }
}

int32_t ImageNames::Find(absl::string_view id) const {
  auto found = images_.find(id);
  if (found == images_.end() && by_stem_) found = images_.find(Stem(id));
  return found == images_.end() ? -1 : found->second;
}

void SortJudged(std::vector<Judged>* judged) {
  std::sort(judged->begin(), judged->end(), [](const Judged& a, const Judged& b) {
    return a.image != b.image ? a.image < b.image : Order(a.grade) < Order(b.grade);
  });
  judged->erase(
      std::unique(judged->begin(), judged->end(), [](const Judged& a, const Judged& b) { return a.image == b.image; }),
      judged->end());
}

absl::Status BadGroundTruth(absl::string_view file, absl::string_view problem) {
  return base::InvalidArgument("INVALID_GROUND_TRUTH", absl::StrCat(Printable(file), ": ", problem),
                               {{"file", std::string(file)}});
}

std::vector<BenchMeasure> RevisitedMeasures() {
  std::vector<BenchMeasure> measures = {{.name = "mAP", .of = base::TrapezoidalPrecision}};
  for (const int64_t k : {1, 5, 10}) {
    measures.push_back({.name = absl::StrCat("mP@", k), .of = [k](absl::Span<const int64_t> ranks, int64_t) {
                          return base::RevisitedPrecisionAt(ranks, k);
                        }});
  }
  return measures;
}

void SetRevisitedSplits(Benchmark* benchmark) {
  const auto of = [](Grade grade) { return static_cast<unsigned>(grade); };
  benchmark->splits = {
      {.name = "Easy", .right = of(Grade::kEasy), .ignored = Grade::kJunk | Grade::kHard},
      {.name = "Medium", .right = Grade::kEasy | Grade::kHard, .ignored = of(Grade::kJunk)},
      {.name = "Hard", .right = of(Grade::kHard), .ignored = Grade::kJunk | Grade::kEasy},
  };
  benchmark->main_split = 1;
}

}  // namespace sightline::cli
