#include "server/services/snapshot_service.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "server/convert.h"
#include "server/operations.h"
#include "server/page_token.h"
#include "server/services/field_checks.h"

namespace sightline::server {
namespace {

constexpr int64_t kPieceBytes = 1 << 20;
constexpr int kMaxTransfers = 8;
constexpr int kTransferThreads = 2;

// Of a snapshot's name; 0 where it has none.
uint64_t SnapshotNumber(absl::string_view name) {
  uint64_t number = 0;
  return absl::ConsumePrefix(&name, "snapshots/") && absl::SimpleAtoi(name, &number) ? number : 0;
}

}  // namespace

// A transfer has one task at a time; every request in hand may bring one that only hears that there is no slot.
SnapshotService::SnapshotService(const ServiceContext& context)
    : context_(context),
      transfers_({.name = "transfer",
                  .threads = kTransferThreads,
                  .max_queue = 2 * static_cast<size_t>(context.limits.max_in_flight),
                  .on_thread_start = {}}) {}

void SnapshotService::Create(const RequestPtr& request, const v1::CreateSnapshotRequest& message,
                             v1::CreateSnapshotResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the collection."));
        SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, context_.database.Find(message.collection()));
        const std::string name = collection->config().name;
        index::Database& database = context_.database;
        const auto work = [&database, name](const index::Progress& progress) -> absl::StatusOr<google::protobuf::Any> {
          SIGHTLINE_ASSIGN_OR_RETURN(const index::SnapshotInfo info, database.CreateSnapshot(name, progress));
          v1::Snapshot result;
          ToProto(info, &result);
          return Packed(result);
        };
        SIGHTLINE_ASSIGN_OR_RETURN(*reply->mutable_operation(), context_.operations.Start("snapshot", name, work));
        return absl::OkStatus();
      },
      std::move(done));
}

void SnapshotService::List(const RequestPtr& request, const v1::ListSnapshotsRequest& message,
                           v1::ListSnapshotsResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_ASSIGN_OR_RETURN(const int page_size, PageSize(message.page_size(), context_.limits.max_page_size));
        SIGHTLINE_ASSIGN_OR_RETURN(const uint64_t before, ReadTokenBefore(message.page_token()));
        std::string name = message.collection();
        if (const auto collection = context_.database.Find(name); collection.ok()) name = (*collection)->config().name;
        SIGHTLINE_ASSIGN_OR_RETURN(const auto snapshots, context_.database.ListSnapshots(name));
        if (snapshots.empty() && !message.collection().empty()) {
          // A deleted collection may have left some; one that never was is a mistake.
          SIGHTLINE_RETURN_IF_ERROR(context_.database.Find(message.collection()).status());
        }
        for (const index::SnapshotInfo& info : snapshots) {
          if (SnapshotNumber(info.name) >= before) continue;
          if (reply->snapshots_size() == page_size) {
            reply->set_next_page_token(TokenBefore(SnapshotNumber(reply->snapshots(page_size - 1).name())));
            break;
          }
          ToProto(info, reply->add_snapshots());
        }
        return absl::OkStatus();
      },
      std::move(done));
}

void SnapshotService::Restore(const RequestPtr& request, const v1::RestoreSnapshotRequest& message,
                              v1::RestoreSnapshotResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("snapshot", message.snapshot(), "Name the snapshot."));
        SIGHTLINE_RETURN_IF_ERROR(Required("collection", message.collection(), "Name the new collection."));
        SIGHTLINE_RETURN_IF_ERROR(index::ValidateCollectionName(message.collection()));
        // What is wrong from the start is said now, not by an operation that fails.
        SIGHTLINE_RETURN_IF_ERROR(context_.database.ReadSnapshot(message.snapshot()).status());
        if (!absl::IsNotFound(context_.database.Find(message.collection()).status())) {
          return base::Error(absl::StatusCode::kAlreadyExists, "COLLECTION_EXISTS",
                             absl::StrCat("there is already a collection or an alias named ", message.collection(),
                                          ". Delete it, or choose another name."),
                             {{"collection", message.collection()}});
        }
        index::Database& database = context_.database;
        const auto work = [&database, snapshot = message.snapshot(), name = message.collection()](
                              const index::Progress& progress) -> absl::StatusOr<google::protobuf::Any> {
          SIGHTLINE_ASSIGN_OR_RETURN(const auto collection, database.RestoreSnapshot(snapshot, name, progress));
          v1::Collection result;
          ToProto(*collection, &result);
          return Packed(result);
        };
        SIGHTLINE_ASSIGN_OR_RETURN(*reply->mutable_operation(),
                                   context_.operations.Start("restore", message.collection(), work));
        return absl::OkStatus();
      },
      std::move(done));
}

