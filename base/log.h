// The log: one JSON object per line on standard error, by spdlog.
//
// Threading: all functions may be called from any thread. Failure: none; a line that cannot be written is lost.
//
//   base::Log(base::Severity::kInfo, "collection opened", {{"collection", name}, {"images", absl::StrCat(n)}});
//   {"time":"2026-01-31T12:00:00.000Z","level":"info","message":"collection opened","collection":"shop","images":"480"}
#ifndef SIGHTLINE_BASE_LOG_H_
#define SIGHTLINE_BASE_LOG_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::base {

enum class Severity { kDebug, kInfo, kWarning, kError, kOff };

using LogFields = std::vector<std::pair<std::string, std::string>>;

// Lines below `severity` are not written. The default is kInfo.
void SetLogLevel(Severity severity);

// Whether lines of `severity` are written: for a caller who would make one at some cost.
bool LogEnabled(Severity severity);

// "debug", "info", "warning", "error" or "off".
absl::StatusOr<Severity> ParseSeverity(absl::string_view name);

void Log(Severity severity, absl::string_view message, const LogFields& fields = {});

// `text` as a JSON string, quotes included; bytes that are not UTF-8 are replaced.
std::string JsonQuote(absl::string_view text);

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_LOG_H_
