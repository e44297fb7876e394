// Tables of any data. path,split,label: pictures of the split query or test search those of index, train or database,
// and the same label is right; without a column split every picture searches the others. query,image,relevance: images
// are easy, hard or junk for a query, as in the revisited protocol, and all others are wrong. Columns x0,y0,x1,y1,
// where there are some, are the box of a query in pixels.
#include <filesystem>
#include <map>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/retrieval_metrics.h"
#include "base/status.h"
#include "client/cli/evaluate/leave_one_out.h"
#include "client/cli/evaluate/protocols.h"
#include "client/cli/text.h"

namespace sightline::cli {
namespace {

constexpr double kMostPixels = 1e6;

// The columns x0, y0, x1 and y1; empty fields are no box.
class BoxColumns {
 public:
  explicit BoxColumns(const base::CsvReader& csv) {
    for (const absl::string_view name : {"x0", "y0", "x1", "y1"}) {
      if (const auto column = csv.FindColumn(name)) columns_.push_back(*column);
    }
  }

  absl::StatusOr<std::optional<QueryBox>> Read(const base::CsvReader& csv) const {
    if (columns_.size() != 4 || csv[columns_[0]].empty()) return std::nullopt;
    QueryBox box;
    SIGHTLINE_ASSIGN_OR_RETURN(box.x0, csv.Number(columns_[0], -kMostPixels, kMostPixels));
    SIGHTLINE_ASSIGN_OR_RETURN(box.y0, csv.Number(columns_[1], -kMostPixels, kMostPixels));
    SIGHTLINE_ASSIGN_OR_RETURN(box.x1, csv.Number(columns_[2], -kMostPixels, kMostPixels));
    SIGHTLINE_ASSIGN_OR_RETURN(box.y1, csv.Number(columns_[3], -kMostPixels, kMostPixels));
    if (box.x0 >= box.x1 || box.y0 >= box.y1) {
      return csv.Wrong(columns_[0], "the box must have x0 below x1 and y0 below y1. Correct it.");
    }
    return box;
  }

 private:
  std::vector<size_t> columns_;
};

absl::Status CheckPath(const base::CsvReader& csv, size_t column) {
  if (base::LeadsInside(csv[column]) && Printable(csv[column]) == csv[column]) return absl::OkStatus();
  return csv.Wrong(column, "it must be the path of a picture inside of the folder. Correct it.");
}

// What the column split says.
enum class Part { kQuery, kDatabase, kIgnored };

std::optional<Part> PartOf(absl::string_view text) {
  if (text == "query" || text == "test") return Part::kQuery;
  if (text == "index" || text == "train" || text == "database") return Part::kDatabase;
  if (text == "ignore") return Part::kIgnored;
  return std::nullopt;
}

void SetPlainMeasures(Benchmark* benchmark) {
  benchmark->measures = {{.name = "mAP", .of = base::AveragePrecision}};
  for (const int64_t k : {1, 5, 10}) {
    benchmark->measures.push_back({.name = absl::StrCat("R@", k), .of = [k](absl::Span<const int64_t> ranks, int64_t) {
                                     return base::RecallAt(ranks, k);
                                   }});
  }
}

absl::StatusOr<Benchmark> ReadLabels(base::CsvReader& csv, const std::string& file, const std::string& label_column) {
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t path, csv.Column("path"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t label, csv.Column(label_column));
  const std::optional<size_t> split = csv.FindColumn("split");
  const BoxColumns boxes(csv);
  Benchmark benchmark{.title = "labels"};
  std::vector<std::string> labels;                   // of the images
  std::vector<std::optional<QueryBox>> image_boxes;  // where they are the queries
  std::vector<std::string> wanted;                   // of the queries
  std::set<std::string, std::less<>> seen;
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) break;
    SIGHTLINE_RETURN_IF_ERROR(CheckPath(csv, path));
    if (!seen.emplace(csv[path]).second) {
      return csv.Wrong(path, "a picture stands in the table once. Remove the other line.");
    }
    const std::optional<Part> part = split ? PartOf(csv[*split]) : Part::kDatabase;
    if (!part) return csv.Wrong(*split, "it must be query or test, index, train or database, or ignore. Correct it.");
    if (part == Part::kIgnored) continue;
    // Without a split every picture is a query too, each with its box.
    std::optional<QueryBox> box;
    if (part == Part::kQuery || !split) {
      SIGHTLINE_ASSIGN_OR_RETURN(box, boxes.Read(csv));
    }
    if (part == Part::kQuery) {
      wanted.emplace_back(csv[label]);
      benchmark.queries.push_back({.name = std::string(csv[path]), .picture = std::string(csv[path]), .box = box});
    } else {
      benchmark.images.emplace_back(csv[path]);
      labels.emplace_back(csv[label]);
      image_boxes.push_back(box);
    }
  }
  SetPlainMeasures(&benchmark);
  benchmark.splits = {
      {.name = "all", .right = static_cast<unsigned>(Grade::kEasy), .ignored = static_cast<unsigned>(Grade::kSelf)}};
  if (!split) {
    if (benchmark.images.empty()) return BadGroundTruth(file, "it has no pictures. Write a line for each.");
    QueryAll(labels, &benchmark);
    for (size_t i = 0; i < image_boxes.size(); ++i) benchmark.queries[i].box = image_boxes[i];
    return benchmark;
  }
  std::map<std::string, std::vector<int32_t>> images;
  for (size_t i = 0; i < labels.size(); ++i) images[labels[i]].push_back(static_cast<int32_t>(i));
  for (size_t q = 0; q < wanted.size(); ++q) {
    for (const int32_t image : images[wanted[q]]) {
      // A picture without a label is a distractor.
      if (!wanted[q].empty()) benchmark.queries[q].judged.push_back({image, Grade::kEasy});
    }
  }
  if (benchmark.queries.empty() || benchmark.images.empty()) {
    return BadGroundTruth(file, absl::StrCat("it has ", Plural(static_cast<int64_t>(wanted.size()), "query picture"),
                                             " and ", Plural(static_cast<int64_t>(labels.size()), "database picture"),
                                             ". Both are needed: say so in the column split."));
  }
  return benchmark;
}

