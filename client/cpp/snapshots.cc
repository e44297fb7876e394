#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "client/cpp/call.h"
#include "client/cpp/client.h"

namespace sightline::client {
namespace {

constexpr absl::Duration kFirstPoll = absl::Milliseconds(50);
constexpr absl::Duration kSlowestPoll = absl::Seconds(1);

}  // namespace

absl::StatusOr<v1::Operation> Client::CreateSnapshot(const std::string& collection) {
  v1::CreateSnapshotRequest request;
  request.set_collection(collection);
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::CreateSnapshot, request));
  return std::move(*response.mutable_operation());
}

absl::StatusOr<std::vector<v1::Snapshot>> Client::ListSnapshots(const std::string& collection) {
  std::vector<v1::Snapshot> all;
  v1::ListSnapshotsRequest request;
  request.set_collection(collection);
  do {
    SIGHTLINE_ASSIGN_OR_RETURN(auto page, Call(impl_->options, impl_->options.deadline, *impl_->collections,
                                               &v1::CollectionService::Stub::ListSnapshots, request));
    for (auto& snapshot : *page.mutable_snapshots()) all.push_back(std::move(snapshot));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<v1::Operation> Client::RestoreSnapshot(const std::string& snapshot, const std::string& collection) {
  v1::RestoreSnapshotRequest request;
  request.set_snapshot(snapshot);
  request.set_collection(collection);
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::RestoreSnapshot, request));
  return std::move(*response.mutable_operation());
}

absl::Status Client::DeleteSnapshot(const std::string& name) {
  v1::DeleteSnapshotRequest request;
  request.set_name(name);
  return Call(impl_->options, impl_->options.upload_deadline, *impl_->collections,
              &v1::CollectionService::Stub::DeleteSnapshot, request)
      .status();
}

absl::Status Client::DownloadSnapshot(
    const std::string& name, int64_t offset,
    const std::function<absl::Status(const v1::DownloadSnapshotResponse&)>& on_piece) {
  v1::DownloadSnapshotRequest request;
  request.set_name(name);
  request.set_offset(offset);
  const absl::Duration deadline = impl_->options.transfer_deadline;
  grpc::ClientContext context;
  AddCredentials(impl_->options, &context);
  context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
  const auto reader = impl_->collections->DownloadSnapshot(&context, request);
  v1::DownloadSnapshotResponse piece;
  absl::Status status;
  while (status.ok() && reader->Read(&piece)) status = on_piece(piece);
  if (!status.ok()) {
    context.TryCancel();
    reader->Finish();
    return status;
  }
  return FromGrpc(reader->Finish(), {impl_->options.address, deadline});
}

absl::StatusOr<v1::Snapshot> Client::UploadSnapshot(const std::string& sha256,
                                                    const std::function<absl::StatusOr<std::string>()>& next_piece) {
  const absl::Duration deadline = impl_->options.transfer_deadline;
  grpc::ClientContext context;
  AddCredentials(impl_->options, &context);
  context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
  v1::UploadSnapshotResponse response;
  const auto writer = impl_->collections->UploadSnapshot(&context, &response);
  v1::UploadSnapshotRequest request;
  request.set_sha256(sha256);
  int64_t offset = 0;
  while (true) {
    absl::StatusOr<std::string> piece = next_piece();
    if (!piece.ok()) {
      context.TryCancel();
      writer->Finish();
      return piece.status();
    }
    if (piece->empty()) break;
    request.set_offset(offset);
    offset += static_cast<int64_t>(piece->size());
    request.set_data(*std::move(piece));
    // A write that fails has its reason in the status of the call.
    if (!writer->Write(request)) break;
    request.clear_sha256();
  }
  writer->WritesDone();
  SIGHTLINE_RETURN_IF_ERROR(FromGrpc(writer->Finish(), {impl_->options.address, deadline}));
  return std::move(*response.mutable_snapshot());
}

absl::StatusOr<v1::Operation> Client::WaitForOperation(const std::string& name,
                                                       const std::function<void(const v1::Operation&)>& on_progress) {
  for (absl::Duration wait = kFirstPoll;; wait = std::min(2 * wait, kSlowestPoll)) {
    SIGHTLINE_ASSIGN_OR_RETURN(v1::Operation operation, GetOperation(name));
    if (on_progress) on_progress(operation);
    switch (operation.state()) {
      case v1::Operation::STATE_SUCCEEDED: return operation;
      case v1::Operation::STATE_FAILED: {
        const absl::Status error = FromRpcStatus(operation.error());
        if (!error.ok()) return error;
        return base::Error(absl::StatusCode::kUnknown, "OPERATION_FAILED",
                           absl::StrCat(name, " failed without saying why. See the server's log."));
      }
      case v1::Operation::STATE_CANCELLED:
        return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                           absl::StrCat(name, " was cancelled. Start it again if it is still wanted."));
      default: break;
    }
    std::this_thread::sleep_for(absl::ToChronoNanoseconds(wait));
  }
}

}  // namespace sightline::client
