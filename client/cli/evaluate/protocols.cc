#include "client/cli/evaluate/protocols.h"

#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "client/cli/image_files.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 30;

template <typename Named, typename Name>
absl::Status CheckEachHasItsName(const std::string& path, absl::string_view what, const std::vector<Named>& all,
                                 const Name& name_of) {
  std::set<absl::string_view> names;
  for (const Named& one : all) {
    if (names.insert(name_of(one)).second) continue;
    return BadGroundTruth(
        path, absl::StrCat("two ", what, " are called ", Printable(name_of(one)), ". Give each a name of its own."));
  }
  return absl::OkStatus();
}

}  // namespace

const std::vector<Protocol>& Protocols() {
  static const auto* const protocols = new std::vector<Protocol>{
      {"revisited", ReadRevisited}, {"oxford", ReadOxford},     {"paris", ReadOxford},
      {"gldv2", ReadGldv2},         {"msls", ReadMsls},         {"metric_learning", ReadMetricLearning},
      {"ukbench", ReadUkbench},     {"holidays", ReadHolidays}, {"csv", ReadTable}};
  return *protocols;
}

absl::StatusOr<Benchmark> ReadBenchmark(const Protocol& protocol, const std::string& path,
                                        const ProtocolOptions& options) {
  SIGHTLINE_ASSIGN_OR_RETURN(Benchmark benchmark, protocol.read(path, options));
  SIGHTLINE_RETURN_IF_ERROR(CheckEachHasItsName(path, "images", benchmark.images,
                                                [](const std::string& image) { return absl::string_view(image); }));
  SIGHTLINE_RETURN_IF_ERROR(CheckEachHasItsName(path, "queries", benchmark.queries,
                                                [](const BenchQuery& query) { return absl::string_view(query.name); }));
  return benchmark;
}

std::string ProtocolOf(const std::string& path) {
  const std::string lower = absl::AsciiStrToLower(path);
  if (absl::EndsWith(lower, ".pkl")) return "revisited";
  if (absl::EndsWith(lower, ".csv")) return absl::StrContains(lower, "retrieval_solution") ? "gldv2" : "csv";
  return "";
}

absl::StatusOr<std::string> ReadGroundTruth(const std::string& path) { return base::ReadFile(path, kMostBytes); }

absl::StatusOr<std::vector<std::string>> PictureNames(const std::string& path, bool stems) {
  std::vector<std::string> names;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    const ImageFiles found = FindImageFiles({path}, "");
    for (const ImageFile& file : found.files) names.push_back(file.id);
  } else {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadGroundTruth(path));
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      const absl::string_view name = absl::StripAsciiWhitespace(line);
      if (Printable(name) != name) {
        return BadGroundTruth(path, absl::StrCat("the name ", Printable(name.substr(0, 80)),
                                                 " is not UTF-8 without control characters. Write a name a line."));
      }
      if (!name.empty()) names.emplace_back(name);
    }
  }
  if (stems) {
    for (std::string& name : names) name = std::string(Stem(name));
  }
  if (names.empty()) return BadGroundTruth(path, "it names no picture. Name a folder of pictures, or a list of names.");
  return names;
}

}  // namespace sightline::cli
