// Any bytes as the request of any method of the API, answered by the services themselves: over a small collection, up
// to where something would be written (request_world.h). The first byte says which method. What is answered can be
// read by the caller, errors too.
//
// A method of the API that is not in the table below ends the program: every request message is in.
#include <cstdio>
#include <map>

#include "server/rpc/status_map.h"
#include "server/rpc/stream_item.h"
#include "sightline/v1/collection_service.pb.h"
#include "sightline/v1/index_service.pb.h"
#include "sightline/v1/model_service.pb.h"
#include "sightline/v1/operation_service.pb.h"
#include "sightline/v1/search_service.pb.h"
#include "sightline/v1/server_service.pb.h"
#include "tests/fuzz/request_world.h"

namespace sightline::server {
namespace {

RequestWorld& World() {
  static RequestWorld world;
  return world;
}

// proto3 refuses texts that are not UTF-8 where they are read, not where they are written.
template <typename Message>
void CheckReadable(const Message& message) {
  std::string bytes;
  Message again;
  testing::Expect(message.SerializeToString(&bytes) && again.ParseFromString(bytes));
}

void CheckAnswered(const absl::Status& status) {
  testing::CheckAnswer(status);
  CheckReadable(ToRpcStatus(status));
}

using Try = std::function<void(const std::string& bytes)>;

template <typename Message, typename Reply, typename Answer>
Try Method(const Answer& answer) {
  return [answer](const std::string& bytes) {
    Message message;
    Reply reply;
    if (!message.ParseFromString(bytes)) return;
    CheckAnswered(answer(message, &reply));
    CheckReadable(reply);
  };
}

template <typename Service, typename Message, typename Reply>
Try Unary(Service RequestWorld::*service,
          void (Service::*method)(const RequestPtr&, const Message&, Reply*, std::function<void(absl::Status)>)) {
  return Method<Message, Reply>([service, method](const Message& message, Reply* reply) {
    return World().Call(World().*service, method, message, reply);
  });
}

absl::Status Index(const v1::IndexRequest& message, v1::IndexResponse* reply) {
  return World().Wait([&](const RequestPtr& request, std::function<void(absl::Status)> done) {
    World().indexing.Index(request, message, reply, Priority::kInteractive, std::move(done));
  });
}

// One item of a stream. Its answer carries its status.
template <typename Response, typename StreamRequest, typename StreamResponse, typename Answer>
Try Item(const Answer& answer) {
  return Method<StreamRequest, StreamResponse>([answer](const StreamRequest& message, StreamResponse* reply) {
    const auto request =
        std::make_shared<Request>(base::Clock::Real(), base::Clock::Real().Steady() + std::chrono::hours(1));
    absl::Status ended;
    RunItem<Response, StreamRequest, StreamResponse>(
        request, message,
        [&](StreamResponse response, const absl::Status& status) {
          *reply = std::move(response);
          ended = status;
        },
        [&](Response* response, std::function<void(absl::Status)> done) { done(answer(message.request(), response)); });
    return ended;
  });
}

absl::Status Download(const v1::DownloadSnapshotRequest& message, v1::DownloadSnapshotResponse* reply) {
  SIGHTLINE_ASSIGN_OR_RETURN(const auto download, World().snapshots.StartDownload(message));
  return download->Next(reply).status();
}

// The message is the first piece of a stream, and what follows the first one too.
absl::Status Upload(const v1::UploadSnapshotRequest& message, v1::UploadSnapshotResponse* reply) {
  SIGHTLINE_ASSIGN_OR_RETURN(const auto upload, World().snapshots.StartUpload());
  SIGHTLINE_RETURN_IF_ERROR(upload->Take(message));
  v1::UploadSnapshotRequest next = message;
  next.set_offset(message.offset() + static_cast<int64_t>(message.data().size()));
  SIGHTLINE_RETURN_IF_ERROR(upload->Take(next));
  return upload->Finish(reply);
}

struct Entry {
  int number;  // the first byte of an input; never given again, since it is in the corpus
  const char* method;
  Try run;
};

// make_corpus.py reads numbers and names here.
const std::vector<Entry>& Methods() {
  using W = RequestWorld;
  static const std::vector<Entry> methods = {
      {0, "SearchService/Search", Unary(&W::searches, &SearchService::Search)},
      {1, "IndexService/Index", Method<v1::IndexRequest, v1::IndexResponse>(&Index)},
      {2, "CollectionService/CreateCollection", Unary(&W::collections, &CollectionService::Create)},
      {3, "IndexService/ListImages", Unary(&W::indexing, &IndexService::ListImages)},
      {4, "IndexService/UpdateAttributes", Unary(&W::indexing, &IndexService::UpdateAttributes)},
      {5, "SearchService/Embed", Unary(&W::searches, &SearchService::Embed)},
      {6, "SearchService/Explain", Unary(&W::searches, &SearchService::Explain)},
      {7, "SearchService/SearchStream",
       Item<v1::SearchResponse, v1::SearchStreamRequest, v1::SearchStreamResponse>(
           [](const v1::SearchRequest& message, v1::SearchResponse* reply) {
             return World().Call(World().searches, &SearchService::Search, message, reply);
           })},
      {8, "IndexService/IndexStream", Item<v1::IndexResponse, v1::IndexStreamRequest, v1::IndexStreamResponse>(&Index)},
      {9, "IndexService/GetImage", Unary(&W::indexing, &IndexService::GetImage)},
      {10, "IndexService/DeleteImages", Unary(&W::indexing, &IndexService::DeleteImages)},
      {11, "CollectionService/GetCollection", Unary(&W::collections, &CollectionService::Get)},
      {12, "CollectionService/ListCollections", Unary(&W::collections, &CollectionService::List)},
      {13, "CollectionService/UpdateCollection", Unary(&W::collections, &CollectionService::Update)},
      {14, "CollectionService/DeleteCollection", Unary(&W::collections, &CollectionService::Delete)},
      {15, "CollectionService/OptimizeCollection", Unary(&W::collections, &CollectionService::Optimize)},
      {16, "CollectionService/CreateSnapshot", Unary(&W::snapshots, &SnapshotService::Create)},
      {17, "CollectionService/ListSnapshots", Unary(&W::snapshots, &SnapshotService::List)},
      {18, "CollectionService/RestoreSnapshot", Unary(&W::snapshots, &SnapshotService::Restore)},
      {19, "CollectionService/DeleteSnapshot", Unary(&W::snapshots, &SnapshotService::Delete)},
      {20, "CollectionService/DownloadSnapshot",
       Method<v1::DownloadSnapshotRequest, v1::DownloadSnapshotResponse>(&Download)},
      {21, "CollectionService/UploadSnapshot", Method<v1::UploadSnapshotRequest, v1::UploadSnapshotResponse>(&Upload)},
      {22, "CollectionService/ReembedCollection", Unary(&W::collections, &CollectionService::Reembed)},
      {23, "CollectionService/DropOtherSpace", Unary(&W::collections, &CollectionService::DropOther)},
      {24, "CollectionService/FindDuplicates", Unary(&W::collections, &CollectionService::FindDuplicates)},
      {25, "CollectionService/FitConfidence", Unary(&W::collections, &CollectionService::FitConfidence)},
      {26, "CollectionService/ListAttributeValues", Unary(&W::collections, &CollectionService::ListValues)},
      {27, "CollectionService/SetAlias", Unary(&W::collections, &CollectionService::SetAlias)},
      {28, "CollectionService/DeleteAlias", Unary(&W::collections, &CollectionService::DeleteAlias)},
      {29, "ModelService/ListModels", Unary(&W::models, &ModelService::List)},
      {30, "ModelService/GetModel", Unary(&W::models, &ModelService::Get)},
      {31, "ModelService/LoadModel", Unary(&W::models, &ModelService::Load)},
      {32, "ModelService/UnloadModel", Unary(&W::models, &ModelService::Unload)},
      {33, "OperationService/GetOperation", Unary(&W::operations, &OperationService::Get)},
      {34, "OperationService/ListOperations", Unary(&W::operations, &OperationService::List)},
      {35, "OperationService/CancelOperation", Unary(&W::operations, &OperationService::Cancel)},
      {36, "ServerService/GetServerInfo",
       Method<v1::GetServerInfoRequest, v1::GetServerInfoResponse>(
           [](const v1::GetServerInfoRequest&, v1::GetServerInfoResponse* reply) {
             World().facts.GetServerInfo({}, reply);
             return absl::OkStatus();
           })},
  };
  return methods;
}

// By number; every method of the API is there.
std::map<int, Try> CheckedMethods() {
  std::map<int, Try> methods;
  std::set<std::string> names;
  for (const Entry& entry : Methods()) {
    testing::Expect(methods.emplace(entry.number, entry.run).second && names.insert(entry.method).second);
  }
  for (const google::protobuf::FileDescriptor* file :
       {v1::SearchRequest::descriptor()->file(), v1::IndexRequest::descriptor()->file(),
        v1::CreateCollectionRequest::descriptor()->file(), v1::ListModelsRequest::descriptor()->file(),
        v1::GetOperationRequest::descriptor()->file(), v1::GetServerInfoRequest::descriptor()->file()}) {
    const google::protobuf::ServiceDescriptor* const service = file->service(0);
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string name = service->name() + "/" + service->method(i)->name();
      if (names.erase(name) == 1) continue;
      std::fprintf(stderr, "%s is not in the table of request_fuzz.cc. Add it.\n", name.c_str());
      std::abort();
    }
  }
  testing::Expect(names.empty());
  return methods;
}

}  // namespace
}  // namespace sightline::server

// Making the collection is no input's time.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  sightline::server::World();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::map<int, sightline::server::Try> methods = sightline::server::CheckedMethods();
  if (size < 1) return 0;
  const auto method = methods.find(data[0]);
  if (method == methods.end()) return -1;
  method->second(std::string(sightline::testing::View(data + 1, size - 1)));
  sightline::server::World().KeepModel();
  return 0;
}