void SnapshotService::Delete(const RequestPtr& request, const v1::DeleteSnapshotRequest& message,
                             v1::DeleteSnapshotResponse* /*reply*/, Done done) {
  RunOnWorkers(
      context_, request,
      [this, &message]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the snapshot to delete."));
        return context_.database.DeleteSnapshot(message.name());
      },
      std::move(done));
}

// ---- Transfers

absl::StatusOr<std::unique_ptr<SnapshotService::Slot>> SnapshotService::TakeSlot() {
  auto slot = std::make_unique<Slot>(&used_slots_);
  if (used_slots_ <= kMaxTransfers) return slot;
  context_.metrics.CountRejected("transfers");
  return base::RetryableError(absl::StatusCode::kResourceExhausted, "TOO_MANY_TRANSFERS",
                              absl::StrCat(kMaxTransfers,
                                           " snapshots are being sent or taken in, the most at once. Try again when "
                                           "one has ended."),
                              absl::Seconds(5), {{"limit", absl::StrCat(kMaxTransfers)}});
}

absl::StatusOr<std::unique_ptr<SnapshotService::Download>> SnapshotService::StartDownload(
    const v1::DownloadSnapshotRequest& message) {
  SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the snapshot to download."));
  SIGHTLINE_ASSIGN_OR_RETURN(auto slot, TakeSlot());
  SIGHTLINE_ASSIGN_OR_RETURN(auto reader, context_.database.ReadSnapshot(message.name()));
  return std::make_unique<Download>(std::move(slot), std::move(reader), message.offset());
}

SnapshotService::Download::Download(std::unique_ptr<Slot> slot, std::unique_ptr<index::SnapshotReader> reader,
                                    int64_t offset)
    : slot_(std::move(slot)), reader_(std::move(reader)), offset_(offset) {}

absl::StatusOr<bool> SnapshotService::Download::Next(v1::DownloadSnapshotResponse* piece) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::string data, reader_->Read(offset_, kPieceBytes));
  if (data.empty()) return false;
  piece->set_offset(offset_);
  piece->set_total_bytes(reader_->size());
  offset_ += static_cast<int64_t>(data.size());
  piece->set_data(std::move(data));
  return true;
}

absl::StatusOr<std::unique_ptr<SnapshotService::Upload>> SnapshotService::StartUpload() {
  SIGHTLINE_ASSIGN_OR_RETURN(auto slot, TakeSlot());
  return std::make_unique<Upload>(std::move(slot), context_.database);
}

absl::Status SnapshotService::Upload::Take(const v1::UploadSnapshotRequest& piece) {
  if (writer_ == nullptr) {
    SIGHTLINE_RETURN_IF_ERROR(Required("sha256", piece.sha256(), "Send the one that the snapshot's listing shows."));
    SIGHTLINE_ASSIGN_OR_RETURN(writer_, database_.WriteSnapshot(piece.sha256()));
    sha256_ = piece.sha256();
  }
  if (!piece.sha256().empty() && piece.sha256() != sha256_) {
    return base::InvalidArgument("SHA256_CHANGED",
                                 "this piece names another sha256 than the first. Send one snapshot per stream.",
                                 {{"field", "sha256"}});
  }
  const auto size = static_cast<int64_t>(piece.data().size());
  if (size > kPieceBytes) {
    return base::InvalidArgument(
        "PIECE_TOO_LARGE",
        absl::StrCat("a piece has ", size, " bytes; the limit is ", kPieceBytes, ". Send smaller pieces."),
        {{"field", "data"}, {"actual", absl::StrCat(size)}, {"limit", absl::StrCat(kPieceBytes)}});
  }
  if (piece.offset() != offset_) {
    return base::InvalidArgument(
        "OFFSET_INVALID",
        absl::StrCat("a piece starts at ", piece.offset(), "; it must start at ", offset_,
                     ", where the one before ended. Send the pieces in order, from 0."),
        {{"field", "offset"}, {"actual", absl::StrCat(piece.offset())}, {"expected", absl::StrCat(offset_)}});
  }
  offset_ += size;
  return writer_->Append(piece.data());
}

absl::Status SnapshotService::Upload::Finish(v1::UploadSnapshotResponse* reply) {
  if (writer_ == nullptr) {
    return base::InvalidArgument("NO_PIECES", "the stream ended without a piece. Send the snapshot's bytes.");
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const index::SnapshotInfo info, writer_->Finish());
  ToProto(info, reply->mutable_snapshot());
  return absl::OkStatus();
}

}  // namespace sightline::server
