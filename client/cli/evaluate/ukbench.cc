// UKBench: pictures ukbench00000 and on, four in a row of one object. N-S score: how many of the four are among the
// first four results, the query itself with them, 4 at best.
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "client/cli/evaluate/protocols.h"

namespace sightline::cli {
namespace {

constexpr int64_t kObjectPictures = 4;

}  // namespace

absl::StatusOr<Benchmark> ReadUkbench(const std::string& path, const ProtocolOptions&) {
  Benchmark benchmark{.title = "ukbench", .by_stem = true, .depth = kObjectPictures};
  SIGHTLINE_ASSIGN_OR_RETURN(benchmark.images, PictureNames(path, true));
  std::map<int64_t, std::vector<int32_t>> objects;
  std::vector<int64_t> object_of;
  for (const std::string& image : benchmark.images) {
    int64_t number = 0;
    if (!absl::StartsWith(image, "ukbench") || !absl::SimpleAtoi(absl::StripPrefix(image, "ukbench"), &number) ||
        number < 0) {
      return BadGroundTruth(path, absl::StrCat("the picture ", image,
                                               " is not called ukbench and a number. Leave only the data set's own."));
    }
    objects[number / kObjectPictures].push_back(static_cast<int32_t>(object_of.size()));
    object_of.push_back(number / kObjectPictures);
  }
  for (size_t i = 0; i < benchmark.images.size(); ++i) {
    BenchQuery query{.name = benchmark.images[i], .picture = benchmark.images[i]};
    const std::vector<int32_t>& same = objects[object_of[i]];
    if (static_cast<int64_t>(same.size()) != kObjectPictures) {
      return BadGroundTruth(path, absl::StrCat("the object of ", benchmark.images[i], " has ", same.size(),
                                               " pictures; four show each. Bring the missing ones."));
    }
    for (const int32_t image : same) query.judged.push_back({image, Grade::kEasy});
    benchmark.queries.push_back(std::move(query));
  }
  benchmark.splits = {{.name = "all", .right = static_cast<unsigned>(Grade::kEasy)}};
  benchmark.measures = {
      {.name = "N-S",
       .of = [](absl::Span<const int64_t> ranks,
                int64_t) { return static_cast<double>(kObjectPictures) * base::PrecisionAt(ranks, kObjectPictures); },
       .share = false}};
  return benchmark;
}

}  // namespace sightline::cli
