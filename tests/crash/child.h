// The child of the kill loop: a process that writes the script until it is killed, while it searches, optimises, takes
// snapshots, and makes and deletes other collections.
//
// What it reports, a line each, through a pipe: "open" once the data are open; the number of each write once it is
// acknowledged, in order; "made K", "deleting K" and "deleted K" of the collection named OtherName(K).
#ifndef SIGHTLINE_TESTS_CRASH_CHILD_H_
#define SIGHTLINE_TESTS_CRASH_CHILD_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "index/database.h"

namespace sightline::index {

inline constexpr char kScriptCollection[] = "kills";
std::string OtherName(int64_t k);

// With small segments, so that sealing, graphs and rebuilds go on all the time.
absl::StatusOr<std::unique_ptr<Database>> OpenForKills(const std::string& folder);
absl::StatusOr<std::shared_ptr<Collection>> FindOrCreate(Database& database, const std::string& name);

// Writes first, first + 1, ... up to `end`, then stops in an orderly way (or is killed before). Returns the exit code.
int RunChild(const std::string& folder, int64_t first, int64_t end, int pipe);

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_CRASH_CHILD_H_
