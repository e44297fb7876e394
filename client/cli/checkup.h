// Checkup: what `doctor` finds, one line per check, each with a next step where something is not well.
//
// Threading: pure functions of their arguments. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_CHECKUP_H_
#define SIGHTLINE_CLIENT_CLI_CHECKUP_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/cpp/client.h"

namespace sightline::cli {

enum class Verdict { kOk, kWarn, kFail };

struct Check {
  std::string name;
  Verdict verdict = Verdict::kOk;
  std::string found;
  std::string next_step = {};  // empty when all is well
};

// Checks of a server that answered with `info`; `version` is the client's.
std::vector<Check> CheckServer(const v1::GetServerInfoResponse& info, const std::string& version);

// The check of its serving state.
Check CheckServing(const absl::StatusOr<client::Health>& health);

// The checks of its collections.
std::vector<Check> CheckCollections(const absl::StatusOr<std::vector<v1::Collection>>& collections);

std::string VerdictName(Verdict verdict);  // "ok", "warn", "fail"

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_CHECKUP_H_
