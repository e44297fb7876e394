// Stanford Online Products, CUB-200-2011, Cars196 and the like: every test picture against the others. With R right
// images: P@1, RP (right ones among the first R) and MAP@R. The published tables of structural re-ranking count the
// query itself in R, so that even a perfect ranking has RP (R - 1) / R there; these are the measures "with self".
#include <algorithm>
#include <filesystem>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/csv.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "client/cli/evaluate/leave_one_out.h"
#include "client/cli/evaluate/protocols.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr int64_t kFirstTestClassOfCub = 101;  // 1 to 100 are for training

using Words = std::vector<absl::string_view>;

// The lines of a file as words; every line has `count`.
absl::StatusOr<std::vector<Words>> ReadLines(const std::string& path, const std::string& text, size_t count) {
  std::vector<Words> lines;
  int64_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    Words words = absl::StrSplit(absl::StripAsciiWhitespace(line), ' ', absl::SkipEmpty());
    if (words.empty()) continue;
    const absl::string_view shown = absl::StripAsciiWhitespace(line);
    if (words.size() != count || Printable(shown) != shown) {
      return BadGroundTruth(path, absl::StrCat("line ", number, " has ", words.size(), " words; ", count,
                                               " printable ones make a line. Use the data set's own file."));
    }
    lines.push_back(std::move(words));
  }
  return lines;
}

absl::Status NotInside(const std::string& path, absl::string_view picture) {
  return BadGroundTruth(path, absl::StrCat("the picture ", base::QuotedPiece(picture),
                                           " lies outside of the folder. Use the data set's own file."));
}

// "image_id class_id super_class_id path", with a line of names.
absl::StatusOr<Benchmark> ReadProducts(const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadGroundTruth(path));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Words> lines, ReadLines(path, text, 4));
  if (lines.empty() || lines[0][0] != "image_id") {
    return BadGroundTruth(path,
                          "it does not begin with \"image_id class_id super_class_id path\". Name Ebay_test.txt.");
  }
  Benchmark benchmark;
  std::vector<std::string> labels;
  for (size_t i = 1; i < lines.size(); ++i) {
    if (!base::LeadsInside(lines[i][3])) return NotInside(path, lines[i][3]);
    benchmark.images.emplace_back(lines[i][3]);
    labels.emplace_back(lines[i][1]);
  }
  QueryAll(labels, &benchmark);
  return benchmark;
}

// images.txt ("1 001.Black_footed_Albatross/x.jpg") and image_class_labels.txt ("1 1"); the second half of the classes.
absl::StatusOr<Benchmark> ReadBirds(const std::string& folder) {
  const std::string images_path = absl::StrCat(folder, "/images.txt");
  const std::string labels_path = absl::StrCat(folder, "/image_class_labels.txt");
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string images_text, ReadGroundTruth(images_path));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string labels_text, ReadGroundTruth(labels_path));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Words> images, ReadLines(images_path, images_text, 2));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Words> classes, ReadLines(labels_path, labels_text, 2));
  std::map<absl::string_view, absl::string_view> class_of;
  for (const Words& line : classes) class_of[line[0]] = line[1];
  Benchmark benchmark;
  std::vector<std::string> labels;
  for (const Words& line : images) {
    int64_t label = 0;
    const auto found = class_of.find(line[0]);
    if (found == class_of.end() || !absl::SimpleAtoi(found->second, &label)) {
      return BadGroundTruth(labels_path, absl::StrCat("it has no class for the picture ", base::QuotedPiece(line[0]),
                                                      " of images.txt. Use the data set's own files."));
    }
    if (!base::LeadsInside(line[1])) return NotInside(images_path, line[1]);
    if (label < kFirstTestClassOfCub) continue;
    benchmark.images.emplace_back(line[1]);
    labels.push_back(absl::StrCat(label));
  }
  QueryAll(labels, &benchmark);
  return benchmark;
}

absl::StatusOr<Benchmark> ReadFolders(const std::string& folder) {
  Benchmark benchmark;
  SIGHTLINE_ASSIGN_OR_RETURN(benchmark.images, PictureNames(folder, false));
  std::vector<std::string> labels;
  for (const std::string& image : benchmark.images) {
    const size_t slash = image.find('/');
    if (slash == std::string::npos) {
      return BadGroundTruth(folder, absl::StrCat("the picture ", image,
                                                 " is in no class. Put the pictures of each class into a folder."));
    }
    labels.push_back(image.substr(0, slash));
  }
  QueryAll(labels, &benchmark);
  return benchmark;
}

}  // namespace

absl::StatusOr<Benchmark> ReadMetricLearning(const std::string& path, const ProtocolOptions&) {
  std::error_code error;
  const bool folder = std::filesystem::is_directory(path, error);
  const bool birds = folder && std::filesystem::exists(absl::StrCat(path, "/image_class_labels.txt"), error);
  SIGHTLINE_ASSIGN_OR_RETURN(Benchmark benchmark,
                             birds ? ReadBirds(path) : (folder ? ReadFolders(path) : ReadProducts(path)));
  if (benchmark.queries.empty()) return BadGroundTruth(path, "it has no test pictures. Use the data set's own files.");
  benchmark.title = "metric_learning";
  benchmark.splits = {
      {.name = "all", .right = static_cast<unsigned>(Grade::kEasy), .ignored = static_cast<unsigned>(Grade::kSelf)}};
  using Ranks = absl::Span<const int64_t>;
  benchmark.measures = {
      {.name = "MAP@R", .of = [](Ranks ranks, int64_t n) { return base::AveragePrecisionAt(ranks, n, n); }},
      {.name = "P@1", .of = [](Ranks ranks, int64_t) { return base::PrecisionAt(ranks, 1); }},
      {.name = "RP", .of = [](Ranks ranks, int64_t n) { return base::PrecisionAt(ranks, n); }},
      {.name = "RP with self", .of = [](Ranks ranks, int64_t n) { return base::PrecisionAt(ranks, n + 1); }},
      {.name = "MAP@R with self",
       .of = [](Ranks ranks, int64_t n) { return base::AveragePrecisionAt(ranks, n + 1, n + 1); }}};
  size_t most = 1;
  for (const BenchQuery& query : benchmark.queries) most = std::max(most, query.judged.size());
  benchmark.depth = static_cast<int64_t>(most);  // judged are the right ones and the query itself
  return benchmark;
}

}  // namespace sightline::cli
