// MetricsLog: metrics.csv of a training run, a row every few steps.
//
//   step,epoch,loss,PART...,learning_rate,gradient_norm,images_per_second,map,recall_at_1
//
// Cells that a row has no value for are empty. A run that goes on from a checkpoint drops the rows behind it first, and
// what is no row.
//
// Threading: one thread at a time. Failure: Status of the file system, with the file's name. Damage within the file is
// none: it costs the rows it is in.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto log, MetricsLog::Open("runs/tiny/metrics.csv", {"labels", "tokens"}, /*step=*/0));
//   SIGHTLINE_RETURN_IF_ERROR(log->Write({{"step", 10}, {"loss", 3.2}}));
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_METRICS_LOG_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_METRICS_LOG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace sightline::train {

class MetricsLog {
 public:
  // Keeps the rows up to `step` of a file that is there.
  static absl::StatusOr<std::unique_ptr<MetricsLog>> Open(const std::string& path,
                                                          const std::vector<std::string>& parts, int64_t step);
  absl::Status Write(const std::map<std::string, double>& row);

 private:
  MetricsLog(std::string path, std::vector<std::string> columns)
      : path_(std::move(path)), columns_(std::move(columns)) {}
  const std::string path_;
  const std::vector<std::string> columns_;
};

// The rows of such a file, by column. Left out are cells without a finite number, lines with too many cells or too few,
// and a last line without its end.
absl::StatusOr<std::vector<std::map<std::string, double>>> ReadMetrics(const std::string& path);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_METRICS_LOG_H_
