// INRIA Holidays: pictures are numbered, and those of one scene share all but the last two digits; 1xxx00 is the
// scene's query, the others are right, and the query itself is taken out of the ranking. mAP by trapezoids, as the data
// set's own program has it.
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "client/cli/evaluate/protocols.h"

namespace sightline::cli {

absl::StatusOr<Benchmark> ReadHolidays(const std::string& path, const ProtocolOptions&) {
  constexpr int64_t kScene = 100;
  Benchmark benchmark{.title = "holidays", .by_stem = true};
  SIGHTLINE_ASSIGN_OR_RETURN(benchmark.images, PictureNames(path, true));
  std::map<int64_t, BenchQuery> scenes;
  for (size_t i = 0; i < benchmark.images.size(); ++i) {
    const std::string& image = benchmark.images[i];
    int64_t number = 0;
    if (image.size() != 6 || !absl::SimpleAtoi(image, &number) || number < 0) {
      return BadGroundTruth(
          path, absl::StrCat("the picture ", image, " is not called by six digits. Leave only the data set's own."));
    }
    BenchQuery& query = scenes[number / kScene];
    const bool self = number % kScene == 0;
    if (self) query.name = query.picture = image;
    query.judged.push_back({static_cast<int32_t>(i), self ? Grade::kSelf : Grade::kEasy});
  }
  for (auto& [scene, query] : scenes) {
    if (query.name.empty()) {
      return BadGroundTruth(path, absl::StrCat("the scene ", scene, " has no picture ", scene,
                                               "00, which is its query. Bring the missing ones."));
    }
    SortJudged(&query.judged);
    benchmark.queries.push_back(std::move(query));
  }
  benchmark.splits = {
      {.name = "all", .right = static_cast<unsigned>(Grade::kEasy), .ignored = static_cast<unsigned>(Grade::kSelf)}};
  benchmark.measures = {{.name = "mAP", .of = base::TrapezoidalPrecision}};
  return benchmark;
}

}  // namespace sightline::cli
