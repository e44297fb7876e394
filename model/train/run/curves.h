// The curves of a run, from its metrics.csv: loss over steps, and below it mAP and R@1 of the validations.
//
// Threading: pure functions of the file system. Failure: Status that names the file.
//
//   SIGHTLINE_RETURN_IF_ERROR(DrawCurves("runs/tiny"));  // curves.svg and curves.png
#ifndef SIGHTLINE_MODEL_TRAIN_RUN_CURVES_H_
#define SIGHTLINE_MODEL_TRAIN_RUN_CURVES_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace sightline::train {

// Points (step, value) by column, in the order of the file.
using Curve = std::vector<std::pair<double, double>>;

Curve CurveOf(const std::vector<std::map<std::string, double>>& rows, const std::string& column);

absl::Status DrawCurves(const std::string& out);

}  // namespace sightline::train

#endif  // SIGHTLINE_MODEL_TRAIN_RUN_CURVES_H_
