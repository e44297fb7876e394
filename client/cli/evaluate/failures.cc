#include "client/cli/evaluate/failures.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace sightline::cli {
namespace {

constexpr absl::string_view kNoSource = "the ranking was made elsewhere, and no --images are named.";

std::vector<EvalPicture> Results(const std::vector<Example>& examples, const FailurePictures& sources) {
  std::vector<EvalPicture> results;
  for (const Example& example : examples) {
    EvalPicture result{.picture = {.name = example.id, .missing = std::string(kNoSource)}, .rank = example.rank};
    if (sources.of_result) result.picture = sources.of_result(example.id);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace

std::vector<EvalFailure> WorstQueries(const Benchmark& benchmark, const std::vector<QueryOutcome>& outcomes,
                                      const std::vector<std::string>& pictures, const FailurePictures& sources,
                                      size_t most) {
  const double best = benchmark.measures[0].share ? 1 : 4;
  const auto score_of = [&](size_t q) -> const QueryScore& { return outcomes[q].splits[benchmark.main_split]; };
  std::vector<size_t> worst;
  for (size_t q = 0; q < outcomes.size(); ++q) {
    if (score_of(q).counted && score_of(q).values[0] < best) worst.push_back(q);
  }
  std::stable_sort(worst.begin(), worst.end(),
                   [&](size_t a, size_t b) { return score_of(a).values[0] < score_of(b).values[0]; });
  worst.resize(std::min(worst.size(), most));
  std::vector<EvalFailure> failures;
  for (const size_t q : worst) {
    const BenchQuery& query = benchmark.queries[q];
    EvalFailure failure{.query = query.name,
                        .picture = {.name = query.picture, .missing = std::string(kNoSource)},
                        .value = score_of(q).values[0],
                        .positives = score_of(q).positives,
                        .found = score_of(q).found,
                        .wrong = Results(outcomes[q].wrong, sources),
                        .right = Results(outcomes[q].right, sources)};
    if (sources.of_file && q < pictures.size()) failure.picture = sources.of_file(query.picture, pictures[q]);
    if (query.box) {
      failure.box = absl::StrFormat("%g, %g, %g, %g", query.box->x0, query.box->y0, query.box->x1, query.box->y1);
      v1::CropBox& box = failure.picture.crops.emplace_back();
      box.set_x0(query.box->x0);
      box.set_y0(query.box->y0);
      box.set_x1(query.box->x1);
      box.set_y1(query.box->y1);
      box.set_unit(v1::CropBox::UNIT_PIXEL);
    }
    failures.push_back(std::move(failure));
  }
  return failures;
}

}  // namespace sightline::cli
