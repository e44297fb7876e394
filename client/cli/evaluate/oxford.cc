// Oxford5k and Paris6k as first published: good and ok images are right, junk ones are taken out of the ranking. The
// query's own picture is in the database and right.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"
#include "client/cli/evaluate/gnd_pickle.h"
#include "client/cli/evaluate/protocols.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr absl::string_view kQueryEnd = "_query.txt";

class OxfordReader {
 public:
  explicit OxfordReader(const std::string& folder) : folder_(folder) {}

  absl::StatusOr<Benchmark> Read() {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<std::string> entries, base::ListFolder(folder_));
    for (const std::string& entry : entries) {
      if (!absl::EndsWith(entry, kQueryEnd)) continue;
      SIGHTLINE_RETURN_IF_ERROR(ReadQuery(std::string(absl::StripSuffix(entry, kQueryEnd))));
    }
    if (benchmark_.queries.empty()) {
      return BadGroundTruth(folder_, "it has no file *_query.txt. Name the folder of the ground truth's text files.");
    }
    return std::move(benchmark_);
  }

 private:
  std::string File(const std::string& name, absl::string_view list) const {
    return absl::StrCat(folder_, "/", name, "_", list, ".txt");
  }

  absl::Status ReadQuery(const std::string& name) {
    const std::string file = File(name, "query");
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadGroundTruth(file));
    const std::vector<absl::string_view> words = absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
    double edges[4] = {};
    bool whole = words.size() == 5 && Printable(words[0]) == words[0];
    for (size_t i = 0; whole && i < 4; ++i) whole = absl::SimpleAtod(words[i + 1], &edges[i]);
    whole = whole && std::all_of(std::begin(edges), std::end(edges), [](double edge) { return std::isfinite(edge); });
    if (!whole || !(edges[0] < edges[2] && edges[1] < edges[3])) {
      return BadGroundTruth(file, "it is not a name and the four edges of a box. Use the benchmark's own file.");
    }
    // Oxford's queries carry the name of a crawl in front.
    const std::string picture(absl::StripPrefix(words[0], "oxc1_"));
    BenchQuery query{.name = name, .picture = picture, .box = QueryBox{edges[0], edges[1], edges[2], edges[3]}};
    SIGHTLINE_RETURN_IF_ERROR(ReadList(name, "good", Grade::kEasy, &query));
    SIGHTLINE_RETURN_IF_ERROR(ReadList(name, "ok", Grade::kEasy, &query));
    SIGHTLINE_RETURN_IF_ERROR(ReadList(name, "junk", Grade::kJunk, &query));
    SortJudged(&query.judged);
    benchmark_.queries.push_back(std::move(query));
    return absl::OkStatus();
  }

  absl::Status ReadList(const std::string& name, absl::string_view list, Grade grade, BenchQuery* query) {
    const std::string file = File(name, list);
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadGroundTruth(file));
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      const absl::string_view image = absl::StripAsciiWhitespace(line);
      if (image.empty()) continue;
      if (Printable(image) != image) {
        return BadGroundTruth(file,
                              "a name in it is not UTF-8 without control characters. Use the benchmark's own file.");
      }
      const auto [found, added] = images_.emplace(std::string(image), static_cast<int32_t>(benchmark_.images.size()));
      if (added) benchmark_.images.emplace_back(image);
      query->judged.push_back({found->second, grade});
    }
    return absl::OkStatus();
  }

  const std::string& folder_;
  Benchmark benchmark_ = {.by_stem = true, .open = true};
  std::map<std::string, int32_t> images_;
};

absl::StatusOr<Benchmark> ReadOriginal(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return OxfordReader(path).Read();
  return ReadGndPickle(path, {{"ok", Grade::kEasy}, {"junk", Grade::kJunk}});
}

}  // namespace

absl::StatusOr<Benchmark> ReadOxford(const std::string& path, const ProtocolOptions&) {
  SIGHTLINE_ASSIGN_OR_RETURN(Benchmark benchmark, ReadOriginal(path));
  benchmark.title = "oxford or paris, original";
  benchmark.measures = RevisitedMeasures();
  benchmark.splits = {
      {.name = "all", .right = static_cast<unsigned>(Grade::kEasy), .ignored = static_cast<unsigned>(Grade::kJunk)}};
  return benchmark;
}

}  // namespace sightline::cli
