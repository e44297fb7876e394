#include <utility>

#include "server/rpc/bindings.h"
#include "server/services/collection_service.h"
#include "server/services/snapshot_service.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {
namespace {

class CollectionBinding final : public Binding {
 public:
  CollectionBinding(const ServiceContext& context, RpcServer* server) : service_(context), snapshots_(context) {
    server->AddUnary("CollectionService/CreateCollection",
                     [this](const RequestPtr& request, const v1::CreateCollectionRequest& message,
                            v1::CreateCollectionResponse* reply,
                            Done done) { service_.Create(request, message, reply, std::move(done)); });
    server->AddUnary(
        "CollectionService/GetCollection",
        [this](const RequestPtr& request, const v1::GetCollectionRequest& message, v1::GetCollectionResponse* reply,
               Done done) { service_.Get(request, message, reply, std::move(done)); });
    server->AddUnary(
        "CollectionService/ListCollections",
        [this](const RequestPtr& request, const v1::ListCollectionsRequest& message, v1::ListCollectionsResponse* reply,
               Done done) { service_.List(request, message, reply, std::move(done)); });
    server->AddUnary("CollectionService/UpdateCollection",
                     [this](const RequestPtr& request, const v1::UpdateCollectionRequest& message,
                            v1::UpdateCollectionResponse* reply,
                            Done done) { service_.Update(request, message, reply, std::move(done)); });
    server->AddUnary("CollectionService/DeleteCollection",
                     [this](const RequestPtr& request, const v1::DeleteCollectionRequest& message,
                            v1::DeleteCollectionResponse* reply,
                            Done done) { service_.Delete(request, message, reply, std::move(done)); });
    server->AddUnary("CollectionService/OptimizeCollection",
                     [this](const RequestPtr& request, const v1::OptimizeCollectionRequest& message,
                            v1::OptimizeCollectionResponse* reply,
                            Done done) { service_.Optimize(request, message, reply, std::move(done)); });
    server->AddUnary("CollectionService/ListAttributeValues",
                     [this](const RequestPtr& request, const v1::ListAttributeValuesRequest& message,
                            v1::ListAttributeValuesResponse* reply,
                            Done done) { service_.ListValues(request, message, reply, std::move(done)); });
    server->AddUnary("CollectionService/ReembedCollection",
                     [this](const RequestPtr& request, const v1::ReembedCollectionRequest& message,
                            v1::ReembedCollectionResponse* reply,
                            Done done) { service_.Reembed(request, message, reply, std::move(done)); });
    server->AddUnary(
        "CollectionService/DropOtherSpace",
        [this](const RequestPtr& request, const v1::DropOtherSpaceRequest& message, v1::DropOtherSpaceResponse* reply,
               Done done) { service_.DropOther(request, message, reply, std::move(done)); });
    server->AddUnary(
        "CollectionService/FindDuplicates",
        [this](const RequestPtr& request, const v1::FindDuplicatesRequest& message, v1::FindDuplicatesResponse* reply,
               Done done) { service_.FindDuplicates(request, message, reply, std::move(done)); });
    server->AddUnary(
        "CollectionService/FitConfidence",
        [this](const RequestPtr& request, const v1::FitConfidenceRequest& message, v1::FitConfidenceResponse* reply,
               Done done) { service_.FitConfidence(request, message, reply, std::move(done)); });
    BindAliases(server);
    BindSnapshots(server);
  }

 private:
  void BindAliases(RpcServer* server) {
    server->AddUnary("CollectionService/SetAlias",
                     [this](const RequestPtr& request, const v1::SetAliasRequest& message, v1::SetAliasResponse* reply,
                            Done done) { service_.SetAlias(request, message, reply, std::move(done)); });
    server->AddUnary(
        "CollectionService/DeleteAlias",
        [this](const RequestPtr& request, const v1::DeleteAliasRequest& message, v1::DeleteAliasResponse* reply,
               Done done) { service_.DeleteAlias(request, message, reply, std::move(done)); });
  }

  void BindSnapshots(RpcServer* server) {
    server->AddUnary(
        "CollectionService/CreateSnapshot",
        [this](const RequestPtr& request, const v1::CreateSnapshotRequest& message, v1::CreateSnapshotResponse* reply,
               Done done) { snapshots_.Create(request, message, reply, std::move(done)); });
    server->AddUnary(
        "CollectionService/ListSnapshots",
        [this](const RequestPtr& request, const v1::ListSnapshotsRequest& message, v1::ListSnapshotsResponse* reply,
               Done done) { snapshots_.List(request, message, reply, std::move(done)); });
    server->AddUnary(
        "CollectionService/RestoreSnapshot",
        [this](const RequestPtr& request, const v1::RestoreSnapshotRequest& message, v1::RestoreSnapshotResponse* reply,
               Done done) { snapshots_.Restore(request, message, reply, std::move(done)); });
    server->AddUnary(
        "CollectionService/DeleteSnapshot",
        [this](const RequestPtr& request, const v1::DeleteSnapshotRequest& message, v1::DeleteSnapshotResponse* reply,
               Done done) { snapshots_.Delete(request, message, reply, std::move(done)); });
    server->AddDownload<v1::DownloadSnapshotRequest, v1::DownloadSnapshotResponse, SnapshotService::Download>(
        "CollectionService/DownloadSnapshot", &snapshots_.transfers(),
        [this](const v1::DownloadSnapshotRequest& message) { return snapshots_.StartDownload(message); });
    server->AddUpload<v1::UploadSnapshotRequest, v1::UploadSnapshotResponse, SnapshotService::Upload>(
        "CollectionService/UploadSnapshot", &snapshots_.transfers(), [this] { return snapshots_.StartUpload(); });
  }

  CollectionService service_;
  SnapshotService snapshots_;
};

}  // namespace

std::unique_ptr<Binding> BindCollectionService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<CollectionBinding>(context, server);
}

}  // namespace sightline::server