// Of a table beside: boxes of the queries, and which pictures are no part of the database.
absl::Status ReadNeighbour(const std::string& file, std::map<std::string, QueryBox, std::less<>>* boxes,
                           std::vector<std::string>* database) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadGroundTruth(file));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(file, text));
  const auto path = csv.FindColumn("path");
  const auto split = csv.FindColumn("split");
  if (!path || !split) return absl::OkStatus();
  const BoxColumns columns(csv);
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return absl::OkStatus();
    SIGHTLINE_RETURN_IF_ERROR(CheckPath(csv, *path));
    const std::optional<Part> part = PartOf(csv[*split]);
    if (part == Part::kDatabase) database->emplace_back(csv[*path]);
    if (part != Part::kQuery) continue;
    SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<QueryBox> box, columns.Read(csv));
    if (box) boxes->emplace(csv[*path], *box);
  }
}

absl::StatusOr<Benchmark> ReadRelevance(base::CsvReader& csv, const std::string& file) {
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t query_column, csv.Column("query"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t image_column, csv.Column("image"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t relevance, csv.Column("relevance"));
  const BoxColumns columns(csv);
  std::map<std::string, QueryBox, std::less<>> boxes;
  Benchmark benchmark{.title = "relevance"};
  const std::string beside = (std::filesystem::path(file).parent_path() / "labels.csv").string();
  std::error_code error;
  if (beside != file && std::filesystem::exists(beside, error)) {
    SIGHTLINE_RETURN_IF_ERROR(ReadNeighbour(beside, &boxes, &benchmark.images));
  }
  benchmark.open = benchmark.images.empty();
  std::map<std::string, int32_t, std::less<>> images;
  for (size_t i = 0; i < benchmark.images.size(); ++i) images.emplace(benchmark.images[i], static_cast<int32_t>(i));
  std::map<std::string, size_t, std::less<>> queries;
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) break;
    SIGHTLINE_RETURN_IF_ERROR(CheckPath(csv, query_column));
    const auto [found, added] = queries.emplace(std::string(csv[query_column]), benchmark.queries.size());
    if (added) {
      BenchQuery query{.name = found->first, .picture = found->first};
      SIGHTLINE_ASSIGN_OR_RETURN(query.box, columns.Read(csv));
      if (const auto box = boxes.find(found->first); !query.box && box != boxes.end()) query.box = box->second;
      benchmark.queries.push_back(std::move(query));
    }
    SIGHTLINE_RETURN_IF_ERROR(CheckPath(csv, image_column));
    Grade grade = Grade::kEasy;
    if (csv[relevance] == "hard") {
      grade = Grade::kHard;
    } else if (csv[relevance] == "junk") {
      grade = Grade::kJunk;
    } else if (csv[relevance] != "easy") {
      return csv.Wrong(relevance, "it must be easy, hard or junk. Correct it.");
    }
    const auto [image, fresh] =
        images.emplace(std::string(csv[image_column]), static_cast<int32_t>(benchmark.images.size()));
    if (fresh) benchmark.images.emplace_back(csv[image_column]);
    benchmark.queries[found->second].judged.push_back({image->second, grade});
  }
  for (BenchQuery& query : benchmark.queries) {
    const size_t lines = query.judged.size();
    SortJudged(&query.judged);
    if (query.judged.size() != lines) {
      return BadGroundTruth(
          file, absl::StrCat("the query ", query.name, " has a picture twice. Give each picture one line a query."));
    }
  }
  if (benchmark.queries.empty()) return BadGroundTruth(file, "it has no queries. Write a line for each right image.");
  benchmark.measures = RevisitedMeasures();
  SetRevisitedSplits(&benchmark);
  return benchmark;
}

}  // namespace

absl::StatusOr<Benchmark> ReadTable(const std::string& path, const ProtocolOptions& options) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, ReadGroundTruth(path));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(path, text));
  if (csv.FindColumn("relevance")) return ReadRelevance(csv, path);
  return ReadLabels(csv, path, options.label);
}

}  // namespace sightline::cli
