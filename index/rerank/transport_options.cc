#include "index/rerank/transport_options.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::index::rerank {
namespace {

constexpr double kLeastEpsilon = 1e-3, kMostEpsilon = 10;
constexpr double kLeastTemperature = 1e-3, kMostTemperature = 1000;
constexpr int kMostRounds = 10'000;

absl::Status OptionError(absl::string_view what, absl::string_view actual, absl::string_view limit) {
  return base::InvalidArgument(
      "TRANSPORT_OPTIONS_INVALID",
      absl::StrCat(what, " is ", actual, "; it must be ", limit, ". Choose one in that range."),
      {{"actual", std::string(actual)}, {"limit", std::string(limit)}});
}

// False for NaN.
bool Within(double value, double least, double most) { return value >= least && value <= most; }

}  // namespace

absl::Status ValidateTransport(const TransportOptions& options) {
  if (!Within(options.epsilon, kLeastEpsilon, kMostEpsilon)) {
    return OptionError("epsilon", absl::StrCat(options.epsilon), "0.001 to 10");
  }
  if (!(options.mass > 0 && options.mass <= 1)) {
    return OptionError("mass", absl::StrCat(options.mass), "above 0 and at most 1");
  }
  if (!Within(options.temperature, kLeastTemperature, kMostTemperature)) {
    return OptionError("temperature", absl::StrCat(options.temperature), "0.001 to 1000");
  }
  if (options.max_rounds < 1 || options.max_rounds > kMostRounds) {
    return OptionError("max_rounds", absl::StrCat(options.max_rounds), "1 to 10000");
  }
  if (!(options.tolerance > 0 && options.tolerance <= 1)) {
    return OptionError("tolerance", absl::StrCat(options.tolerance), "above 0 and at most 1");
  }
  if (options.query_cells < 0) {
    return OptionError("query_cells", absl::StrCat(options.query_cells), "0 (all of them) or more");
  }
  if (options.result_cells < 0) {
    return OptionError("result_cells", absl::StrCat(options.result_cells), "0 (all of them) or more");
  }
  return absl::OkStatus();
}

}  // namespace sightline::index::rerank
