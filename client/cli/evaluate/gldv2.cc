// Google Landmarks v2, retrieval: mAP@100 with min(right images, 100) below, public and private queries apart. Queries
// whose list is None do not count.
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/csv.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "client/cli/evaluate/protocols.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr int64_t kDepth = 100;
constexpr size_t kMostLineBytes = 16 << 20;  // a landmark may have 10,000 images

}  // namespace

absl::StatusOr<Benchmark> ReadGldv2(const std::string& path, const ProtocolOptions&) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadGroundTruth(path));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv,
                             base::CsvReader::Open(path, text, {.max_line_bytes = kMostLineBytes}));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t id, csv.Column("id"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t list, csv.Column("images"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t usage, csv.Column("Usage"));
  Benchmark benchmark{.title = "gldv2", .by_stem = true, .open = true, .depth = kDepth};
  std::map<std::string, int32_t, std::less<>> images;
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) break;
    if (csv[usage] == "Ignored" || csv[list] == "None") continue;
    if (csv[usage] != "Public" && csv[usage] != "Private") {
      return csv.Wrong(usage, "it must be Public, Private or Ignored. Use the benchmark's own file.");
    }
    if (csv[id].empty() || Printable(csv[id]) != csv[id]) {
      return csv.Wrong(id, "it must name a picture. Use the benchmark's own file.");
    }
    BenchQuery query{.name = std::string(csv[id]), .picture = std::string(csv[id]), .part = std::string(csv[usage])};
    for (const absl::string_view image : absl::StrSplit(csv[list], ' ', absl::SkipEmpty())) {
      const auto [found, added] = images.emplace(std::string(image), static_cast<int32_t>(benchmark.images.size()));
      if (added) benchmark.images.emplace_back(image);
      query.judged.push_back({found->second, Grade::kEasy});
    }
    SortJudged(&query.judged);
    benchmark.queries.push_back(std::move(query));
  }
  const auto right = static_cast<unsigned>(Grade::kEasy);
  benchmark.splits = {{.name = "private", .right = right, .part = "Private"},
                      {.name = "public", .right = right, .part = "Public"},
                      {.name = "both", .right = right}};
  benchmark.main_split = 2;
  benchmark.measures = {{.name = "mAP@100", .of = [](absl::Span<const int64_t> ranks, int64_t positives) {
                           return base::AveragePrecisionAt(ranks, positives, kDepth);
                         }}};
  return benchmark;
}

}  // namespace sightline::cli
