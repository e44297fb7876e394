#include "model/train/study/held_out.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"

namespace sightline::train {
namespace {

constexpr int64_t kMostTableBytes = int64_t{1} << 30;
constexpr double kMostPixels = 1e6;  // a box's coordinate

class HeldOutReader {
 public:
  explicit HeldOutReader(const std::string& folder) : folder_(folder) {}

  absl::StatusOr<HeldOutSet> Read() {
    SIGHTLINE_RETURN_IF_ERROR(ReadLabels());
    set_.verdicts.assign(set_.queries.size(), std::vector<Relevance>(set_.database.size(), Relevance::kWrong));
    SIGHTLINE_RETURN_IF_ERROR(ReadGroundTruth());
    if (right_ == 0) {
      return base::InvalidArgument(
          "HELD_OUT_EMPTY",
          absl::StrCat(folder_, " holds ", set_.queries.size(), " queries and ", set_.database.size(),
                       " pictures to search, and none of the queries has an easy or hard picture to find. Make a set "
                       "with `sightline-train landmarks`."));
    }
    return std::move(set_);
  }

 private:
  std::string Path(absl::string_view name) const { return absl::StrCat(folder_, "/", name); }

  absl::Status ReadLabels() {
    const std::string path = Path("labels.csv");
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMostTableBytes));
    SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(path, text));
    SIGHTLINE_ASSIGN_OR_RETURN(const size_t name, csv.Column("path"));
    SIGHTLINE_ASSIGN_OR_RETURN(const size_t split, csv.Column("split"));
    std::optional<std::array<size_t, 4>> box;
    if (csv.FindColumn("x0").has_value()) {
      box.emplace();
      constexpr std::array<absl::string_view, 4> kSides = {"x0", "y0", "x1", "y1"};
      for (size_t i = 0; i < kSides.size(); ++i) {
        SIGHTLINE_ASSIGN_OR_RETURN((*box)[i], csv.Column(kSides[i]));
      }
    }
    while (true) {
      SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
      if (!more) return absl::OkStatus();
      if (!base::LeadsInside(csv[name])) {
        return csv.Wrong(name, "it must lead to a file below the folder. Write it relative to the folder.");
      }
      const bool query = csv[split] == "query";
      if (!query && csv[split] != "index") return csv.Wrong(split, "it must be query or index. Correct it.");
      Photo photo{.path = Path(csv[name]), .query = query};
      // What a query shows is known; a picture of the database is searched as it is.
      if (query && box.has_value()) {
        SIGHTLINE_ASSIGN_OR_RETURN(photo.box, Box(csv, *box));
      }
      std::vector<Photo>& side = query ? set_.queries : set_.database;
      if (!places_.emplace(csv[name], Place{query, side.size()}).second) {
        return csv.Wrong(name, "another line has it, too. Remove one of them.");
      }
      side.push_back(std::move(photo));
    }
  }

  static absl::StatusOr<image::CropBox> Box(const base::CsvReader& csv, const std::array<size_t, 4>& columns) {
    std::array<double, 4> sides;
    for (size_t i = 0; i < sides.size(); ++i) {
      SIGHTLINE_ASSIGN_OR_RETURN(sides[i], csv.Number(columns[i], -kMostPixels, kMostPixels));
    }
    const auto [x0, y0, x1, y1] = sides;
    if (x1 <= x0) return csv.Wrong(columns[2], absl::StrCat("it must be more than x0, ", x0, ". Correct the box."));
    if (y1 <= y0) return csv.Wrong(columns[3], absl::StrCat("it must be more than y0, ", y0, ". Correct the box."));
    return image::CropBox{x0, y0, x1, y1, image::CropBox::Unit::kPixel};
  }

  absl::Status ReadGroundTruth() {
    const std::string path = Path("ground_truth.csv");
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMostTableBytes));
    SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(path, text));
    SIGHTLINE_ASSIGN_OR_RETURN(const size_t query, csv.Column("query"));
    SIGHTLINE_ASSIGN_OR_RETURN(const size_t image, csv.Column("image"));
    SIGHTLINE_ASSIGN_OR_RETURN(const size_t relevance, csv.Column("relevance"));
    while (true) {
      SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
      if (!more) return absl::OkStatus();
      const auto q = places_.find(csv[query]);
      if (q == places_.end() || !q->second.query) {
        return csv.Wrong(query, "labels.csv has no query of that path. Correct it.");
      }
      const auto d = places_.find(csv[image]);
      if (d == places_.end() || d->second.query) {
        return csv.Wrong(image, "labels.csv has no picture of that path in the split index. Correct it.");
      }
      const std::optional<Relevance> judged = Judgement(csv[relevance]);
      if (!judged.has_value()) return csv.Wrong(relevance, "it must be easy, hard or junk. Correct it.");
      Relevance& verdict = set_.verdicts[q->second.at][d->second.at];
      if (verdict != Relevance::kWrong) {
        return csv.Wrong(image, "an earlier line has judged it for this query. Remove one of them.");
      }
      verdict = *judged;
      right_ += verdict == Relevance::kJunk ? 0 : 1;
    }
  }

  static std::optional<Relevance> Judgement(absl::string_view text) {
    if (text == "easy") return Relevance::kEasy;
    if (text == "hard") return Relevance::kHard;
    if (text == "junk") return Relevance::kJunk;
    return std::nullopt;
  }

  struct Place {
    bool query = false;
    size_t at = 0;  // in the queries or in the database
  };

  const std::string folder_;
  HeldOutSet set_;
  absl::flat_hash_map<std::string, Place> places_;
  int64_t right_ = 0;
};

}  // namespace

absl::StatusOr<HeldOutSet> ReadHeldOut(const std::string& folder) { return HeldOutReader(folder).Read(); }

}  // namespace sightline::train
