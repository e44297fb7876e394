// Client: a Sightline server, as a C++ object. Every method makes one call (IndexMany: one stream) and waits for its
// end.
//
// Threading: all methods may be called from any thread, and at once. Ownership: the client owns its connection; replies
// are values. Failure: absl::Status with the server's sentences; base::GetErrorInfo gives reason, facts and retry
// delay. A call that the server refuses with a retry delay is repeated within its deadline. Every call has a deadline.
//
//   auto client = Client::Connect({.address = "127.0.0.1:50051"});
//   auto answer = (*client)->Search({.collection = "shop", .query = Query::ImageFile("shoe.jpg"), .top_k = 5});
//   for (const auto& result : answer->results()) Show(result.id(), result.score());
#ifndef SIGHTLINE_CLIENT_CPP_CLIENT_H_
#define SIGHTLINE_CLIENT_CPP_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/index_many.h"
#include "client/cpp/query.h"
#include "client/cpp/retry.h"
#include "sightline/v1/collection_service.pb.h"
#include "sightline/v1/index_service.pb.h"
#include "sightline/v1/operation_service.pb.h"
#include "sightline/v1/search_service.pb.h"
#include "sightline/v1/server_service.pb.h"

namespace sightline::client {

enum class Health { kServing, kNotServing, kUnknownService };

class Client {
 public:
  struct Options {
    std::string address = "127.0.0.1:50051";             // host:port, as gRPC reads it
    absl::Duration deadline = absl::Seconds(10);         // of a call
    absl::Duration upload_deadline = absl::Seconds(60);  // of a call that carries an image, or deletes much
    int64_t max_message_bytes = int64_t{40} << 20;
    int64_t max_image_bytes = int64_t{16} << 20;  // larger files are refused before they are read
    RetryPolicy retry = {};
  };

  // Does not wait for the server: the first call reports one that cannot be reached. INVALID_ARGUMENT for an address
  // that is not one.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(Options options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const Options& options() const;

  // Searching.
  absl::StatusOr<v1::SearchResponse> Search(const SearchOptions& search);
  absl::StatusOr<v1::SearchResponse> Search(const v1::SearchRequest& request);
  absl::StatusOr<v1::EmbedResponse> Embed(const v1::EmbedRequest& request);

  // Writing and reading images.
  absl::StatusOr<v1::IndexResponse> Index(const v1::IndexRequest& request);
  // Writes what `source` gives over one stream, some at a time, and tells each outcome. Items that fail with a
  // retryable error, or whose connection breaks, are sent again with the same request_id, so that nothing is written
  // twice. Returns an error when the server cannot be reached any more; every item taken from the source was told an
  // outcome.
  absl::StatusOr<IndexManySummary> IndexMany(const ItemSource& source, const ItemCallback& on_outcome,
                                             const IndexManyOptions& options = {});
  absl::StatusOr<v1::ImageRecord> GetImage(const v1::GetImageRequest& request);
  absl::StatusOr<v1::ListImagesResponse> ListImages(const v1::ListImagesRequest& request);
  absl::StatusOr<v1::DeleteImagesResponse> DeleteImages(const v1::DeleteImagesRequest& request);
  absl::StatusOr<v1::ImageRecord> UpdateAttributes(const v1::UpdateAttributesRequest& request);

  // Collections.
  absl::StatusOr<v1::Collection> CreateCollection(const v1::CreateCollectionRequest& request);
  absl::StatusOr<v1::Collection> GetCollection(const std::string& name);
  absl::StatusOr<v1::ListCollectionsResponse> ListCollections(const v1::ListCollectionsRequest& request);
  // All pages.
  absl::StatusOr<std::vector<v1::Collection>> ListAllCollections();
  // Returns how many images went with it.
  absl::StatusOr<int64_t> DeleteCollection(const std::string& name);
  // Starts the work and returns at once; GetOperation follows it.
  absl::StatusOr<v1::Operation> OptimizeCollection(const v1::OptimizeCollectionRequest& request);
  absl::StatusOr<v1::ListAttributeValuesResponse> ListAttributeValues(const v1::ListAttributeValuesRequest& request);

  // Long work.
  absl::StatusOr<v1::Operation> GetOperation(const std::string& name);
  absl::StatusOr<v1::ListOperationsResponse> ListOperations(const v1::ListOperationsRequest& request);
  // Returns at once; the operation's state says when it has stopped.
  absl::StatusOr<v1::Operation> CancelOperation(const std::string& name);

  // The server itself.
  absl::StatusOr<v1::GetServerInfoResponse> GetServerInfo();
  // The state of one service ("sightline.v1.SearchService"), or of the whole server for "".
  absl::StatusOr<Health> CheckHealth(const std::string& service = "");

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace sightline::client

#endif  // SIGHTLINE_CLIENT_CPP_CLIENT_H_
