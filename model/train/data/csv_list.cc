// A CSV file with the columns path and label (or instance, as `sightline-train scenes` calls it), and where it has
// them:
//
//   split                rows of the configured split are taken; "query" makes a photograph a query
//   x0, y0, x1, y1       the box that shows the instance, in pixels of the upright photograph; all empty: the whole
//   latitude, longitude  degrees
//   weight               how often it is drawn, against 1
//
// Other columns are passed over.
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/status.h"
#include "model/train/data/layout.h"

namespace sightline::train {
namespace {

// Where the columns of a group stand: all of them or none.
template <size_t kCount>
absl::StatusOr<std::optional<std::array<size_t, kCount>>> FindGroup(
    const base::CsvReader& csv, const std::array<absl::string_view, kCount>& names) {
  size_t found = 0;
  for (const absl::string_view name : names) found += csv.FindColumn(name).has_value() ? 1 : 0;
  if (found == 0) return std::nullopt;
  std::array<size_t, kCount> columns;
  for (size_t i = 0; i < kCount; ++i) {
    SIGHTLINE_ASSIGN_OR_RETURN(columns[i], csv.Column(names[i]));
  }
  return columns;
}

// The numbers of a group; nothing where all its cells are empty.
template <size_t kCount>
absl::StatusOr<std::optional<std::array<double, kCount>>> ReadGroup(const base::CsvReader& csv,
                                                                    const std::array<size_t, kCount>& columns,
                                                                    const std::array<double, kCount>& limits) {
  bool any = false;
  for (const size_t column : columns) any = any || !csv[column].empty();
  if (!any) return std::nullopt;
  std::array<double, kCount> values;
  for (size_t i = 0; i < kCount; ++i) {
    SIGHTLINE_ASSIGN_OR_RETURN(values[i], csv.Number(columns[i], -limits[i], limits[i]));
  }
  return values;
}

class RowReader {
 public:
  static absl::StatusOr<RowReader> For(const DatasetConfig& config, const base::CsvReader& csv) {
    RowReader reader(config, csv);
    SIGHTLINE_ASSIGN_OR_RETURN(reader.path_, csv.Column("path"));
    const std::optional<size_t> instance = csv.FindColumn("instance");
    if (instance && !csv.FindColumn("label")) {
      reader.label_ = *instance;
    } else {
      SIGHTLINE_ASSIGN_OR_RETURN(reader.label_, csv.Column("label"));
    }
    reader.split_ = csv.FindColumn("split");
    if (!config.split.empty()) {
      SIGHTLINE_ASSIGN_OR_RETURN(reader.split_, csv.Column("split"));
    }
    reader.weight_ = csv.FindColumn("weight");
    SIGHTLINE_ASSIGN_OR_RETURN(reader.box_, FindGroup<4>(csv, {"x0", "y0", "x1", "y1"}));
    SIGHTLINE_ASSIGN_OR_RETURN(reader.position_, FindGroup<2>(csv, {"latitude", "longitude"}));
    return reader;
  }

  absl::Status AddRow(DatasetBuilder& builder) const {
    if (!config_.split.empty() && csv_[*split_] != config_.split) return absl::OkStatus();
    if (!base::LeadsInside(csv_[path_])) {
      return csv_.Wrong(path_, "it must lead to a file below the root. Write it relative to the root, without \"..\".");
    }
    if (csv_[label_].empty()) return csv_.Wrong(label_, "every photograph needs one. Name what it shows.");
    Photo photo;
    photo.path = Below(config_, csv_[path_]);
    photo.query = split_ && csv_[*split_] == "query";
    SIGHTLINE_RETURN_IF_ERROR(ReadBox(photo));
    SIGHTLINE_RETURN_IF_ERROR(ReadPosition(photo));
    if (weight_ && !csv_[*weight_].empty()) {
      SIGHTLINE_ASSIGN_OR_RETURN(photo.weight, csv_.Number(*weight_, 0, 1e6));
    }
    builder.Add(std::move(photo), csv_[label_]);
    return absl::OkStatus();
  }

 private:
  RowReader(const DatasetConfig& config, const base::CsvReader& csv) : config_(config), csv_(csv) {}

  absl::Status ReadBox(Photo& photo) const {
    if (!box_) return absl::OkStatus();
    constexpr double kMost = 1e6;
    SIGHTLINE_ASSIGN_OR_RETURN(const auto box, ReadGroup<4>(csv_, *box_, {kMost, kMost, kMost, kMost}));
    if (!box) return absl::OkStatus();
    const auto [x0, y0, x1, y1] = *box;
    if (x1 <= x0) return csv_.Wrong((*box_)[2], absl::StrCat("it must be more than x0, ", x0, ". Correct the box."));
    if (y1 <= y0) return csv_.Wrong((*box_)[3], absl::StrCat("it must be more than y0, ", y0, ". Correct the box."));
    photo.box = image::CropBox{x0, y0, x1, y1, image::CropBox::Unit::kPixel};
    return absl::OkStatus();
  }

  absl::Status ReadPosition(Photo& photo) const {
    if (!position_) return absl::OkStatus();
    SIGHTLINE_ASSIGN_OR_RETURN(const auto position, ReadGroup<2>(csv_, *position_, {90, 180}));
    if (position) photo.position = Position{(*position)[0], (*position)[1]};
    return absl::OkStatus();
  }

  const DatasetConfig& config_;
  const base::CsvReader& csv_;
  size_t path_ = 0;
  size_t label_ = 0;
  std::optional<size_t> split_;
  std::optional<size_t> weight_;
  std::optional<std::array<size_t, 4>> box_;
  std::optional<std::array<size_t, 2>> position_;
};

}  // namespace

absl::Status ReadCsv(const DatasetConfig& config, DatasetBuilder& builder) {
  SIGHTLINE_ASSIGN_OR_RETURN(const ListFile list, ReadList(config, "labels.csv"));
  SIGHTLINE_ASSIGN_OR_RETURN(base::CsvReader csv, base::CsvReader::Open(list.path, list.text));
  SIGHTLINE_ASSIGN_OR_RETURN(const RowReader rows, RowReader::For(config, csv));
  while (true) {
    SIGHTLINE_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) return absl::OkStatus();
    SIGHTLINE_RETURN_IF_ERROR(rows.AddRow(builder));
  }
}

}  // namespace sightline::train
