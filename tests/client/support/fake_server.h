// FakeServer: an in-process server of the API with collections in memory and faults on demand, for tests of the client.
//
// Threading: all methods may be called from any thread. Ownership: the destructor ends the server.
//
//   FakeServer server;
//   server.FailNext("a.jpg", base::RetryableError(...));   // the next write of a.jpg is refused
//   auto client = client::Client::Connect({.address = server.address()});
#ifndef SIGHTLINE_TESTS_CLIENT_SUPPORT_FAKE_SERVER_H_
#define SIGHTLINE_TESTS_CLIENT_SUPPORT_FAKE_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "sightline/v1/collection_service.grpc.pb.h"
#include "sightline/v1/index_service.grpc.pb.h"
#include "sightline/v1/model_service.grpc.pb.h"
#include "sightline/v1/operation_service.grpc.pb.h"
#include "sightline/v1/search_service.grpc.pb.h"
#include "sightline/v1/server_service.grpc.pb.h"

namespace sightline::testing {

// What a real server sends for `status`: code, message and google.rpc.Status details.
grpc::Status ToGrpc(const absl::Status& status);

class FakeServer {
 public:
  FakeServer();
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;

  const std::string& address() const { return address_; }

  // A collection named `name`, empty.
  void AddCollection(const std::string& name);
  // The next writes of `id` end with these, one each.
  void FailNext(const std::string& id, std::vector<absl::Status> statuses);
  // The stream is cut, without a goodbye, after so many requests of it were read; each number serves one stream.
  void CutStreamsAfter(std::vector<int> requests);
  // The next calls of Search end with these, one each.
  void FailSearches(std::vector<absl::Status> statuses);
  void SetSearchResponse(v1::SearchResponse response);
  // Answers every search by its request instead; called under a lock, one at a time.
  void AnswerSearches(std::function<v1::SearchResponse(const v1::SearchRequest&)> answer);
  void SetExplainResponse(v1::ExplainResponse response);
  void SetInfo(v1::GetServerInfoResponse info);
  // What GetImage answers for an image of a collection, beside its id: the bytes of this view alone.
  void KeepImage(const std::string& collection, const v1::ImageRecord& image, v1::ImageView view);
  // What GetModel answers, whatever the name; without one there is no model.
  void SetModel(v1::Model model);
  // What GetCollection tells of every collection.
  void SetConfidence(v1::ConfidenceModel confidence);

  // Every stream that brings this id ends there.
  void CutStreamsAt(const std::string& id);

  // How often a write of `id` arrived, and with which request_ids.
  std::vector<std::string> WritesOf(const std::string& id);
  int64_t images(const std::string& collection);
  v1::SearchRequest last_search();
  v1::ExplainRequest last_explain();
  v1::FindDuplicatesRequest last_duplicates();
  v1::FitConfidenceRequest last_fit();
  v1::DeleteImagesRequest last_delete();
  v1::OptimizeCollectionRequest last_optimize();
  v1::ListAttributeValuesRequest last_values();
  // What OptimizeCollection, FindDuplicates and FitConfidence start: GetOperation answers each of these once, and then
  // the last for ever.
  void SetOperationSteps(std::vector<v1::Operation> steps);
  // The next calls of GetOperation end with these, one each.
  void FailOperations(std::vector<absl::Status> statuses);
  void SetValues(v1::ListAttributeValuesResponse values);

 private:
  class IndexFake;
  class SearchFake;
  class CollectionFake;
  class InfoFake;
  class OperationFake;
  class ModelFake;

  // Stores the item, once per request_id.
  absl::Status Write(const v1::IndexRequest& request, v1::IndexResponse* response);

  base::Mutex mutex_;
  std::map<std::string, std::map<std::string, v1::ImageRecord>> collections_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::IndexResponse> requests_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<std::string>> writes_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<absl::Status>> faults_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> cuts_ ABSL_GUARDED_BY(mutex_);
  std::string cut_at_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Status> search_faults_ ABSL_GUARDED_BY(mutex_);
  v1::SearchResponse search_response_ ABSL_GUARDED_BY(mutex_);
  std::function<v1::SearchResponse(const v1::SearchRequest&)> search_answer_ ABSL_GUARDED_BY(mutex_);
  v1::SearchRequest last_search_ ABSL_GUARDED_BY(mutex_);
  v1::ExplainResponse explain_response_ ABSL_GUARDED_BY(mutex_);
  v1::ExplainRequest last_explain_ ABSL_GUARDED_BY(mutex_);
  v1::FindDuplicatesRequest last_duplicates_ ABSL_GUARDED_BY(mutex_);
  v1::FitConfidenceRequest last_fit_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::ConfidenceModel> confidence_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::ImageView> kept_ ABSL_GUARDED_BY(mutex_);  // by id
  v1::GetServerInfoResponse info_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::Model> model_ ABSL_GUARDED_BY(mutex_);
  v1::DeleteImagesRequest last_delete_ ABSL_GUARDED_BY(mutex_);
  v1::OptimizeCollectionRequest last_optimize_ ABSL_GUARDED_BY(mutex_);
  v1::ListAttributeValuesRequest last_values_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::Operation> steps_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Status> operation_faults_ ABSL_GUARDED_BY(mutex_);
  v1::ListAttributeValuesResponse values_ ABSL_GUARDED_BY(mutex_);

  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_CLIENT_SUPPORT_FAKE_SERVER_H_
