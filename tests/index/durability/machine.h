// Machine: a database with one collection on a disk that can fail and lose power.
//
// Threading: one thread. Failure: Status from what it opens.
#ifndef SIGHTLINE_TESTS_INDEX_DURABILITY_MACHINE_H_
#define SIGHTLINE_TESTS_INDEX_DURABILITY_MACHINE_H_

#include <cstdlib>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "index/database.h"
#include "tests/index/durability/truth.h"
#include "tests/support/fault_env.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {

// The sanitizers' builds and CI do little of what a night does: SIGHTLINE_SLOW_TESTS=1.
inline bool SlowTests() {
  const char* text = std::getenv("SIGHTLINE_SLOW_TESTS");
  return text != nullptr && *text != '\0' && *text != '0';
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kSanitizerShare = 5;
#else
inline constexpr int kSanitizerShare = 1;
#endif

// `ci` in CI, a share of it under a sanitizer, `night` at night.
inline int Dose(int ci, int night) { return SlowTests() ? night : (ci + kSanitizerShare - 1) / kSanitizerShare; }

// Progress that never cancels.
inline constexpr auto kToTheEnd = [](int64_t, int64_t) { return true; };

// Small enough that a few writes seal chunks and fill segments.
inline DatabaseOptions SmallSegments(const std::string& directory) {
  DatabaseOptions options;
  options.directory = directory;
  options.segments = {.chunk_rows = 64, .segment_rows = 512};
  return options;
}

struct Machine {
  explicit Machine(const std::string& folder) : data(folder + "/data"), env(data, folder + "/attic") {}

  // Opens the database and the collection; makes it when there is none.
  absl::Status Open() {
    DatabaseOptions options = SmallSegments(data);
    options.write_buffer_bytes = write_buffer_bytes;
    options.recovery_rest = recovery_rest;
    options.env = env.env();
    auto opened = Database::Open(options);
    if (!opened.ok()) return opened.status();
    database = *std::move(opened);
    if (!database->damaged().empty()) return database->damaged()[0].status;
    auto found = database->Find("shop");
    if (absl::IsNotFound(found.status())) found = database->Create(TruthConfig("shop"));
    if (!found.ok()) return found.status();
    collection = *std::move(found);
    return absl::OkStatus();
  }

  void Close() {
    collection.reset();
    database.reset();
  }

  const std::string data;
  size_t write_buffer_bytes = DatabaseOptions().write_buffer_bytes;
  int recovery_rest = 0;  // so that every write tries, and soon
  sightline::testing::FaultEnv env;
  std::unique_ptr<Database> database;
  std::shared_ptr<Collection> collection;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_INDEX_DURABILITY_MACHINE_H_
