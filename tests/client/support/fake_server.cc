#include "tests/client/support/fake_server.h"

#include <chrono>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/sha256.h"
#include "base/status.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace sightline::testing {
namespace {

google::rpc::Status ToRpc(const absl::Status& status) {
  google::rpc::Status out;
  out.set_code(static_cast<int>(status.code()));
  out.set_message(std::string(status.message()));
  const base::ErrorInfo info = base::GetErrorInfo(status);
  google::rpc::ErrorInfo error;
  error.set_reason(info.reason);
  error.set_domain("sightline.dev");
  for (const auto& [key, value] : info.facts) (*error.mutable_metadata())[key] = value;
  out.add_details()->PackFrom(error);
  if (info.retry_after) {
    google::rpc::RetryInfo retry;
    const int64_t nanos = absl::ToInt64Nanoseconds(*info.retry_after);
    retry.mutable_retry_delay()->set_seconds(nanos / 1'000'000'000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
    out.add_details()->PackFrom(retry);
  }
  return out;
}

// The first of `faults`, taken out; OK when there is none.
absl::Status TakeFault(std::vector<absl::Status>& faults) {
  if (faults.empty()) return absl::OkStatus();
  absl::Status fault = faults.front();
  faults.erase(faults.begin());
  return fault;
}

absl::Status NoCollection(const std::string& name) {
  return base::NotFound("COLLECTION_NOT_FOUND",
                        absl::StrCat("there is no collection \"", name, "\". Create it, or list collections."));
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      ToRpc(status).SerializeAsString());
}

class FakeServer::IndexFake : public v1::IndexService::Service {
 public:
  explicit IndexFake(FakeServer& server) : server_(server) {}

  grpc::Status IndexStream(grpc::ServerContext*,
                           grpc::ServerReaderWriter<v1::IndexStreamResponse, v1::IndexStreamRequest>* stream) override {
    int cut = -1;
    {
      base::MutexLock lock(server_.mutex_);
      if (!server_.cuts_.empty()) {
        cut = server_.cuts_.front();
        server_.cuts_.erase(server_.cuts_.begin());
      }
    }
    v1::IndexStreamRequest request;
    for (int read = 0; stream->Read(&request); ++read) {
      if (read == cut || CutsAt(request.request().item().id())) {
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut");
      }
      v1::IndexStreamResponse reply;
      reply.set_request_id(request.request().request_id());
      const absl::Status status = server_.Write(request.request(), reply.mutable_response());
      if (!status.ok()) *reply.mutable_status() = ToRpc(status);
      stream->Write(reply);
    }
    return grpc::Status::OK;
  }

  bool CutsAt(const std::string& id) {
    base::MutexLock lock(server_.mutex_);
    return !server_.cut_at_.empty() && server_.cut_at_ == id;
  }

  grpc::Status Index(grpc::ServerContext*, const v1::IndexRequest* request, v1::IndexResponse* response) override {
    return ToGrpc(server_.Write(*request, response));
  }

  grpc::Status GetImage(grpc::ServerContext*, const v1::GetImageRequest* request,
                        v1::GetImageResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    const auto collection = server_.collections_.find(request->collection());
    if (collection == server_.collections_.end()) return ToGrpc(NoCollection(request->collection()));
    const auto image = collection->second.find(request->id());
    if (image == collection->second.end()) {
      return ToGrpc(base::NotFound("IMAGE_NOT_FOUND",
                                   absl::StrCat("there is no image \"", request->id(), "\". Index it first.")));
    }
    const auto kept = server_.kept_.find(request->id());
    const bool wants_bytes = request->view() == v1::IMAGE_VIEW_PREVIEW || request->view() == v1::IMAGE_VIEW_ORIGINAL;
    if (wants_bytes && kept != server_.kept_.end() && kept->second != request->view()) {
      return ToGrpc(base::FailedPrecondition("IMAGE_NOT_KEPT", "the collection keeps none. Ask for another view."));
    }
    *response->mutable_image() = image->second;
    return grpc::Status::OK;
  }

  grpc::Status UpdateAttributes(grpc::ServerContext*, const v1::UpdateAttributesRequest* request,
                                v1::UpdateAttributesResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    auto& images = server_.collections_[request->collection()];
    const auto image = images.find(request->id());
    if (image == images.end()) {
      return ToGrpc(base::NotFound("IMAGE_NOT_FOUND",
                                   absl::StrCat("there is no image \"", request->id(), "\". Index it first.")));
    }
    auto& attributes = *image->second.mutable_attributes();
    if (request->replace()) attributes.clear();
    for (const std::string& key : request->remove()) attributes.erase(key);
    for (const auto& [key, value] : request->set()) attributes[key] = value;
    *response->mutable_image() = image->second;
    return grpc::Status::OK;
  }

