// Database: the collections of one data directory.
//
// Threading: all methods may be called from any thread.
// Ownership: the Database owns the collections; callers share them. It holds a lock on the directory, so that a second
// server is refused.
// Failure: Status. A collection that cannot be opened is set aside and named in damaged(); the others are served.
//
//   auto database = index::Database::Open({.directory = "/var/lib/sightline"});
//   auto collection = (*database)->Create({.name = "shop", .embedding_space = space, .descriptor_dim = 256});
#ifndef SIGHTLINE_INDEX_DATABASE_H_
#define SIGHTLINE_INDEX_DATABASE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "index/collection.h"

namespace sightline::index {

struct DatabaseOptions {
  std::string directory;
  RecordLimits limits = {};
  const base::Clock* clock = &base::Clock::Real();  // must outlive the database
  absl::Duration request_id_retention = absl::Hours(24);
  size_t max_pending_writes = 4096;      // per collection; beyond it writes get RESOURCE_EXHAUSTED
  size_t max_pending_bytes = 256 << 20;  // the same, by size; a single larger write is taken when nothing waits
  // Of all collections together.
  size_t block_cache_bytes = 256 << 20;
  size_t write_buffer_bytes = 256 << 20;
};

struct DamagedCollection {
  std::string name;
  absl::Status status;
};

class Database {
 public:
  virtual ~Database() = default;

  // Creates the directory when it does not exist.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const DatabaseOptions& options);

  // ALREADY_EXISTS when the name is taken. Durable on OK.
  virtual absl::StatusOr<std::shared_ptr<Collection>> Create(const CollectionConfig& config) = 0;

  // NOT_FOUND with the names there are (at most a few).
  virtual absl::StatusOr<std::shared_ptr<Collection>> Find(const std::string& name) const = 0;

  // By name.
  virtual std::vector<std::shared_ptr<Collection>> List() const = 0;

  // Deletes a collection and its files. Returns how many images went with it. Calls in flight end with NOT_FOUND.
  virtual absl::StatusOr<int64_t> Delete(const std::string& name) = 0;

  virtual std::vector<DamagedCollection> damaged() const = 0;

  virtual const RecordLimits& limits() const = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_DATABASE_H_
