// IndexReport: what becomes of each file of an indexing run, shown as it happens and summed up at the end.
//
// Threading: one thread at a time. Ownership: borrows the context. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_INDEX_REPORT_H_
#define SIGHTLINE_CLIENT_CLI_INDEX_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/command.h"
#include "client/cli/progress.h"
#include "client/cpp/index_many.h"

namespace sightline::cli {

class IndexReport {
 public:
  static constexpr char kRunAgain[] = "Run the same command again to go on: what is indexed is skipped.";

  // `advice`: how to go on, a sentence for a run that was interrupted or has failures.
  IndexReport(Context& context, bool json, int64_t total, std::string advice = kRunAgain);

  void Indexed(const std::string& path, const client::ItemOutcome& outcome);
  void Skipped(const std::string& path, const std::string& id);
  // Not sent: the same bytes as `first_id` of this run.
  void Duplicate(const std::string& path, const std::string& id, const std::string& first_id);
  void Failed(const std::string& path, const std::string& id, const absl::Status& status);
  // Redraws the progress when it is time to.
  void Tick();
  // Prints the sums and the failures. Returns kOk, kPartial or kInterrupted.
  int Finish(bool interrupted);
  int64_t failed() const { return count_.failed; }

 private:
  // One line of --json.
  void Event(const std::string& json);

  Context& context_;
  const bool json_;
  const int64_t total_;
  const std::string advice_;
  const base::Clock::Ticks start_;
  std::optional<Progress> progress_;
  Count count_;
  int64_t duplicates_ = 0;
  bool warned_untrained_ = false;
  std::vector<std::pair<std::string, std::string>> failures_;  // path, message
};

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_INDEX_REPORT_H_