  // Page tokens are positions in the order of ids.
  grpc::Status ListImages(grpc::ServerContext*, const v1::ListImagesRequest* request,
                          v1::ListImagesResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    const auto collection = server_.collections_.find(request->collection());
    if (collection == server_.collections_.end()) return ToGrpc(NoCollection(request->collection()));
    int64_t begin = 0;
    if (!request->page_token().empty() && !absl::SimpleAtoi(request->page_token(), &begin)) begin = 0;
    int64_t position = 0;
    for (const auto& [id, image] : collection->second) {
      if (position++ < begin) continue;
      if (response->images_size() == request->page_size()) {
        response->set_next_page_token(absl::StrCat(position - 1));
        break;
      }
      *response->add_images() = image;
    }
    return grpc::Status::OK;
  }

  grpc::Status DeleteImages(grpc::ServerContext*, const v1::DeleteImagesRequest* request,
                            v1::DeleteImagesResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    server_.last_delete_ = *request;
    auto& images = server_.collections_[request->collection()];
    for (const std::string& id : request->ids()) {
      const bool erased = images.erase(id) > 0;
      response->set_deleted(response->deleted() + (erased ? 1 : 0));
      response->set_not_found(response->not_found() + (erased ? 0 : 1));
    }
    return grpc::Status::OK;
  }

 private:
  FakeServer& server_;
};

class FakeServer::SearchFake : public v1::SearchService::Service {
 public:
  explicit SearchFake(FakeServer& server) : server_(server) {}

  grpc::Status Search(grpc::ServerContext*, const v1::SearchRequest* request, v1::SearchResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    server_.last_search_ = *request;
    const absl::Status fault = TakeFault(server_.search_faults_);
    if (fault.ok()) *response = server_.search_answer_ ? server_.search_answer_(*request) : server_.search_response_;
    return ToGrpc(fault);
  }

  grpc::Status Explain(grpc::ServerContext*, const v1::ExplainRequest* request,
                       v1::ExplainResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    server_.last_explain_ = *request;
    *response = server_.explain_response_;
    return grpc::Status::OK;
  }

 private:
  FakeServer& server_;
};

class FakeServer::CollectionFake : public v1::CollectionService::Service {
 public:
  explicit CollectionFake(FakeServer& server) : server_(server) {}

  grpc::Status GetCollection(grpc::ServerContext*, const v1::GetCollectionRequest* request,
                             v1::GetCollectionResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    const auto collection = server_.collections_.find(request->name());
    if (collection == server_.collections_.end()) return ToGrpc(NoCollection(request->name()));
    Describe(collection->first, collection->second.size(), response->mutable_collection());
    if (server_.confidence_) *response->mutable_collection()->mutable_confidence() = *server_.confidence_;
    return grpc::Status::OK;
  }

  // One collection a page, so that paging is used.
  grpc::Status ListCollections(grpc::ServerContext*, const v1::ListCollectionsRequest* request,
                               v1::ListCollectionsResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    const auto collection = server_.collections_.upper_bound(request->page_token());
    if (collection == server_.collections_.end()) return grpc::Status::OK;
    Describe(collection->first, collection->second.size(), response->add_collections());
    if (std::next(collection) != server_.collections_.end()) response->set_next_page_token(collection->first);
    return grpc::Status::OK;
  }

  grpc::Status CreateCollection(grpc::ServerContext*, const v1::CreateCollectionRequest* request,
                                v1::CreateCollectionResponse* response) override {
    server_.AddCollection(request->name());
    Describe(request->name(), 0, response->mutable_collection());
    return grpc::Status::OK;
  }

  grpc::Status DeleteCollection(grpc::ServerContext*, const v1::DeleteCollectionRequest* request,
                                v1::DeleteCollectionResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    const auto collection = server_.collections_.find(request->name());
    if (collection == server_.collections_.end()) return ToGrpc(NoCollection(request->name()));
    response->set_deleted_images(static_cast<int64_t>(collection->second.size()));
    server_.collections_.erase(collection);
    return grpc::Status::OK;
  }

  grpc::Status OptimizeCollection(grpc::ServerContext*, const v1::OptimizeCollectionRequest* request,
                                  v1::OptimizeCollectionResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    server_.last_optimize_ = *request;
    *response->mutable_operation() = server_.steps_.front();
    return grpc::Status::OK;
  }

  grpc::Status FindDuplicates(grpc::ServerContext*, const v1::FindDuplicatesRequest* request,
                              v1::FindDuplicatesResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    server_.last_duplicates_ = *request;
    *response->mutable_operation() = server_.steps_.front();
    return grpc::Status::OK;
  }

