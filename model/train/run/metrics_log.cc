#include "model/train/run/metrics_log.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"

namespace sightline::train {
namespace {

constexpr int64_t kMostMetricsBytes = 1 << 30;

absl::Status CannotAppend(const std::string& path) {
  return base::Error(absl::StatusCode::kInternal, "FILE_ERROR",
                     absl::StrCat("cannot write to ", path, ". Check the disk and the owner of the file."),
                     {{"path", path}});
}

std::string Line(const std::vector<std::string>& columns, const std::map<std::string, double>& row) {
  std::vector<std::string> cells;
  for (const std::string& column : columns) {
    const auto cell = row.find(column);
    cells.push_back(cell == row.end() ? "" : absl::StrFormat("%.9g", cell->second));
  }
  return absl::StrJoin(cells, ",") + "\n";
}

}  // namespace

absl::StatusOr<std::vector<std::map<std::string, double>>> ReadMetrics(const std::string& path) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::string text, base::ReadFile(path, kMostMetricsBytes));
  // The last line of a process that was killed may end within a number.
  text.resize(text.rfind('\n') + 1);  // 0 where there is none: npos + 1
  std::vector<std::map<std::string, double>> rows;
  std::vector<std::string> columns;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> cells = absl::StrSplit(line, ',');
    if (columns.empty()) {
      columns = cells;
      continue;
    }
    std::map<std::string, double> row;
    for (size_t i = 0; i < std::min(cells.size(), columns.size()); ++i) {
      if (double value = 0; absl::SimpleAtod(cells[i], &value) && std::isfinite(value)) row[columns[i]] = value;
    }
    if (cells.size() == columns.size()) rows.push_back(std::move(row));
  }
  return rows;
}

absl::StatusOr<std::unique_ptr<MetricsLog>> MetricsLog::Open(const std::string& path,
                                                             const std::vector<std::string>& parts, int64_t step) {
  std::vector<std::string> columns = {"step", "epoch", "loss"};
  columns.insert(columns.end(), parts.begin(), parts.end());
  columns.insert(columns.end(), {"learning_rate", "gradient_norm", "images_per_second", "map", "recall_at_1"});
  std::string text = absl::StrJoin(columns, ",") + "\n";
  std::error_code error;
  if (step > 0 && std::filesystem::exists(path, error)) {
    SIGHTLINE_ASSIGN_OR_RETURN(const auto rows, ReadMetrics(path));
    for (const auto& row : rows) {
      const auto at = row.find("step");
      if (at == row.end() || at->second < 0 || at->second > static_cast<double>(step)) continue;
      absl::StrAppend(&text, Line(columns, row));
    }
  }
  SIGHTLINE_RETURN_IF_ERROR(base::WriteFileDurably(path, text));
  return std::unique_ptr<MetricsLog>(new MetricsLog(path, std::move(columns)));
}

absl::Status MetricsLog::Write(const std::map<std::string, double>& row) {
  std::ofstream file(path_, std::ios::app);
  file << Line(columns_, row);
  file.flush();
  return file.good() ? absl::OkStatus() : CannotAppend(path_);
}

}  // namespace sightline::train
