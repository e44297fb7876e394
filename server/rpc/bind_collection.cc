#include <utility>

#include "server/rpc/bindings.h"
#include "server/rpc/not_offered.h"
#include "server/services/collection_service.h"
#include "sightline/v1/collection_service.grpc.pb.h"

namespace sightline::server {
namespace {

using CollectionAsync = v1::CollectionService::AsyncService;

struct DownloadStarter {
  using Stream = grpc::ServerAsyncWriter<v1::DownloadSnapshotResponse>;
  CollectionAsync* service;
  using Message = v1::DownloadSnapshotRequest;
  void Start(grpc::ServerContext* context, Message* message, Stream* stream, grpc::ServerCompletionQueue* queue,
             void* tag) {
    service->RequestDownloadSnapshot(context, message, stream, queue, queue, tag);
  }
  void Finish(Stream* stream, const grpc::Status& status, void* tag) { stream->Finish(status, tag); }
};

struct UploadStarter {
  using Stream = grpc::ServerAsyncReader<v1::UploadSnapshotResponse, v1::UploadSnapshotRequest>;
  CollectionAsync* service;
  struct Message {};
  void Start(grpc::ServerContext* context, Message*, Stream* stream, grpc::ServerCompletionQueue* queue, void* tag) {
    service->RequestUploadSnapshot(context, stream, queue, queue, tag);
  }
  void Finish(Stream* stream, const grpc::Status& status, void* tag) { stream->FinishWithError(status, tag); }
};

class CollectionBinding final : public Binding {
 public:
  CollectionBinding(const ServiceContext& context, RpcServer* server) : service_(context) {
    server->AddService(&async_, v1::CollectionService::service_full_name());
    server->AddUnary(&async_, &CollectionAsync::RequestCreateCollection, "CollectionService/CreateCollection",
                     [this](const RequestPtr& request, const v1::CreateCollectionRequest& message,
                            v1::CreateCollectionResponse* reply,
                            Done done) { service_.Create(request, message, reply, std::move(done)); });
    server->AddUnary(
        &async_, &CollectionAsync::RequestGetCollection, "CollectionService/GetCollection",
        [this](const RequestPtr& request, const v1::GetCollectionRequest& message, v1::GetCollectionResponse* reply,
               Done done) { service_.Get(request, message, reply, std::move(done)); });
    server->AddUnary(
        &async_, &CollectionAsync::RequestListCollections, "CollectionService/ListCollections",
        [this](const RequestPtr& request, const v1::ListCollectionsRequest& message, v1::ListCollectionsResponse* reply,
               Done done) { service_.List(request, message, reply, std::move(done)); });
    server->AddUnary(&async_, &CollectionAsync::RequestDeleteCollection, "CollectionService/DeleteCollection",
                     [this](const RequestPtr& request, const v1::DeleteCollectionRequest& message,
                            v1::DeleteCollectionResponse* reply,
                            Done done) { service_.Delete(request, message, reply, std::move(done)); });
    server->AddUnary(&async_, &CollectionAsync::RequestOptimizeCollection, "CollectionService/OptimizeCollection",
                     [this](const RequestPtr& request, const v1::OptimizeCollectionRequest& message,
                            v1::OptimizeCollectionResponse* reply,
                            Done done) { service_.Optimize(request, message, reply, std::move(done)); });
    server->AddUnary(&async_, &CollectionAsync::RequestListAttributeValues, "CollectionService/ListAttributeValues",
                     [this](const RequestPtr& request, const v1::ListAttributeValuesRequest& message,
                            v1::ListAttributeValuesResponse* reply,
                            Done done) { service_.ListValues(request, message, reply, std::move(done)); });
    BindNotOffered(server);
  }

 private:
  void BindNotOffered(RpcServer* server) {
    const auto name = [](const char* method) { return std::string("CollectionService/") + method; };
    AddNotOffered(server, &async_, &CollectionAsync::RequestUpdateCollection, name("UpdateCollection"),
                  "Create a collection with the settings wanted and index into it.");
    const std::string copy = "Copy the data directory while the server is stopped.";
    AddNotOffered(server, &async_, &CollectionAsync::RequestCreateSnapshot, name("CreateSnapshot"), copy);
    AddNotOffered(server, &async_, &CollectionAsync::RequestListSnapshots, name("ListSnapshots"), copy);
    AddNotOffered(server, &async_, &CollectionAsync::RequestRestoreSnapshot, name("RestoreSnapshot"), copy);
    AddNotOffered(server, &async_, &CollectionAsync::RequestDeleteSnapshot, name("DeleteSnapshot"), copy);
    server->AddRefusedStream(DownloadStarter{&async_}, name("DownloadSnapshot"), NotOffered("DownloadSnapshot", copy));
    server->AddRefusedStream(UploadStarter{&async_}, name("UploadSnapshot"), NotOffered("UploadSnapshot", copy));
    AddNotOffered(server, &async_, &CollectionAsync::RequestReembedCollection, name("ReembedCollection"),
                  "Create a collection with the new model and index the images again.");
    AddNotOffered(server, &async_, &CollectionAsync::RequestFindDuplicates, name("FindDuplicates"),
                  "Search with each image and compare the scores.");
    AddNotOffered(server, &async_, &CollectionAsync::RequestFitConfidence, name("FitConfidence"),
                  "Choose a threshold on `score` by hand.");
    AddNotOffered(server, &async_, &CollectionAsync::RequestSetAlias, name("SetAlias"),
                  "Use the collection's own name.");
    AddNotOffered(server, &async_, &CollectionAsync::RequestDeleteAlias, name("DeleteAlias"),
                  "Use the collection's own name.");
  }

  CollectionAsync async_;
  CollectionService service_;
};

}  // namespace

std::unique_ptr<Binding> BindCollectionService(const ServiceContext& context, RpcServer* server) {
  return std::make_unique<CollectionBinding>(context, server);
}

}  // namespace sightline::server