  grpc::Status FitConfidence(grpc::ServerContext*, const v1::FitConfidenceRequest* request,
                             v1::FitConfidenceResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    server_.last_fit_ = *request;
    *response->mutable_operation() = server_.steps_.front();
    return grpc::Status::OK;
  }

  grpc::Status ListAttributeValues(grpc::ServerContext*, const v1::ListAttributeValuesRequest* request,
                                   v1::ListAttributeValuesResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    server_.last_values_ = *request;
    *response = server_.values_;
    return grpc::Status::OK;
  }

 private:
  static void Describe(const std::string& name, size_t images, v1::Collection* collection) {
    collection->set_name(name);
    collection->set_model("tiny");
    collection->set_descriptor_dim(256);
    collection->mutable_stats()->set_images(static_cast<int64_t>(images));
  }

  FakeServer& server_;
};

class FakeServer::InfoFake : public v1::ServerService::Service {
 public:
  explicit InfoFake(FakeServer& server) : server_(server) {}

  grpc::Status GetServerInfo(grpc::ServerContext*, const v1::GetServerInfoRequest*,
                             v1::GetServerInfoResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    *response = server_.info_;
    return grpc::Status::OK;
  }

 private:
  FakeServer& server_;
};

class FakeServer::ModelFake : public v1::ModelService::Service {
 public:
  explicit ModelFake(FakeServer& server) : server_(server) {}

  grpc::Status GetModel(grpc::ServerContext*, const v1::GetModelRequest* request,
                        v1::GetModelResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    if (!server_.model_) return ToGrpc(base::NotFound("MODEL_NOT_FOUND", "there is no such model. List them."));
    *response->mutable_model() = *server_.model_;
    response->mutable_model()->set_name(request->name());
    return grpc::Status::OK;
  }

 private:
  FakeServer& server_;
};

class FakeServer::OperationFake : public v1::OperationService::Service {
 public:
  explicit OperationFake(FakeServer& server) : server_(server) {}

  grpc::Status GetOperation(grpc::ServerContext*, const v1::GetOperationRequest* request,
                            v1::GetOperationResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    if (const absl::Status fault = TakeFault(server_.operation_faults_); !fault.ok()) return ToGrpc(fault);
    if (server_.steps_.empty() || server_.steps_.front().name() != request->name()) {
      return ToGrpc(base::NotFound("OPERATION_NOT_FOUND", "there is no such operation. List them."));
    }
    if (server_.steps_.size() > 1) server_.steps_.erase(server_.steps_.begin());
    *response->mutable_operation() = server_.steps_.front();
    return grpc::Status::OK;
  }

  // One operation a page, so that paging is used.
  grpc::Status ListOperations(grpc::ServerContext*, const v1::ListOperationsRequest* request,
                              v1::ListOperationsResponse* response) override {
    base::MutexLock lock(server_.mutex_);
    size_t at = 0;
    if (!request->page_token().empty() && !absl::SimpleAtoi(request->page_token(), &at)) return grpc::Status::OK;
    if (at >= server_.steps_.size()) return grpc::Status::OK;
    *response->add_operations() = server_.steps_[at];
    if (at + 1 < server_.steps_.size()) response->set_next_page_token(absl::StrCat(at + 1));
    return grpc::Status::OK;
  }

  grpc::Status CancelOperation(grpc::ServerContext*, const v1::CancelOperationRequest* request,
                               v1::CancelOperationResponse* response) override {
    response->mutable_operation()->set_name(request->name());
    response->mutable_operation()->set_state(v1::Operation::STATE_CANCELLED);
    return grpc::Status::OK;
  }

