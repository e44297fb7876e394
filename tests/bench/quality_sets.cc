#include "tests/bench/quality_sets.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"

namespace sightline::bench {
namespace {

constexpr int64_t kMaxTableBytes = 256 << 20;
constexpr double kMaxSide = 1e5;

// Where a picture stands in LabelledFiles.
using Places = std::map<std::string, int, std::less<>>;

struct LandmarkFiles {
  LabelledFiles files;
  Places queries;
  Places database;
};

absl::StatusOr<LandmarkFiles> ReadLandmarkLabels(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/labels.csv");
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxTableBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(path, text));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t picture, csv.Column("path"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t instance, csv.Column("instance"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t split, csv.Column("split"));
  size_t edges[4];
  const char* const names[] = {"x0", "y0", "x1", "y1"};
  for (size_t i = 0; i < 4; ++i) {
    SIGHTLINE_ASSIGN_OR_RETURN(edges[i], csv.Column(names[i]));
  }
  LandmarkFiles out;
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return out;
    if (!base::LeadsInside(csv[picture])) return csv.Wrong(picture, "it must stay in the folder. Correct it.");
    SIGHTLINE_ASSIGN_OR_RETURN(const int64_t object, csv.Int(instance, 0, 1'000'000'000));
    LabelledFile file{.path = absl::StrCat(folder, "/", csv[picture]), .object = static_cast<int>(object)};
    const bool query = csv[split] == "query";
    if (!query && csv[split] != "index") return csv.Wrong(split, "it must be query or index. Correct it.");
    if (query) {
      double box[4];
      for (size_t i = 0; i < 4; ++i) {
        SIGHTLINE_ASSIGN_OR_RETURN(box[i], csv.Number(edges[i], 0, kMaxSide));
      }
      file.crop =
          image::CropBox{.x0 = box[0], .y0 = box[1], .x1 = box[2], .y1 = box[3], .unit = image::CropBox::Unit::kPixel};
    }
    std::vector<LabelledFile>& files = query ? out.files.queries : out.files.database;
    Places& places = query ? out.queries : out.database;
    if (!places.emplace(csv[picture], static_cast<int>(files.size())).second) {
      return csv.Wrong(picture, "it is named twice. Take one of the lines out.");
    }
    files.push_back(std::move(file));
  }
}

struct Judgements {
  std::vector<std::vector<int>> easy, hard, junk;  // by query
};

absl::StatusOr<Judgements> ReadJudgements(const std::string& folder, const LandmarkFiles& landmarks) {
  const std::string path = absl::StrCat(folder, "/ground_truth.csv");
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxTableBytes));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(path, text));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t query, csv.Column("query"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t item, csv.Column("image"));
  SIGHTLINE_ASSIGN_OR_RETURN(const size_t relevance, csv.Column("relevance"));
  const size_t queries = landmarks.files.queries.size();
  Judgements out;
  for (auto* lists : {&out.easy, &out.hard, &out.junk}) lists->resize(queries);
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return out;
    const auto asked = landmarks.queries.find(csv[query]);
    if (asked == landmarks.queries.end()) return csv.Wrong(query, "labels.csv has no such query. Make the set again.");
    const auto shown = landmarks.database.find(csv[item]);
    if (shown == landmarks.database.end()) {
      return csv.Wrong(item, "labels.csv has no such picture to index. Make the set again.");
    }
    std::vector<std::vector<int>>* lists = nullptr;
    if (csv[relevance] == "easy") lists = &out.easy;
    if (csv[relevance] == "hard") lists = &out.hard;
    if (csv[relevance] == "junk") lists = &out.junk;
    if (lists == nullptr) return csv.Wrong(relevance, "it must be easy, hard or junk. Correct it.");
    (*lists)[static_cast<size_t>(asked->second)].push_back(shown->second);
  }
}

std::vector<std::vector<int>> Both(const std::vector<std::vector<int>>& a, const std::vector<std::vector<int>>& b) {
  std::vector<std::vector<int>> out = a;
  for (size_t q = 0; q < out.size(); ++q) out[q].insert(out[q].end(), b[q].begin(), b[q].end());
  return out;
}

bool AnyPositive(const QualitySplit& split) {
  return std::any_of(split.relevance.positives.begin(), split.relevance.positives.end(),
                     [](const std::vector<int>& positives) { return !positives.empty(); });
}

template <typename T>
std::vector<T> Chosen(const std::vector<T>& all, const std::vector<size_t>& which) {
  std::vector<T> out;
  for (const size_t i : which) out.push_back(all[i]);
  return out;
}

}  // namespace

absl::StatusOr<QualitySet> GrocerySet(const std::string& folder, int products) {
  SIGHTLINE_ASSIGN_OR_RETURN(LabelledFiles files, Groceries(folder, products));
  QualitySet set{.name = "grocery", .files = {}, .splits = {{"", SameObjects(files.queries, files.database)}}};
  if (!AnyPositive(set.splits[0])) {
    return base::InvalidArgument("SET_EMPTY", absl::StrCat(folder,
                                                           "/grocery/labels.csv has no product in both splits. "
                                                           "Copy the file again."));
  }
  set.files = std::move(files);
  return set;
}

absl::StatusOr<QualitySet> LandmarkSet(const std::string& name, const std::string& folder) {
  SIGHTLINE_ASSIGN_OR_RETURN(LandmarkFiles landmarks, ReadLandmarkLabels(folder));
  SIGHTLINE_ASSIGN_OR_RETURN(Judgements truth, ReadJudgements(folder, landmarks));
  QualitySet set{.name = name, .files = std::move(landmarks.files), .precision = Precision::kTrapezoid, .splits = {}};
  set.splits.push_back({"Easy", {truth.easy, Both(truth.junk, truth.hard)}});
  set.splits.push_back({"Medium", {Both(truth.easy, truth.hard), truth.junk}});
  set.splits.push_back({"Hard", {truth.hard, Both(truth.junk, truth.easy)}});
  // A split that no query has an answer in has no value.
  std::erase_if(set.splits, [](const QualitySplit& split) { return !AnyPositive(split); });
  if (set.splits.empty()) {
    return base::InvalidArgument("SET_EMPTY", absl::StrCat(folder,
                                                           "/ground_truth.csv has no easy and no hard picture. "
                                                           "Make the set again, with more views."));
  }
  return set;
}

QualitySet DrawQueries(const QualitySet& set, size_t count, uint64_t seed) {
  std::vector<size_t> order(set.files.queries.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937_64 random(seed);
  // Not std::shuffle, whose draws are each library's own.
  for (size_t i = 0; i < count; ++i) std::swap(order[i], order[i + random() % (order.size() - i)]);
  order.resize(count);
  std::sort(order.begin(), order.end());
  QualitySet out = set;
  out.files.queries = Chosen(set.files.queries, order);
  for (QualitySplit& split : out.splits) {
    split.relevance.positives = Chosen(split.relevance.positives, order);
    if (!split.relevance.ignored.empty()) split.relevance.ignored = Chosen(split.relevance.ignored, order);
  }
  std::erase_if(out.splits, [](const QualitySplit& split) { return !AnyPositive(split); });
  return out;
}

}  // namespace sightline::bench
