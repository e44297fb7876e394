// The snapshot part of CollectionService without gRPC: messages in, messages out, and streams piece by piece.
//
// Threading: unary methods may be called from any thread and answer on a worker thread. A download or an upload is used
// by one thread at a time, on a thread that may wait for the disk: `transfers()`, which is not the pool of searches, so
// that copying a snapshot delays none. Ownership: downloads and uploads must not outlive the service. Failure: Status.
#ifndef SIGHTLINE_SERVER_SERVICES_SNAPSHOT_SERVICE_H_
#define SIGHTLINE_SERVER_SERVICES_SNAPSHOT_SERVICE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/thread_pool.h"
#include "server/request.h"
#include "server/services/service_context.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {

class SnapshotService {
 public:
  using Done = std::function<void(absl::Status)>;

  explicit SnapshotService(const ServiceContext& context);

  void Create(const RequestPtr& request, const v1::CreateSnapshotRequest& message, v1::CreateSnapshotResponse* reply,
              Done done);
  void List(const RequestPtr& request, const v1::ListSnapshotsRequest& message, v1::ListSnapshotsResponse* reply,
            Done done);
  void Restore(const RequestPtr& request, const v1::RestoreSnapshotRequest& message, v1::RestoreSnapshotResponse* reply,
               Done done);
  void Delete(const RequestPtr& request, const v1::DeleteSnapshotRequest& message, v1::DeleteSnapshotResponse* reply,
              Done done);

  // One of the few transfers that may run at once.
  class Slot {
   public:
    explicit Slot(std::atomic<int>* used) : used_(used) { ++*used_; }
    ~Slot() { --*used_; }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

   private:
    std::atomic<int>* const used_;
  };

  class Download {
   public:
    Download(std::unique_ptr<Slot> slot, std::unique_ptr<index::SnapshotReader> reader, int64_t offset);
    // False after the last piece.
    absl::StatusOr<bool> Next(v1::DownloadSnapshotResponse* piece);

   private:
    const std::unique_ptr<Slot> slot_;
    const std::unique_ptr<index::SnapshotReader> reader_;
    int64_t offset_;
  };

  class Upload {
   public:
    Upload(std::unique_ptr<Slot> slot, index::Database& database) : slot_(std::move(slot)), database_(database) {}
    absl::Status Take(const v1::UploadSnapshotRequest& piece);
    absl::Status Finish(v1::UploadSnapshotResponse* reply);

   private:
    const std::unique_ptr<Slot> slot_;
    index::Database& database_;
    std::string sha256_;
    std::unique_ptr<index::SnapshotWriter> writer_;  // after the first piece
    int64_t offset_ = 0;
  };

  absl::StatusOr<std::unique_ptr<Download>> StartDownload(const v1::DownloadSnapshotRequest& message);
  absl::StatusOr<std::unique_ptr<Upload>> StartUpload();

  base::ThreadPool& transfers() { return transfers_; }

 private:
  absl::StatusOr<std::unique_ptr<Slot>> TakeSlot();

  const ServiceContext context_;
  std::atomic<int> used_slots_ = 0;
  base::ThreadPool transfers_;  // first to go: its tasks use all of the above
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_SNAPSHOT_SERVICE_H_