 private:
  FakeServer& server_;
};

FakeServer::FakeServer() {
  grpc::EnableDefaultHealthCheckService(true);
  services_.push_back(std::make_unique<IndexFake>(*this));
  services_.push_back(std::make_unique<SearchFake>(*this));
  services_.push_back(std::make_unique<CollectionFake>(*this));
  services_.push_back(std::make_unique<InfoFake>(*this));
  services_.push_back(std::make_unique<OperationFake>(*this));
  services_.push_back(std::make_unique<ModelFake>(*this));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(40 << 20);
  for (const auto& service : services_) builder.RegisterService(service.get());
  server_ = builder.BuildAndStart();
  address_ = absl::StrCat("127.0.0.1:", port);
  base::MutexLock lock(mutex_);
  info_.set_version("0.1.0");
  info_.mutable_limits()->set_max_image_bytes(1 << 20);
  info_.mutable_limits()->set_max_message_bytes(4 << 20);
}

FakeServer::~FakeServer() { server_->Shutdown(std::chrono::system_clock::now()); }

void FakeServer::AddCollection(const std::string& name) {
  base::MutexLock lock(mutex_);
  collections_[name];
}

void FakeServer::FailNext(const std::string& id, std::vector<absl::Status> statuses) {
  base::MutexLock lock(mutex_);
  faults_[id] = std::move(statuses);
}

void FakeServer::CutStreamsAfter(std::vector<int> requests) {
  base::MutexLock lock(mutex_);
  cuts_ = std::move(requests);
}

void FakeServer::FailSearches(std::vector<absl::Status> statuses) {
  base::MutexLock lock(mutex_);
  search_faults_ = std::move(statuses);
}

void FakeServer::SetSearchResponse(v1::SearchResponse response) {
  base::MutexLock lock(mutex_);
  search_response_ = std::move(response);
}

void FakeServer::SetModel(v1::Model model) {
  base::MutexLock lock(mutex_);
  model_ = std::move(model);
}

void FakeServer::AnswerSearches(std::function<v1::SearchResponse(const v1::SearchRequest&)> answer) {
  base::MutexLock lock(mutex_);
  search_answer_ = std::move(answer);
}

void FakeServer::SetExplainResponse(v1::ExplainResponse response) {
  base::MutexLock lock(mutex_);
  explain_response_ = std::move(response);
}

void FakeServer::KeepImage(const std::string& collection, const v1::ImageRecord& image, v1::ImageView view) {
  base::MutexLock lock(mutex_);
  collections_[collection][image.id()] = image;
  kept_[image.id()] = view;
}

void FakeServer::SetConfidence(v1::ConfidenceModel confidence) {
  base::MutexLock lock(mutex_);
  confidence_ = std::move(confidence);
}

v1::ExplainRequest FakeServer::last_explain() {
  base::MutexLock lock(mutex_);
  return last_explain_;
}

v1::FindDuplicatesRequest FakeServer::last_duplicates() {
  base::MutexLock lock(mutex_);
  return last_duplicates_;
}

v1::FitConfidenceRequest FakeServer::last_fit() {
  base::MutexLock lock(mutex_);
  return last_fit_;
}

void FakeServer::SetInfo(v1::GetServerInfoResponse info) {
  base::MutexLock lock(mutex_);
  info_ = std::move(info);
}

std::vector<std::string> FakeServer::WritesOf(const std::string& id) {
  base::MutexLock lock(mutex_);
  return writes_[id];
}

int64_t FakeServer::images(const std::string& collection) {
  base::MutexLock lock(mutex_);
  return static_cast<int64_t>(collections_[collection].size());
}

v1::SearchRequest FakeServer::last_search() {
  base::MutexLock lock(mutex_);
  return last_search_;
}

v1::DeleteImagesRequest FakeServer::last_delete() {
  base::MutexLock lock(mutex_);
  return last_delete_;
}

v1::OptimizeCollectionRequest FakeServer::last_optimize() {
  base::MutexLock lock(mutex_);
  return last_optimize_;
}

v1::ListAttributeValuesRequest FakeServer::last_values() {
  base::MutexLock lock(mutex_);
  return last_values_;
}

void FakeServer::SetOperationSteps(std::vector<v1::Operation> steps) {
  base::MutexLock lock(mutex_);
  steps_ = std::move(steps);
}

void FakeServer::FailOperations(std::vector<absl::Status> statuses) {
  base::MutexLock lock(mutex_);
  operation_faults_ = std::move(statuses);
}

void FakeServer::SetValues(v1::ListAttributeValuesResponse values) {
  base::MutexLock lock(mutex_);
  values_ = std::move(values);
}

void FakeServer::CutStreamsAt(const std::string& id) {
  base::MutexLock lock(mutex_);
  cut_at_ = id;
}

absl::Status FakeServer::Write(const v1::IndexRequest& request, v1::IndexResponse* response) {
  base::MutexLock lock(mutex_);
  const std::string& id = request.item().id();
  writes_[id].push_back(request.request_id());
  if (const absl::Status fault = TakeFault(faults_[id]); !fault.ok()) return fault;
  const auto collection = collections_.find(request.collection());
  if (collection == collections_.end()) return NoCollection(request.collection());
  if (const auto known = requests_.find(request.request_id()); known != requests_.end()) {
    *response = known->second;
    response->set_replayed(true);
    return absl::OkStatus();
  }
  v1::ImageRecord& image = collection->second[id];
  image.set_id(id);
  image.set_revision(image.revision() + 1);
  image.set_sha256(base::Sha256Hex(request.item().image()));
  *image.mutable_attributes() = request.item().attributes();
  response->set_id(id);
  response->set_revision(image.revision());
  requests_[request.request_id()] = *response;
  return absl::OkStatus();
}

}  // namespace sightline::testing
