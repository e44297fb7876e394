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
#include <functional>
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
#include "sightline/v1/model_service.pb.h"
#include "sightline/v1/operation.pb.h"
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
    absl::Duration transfer_deadline = absl::Hours(24);  // of a snapshot's download or upload
    absl::Duration load_deadline = absl::Minutes(10);    // of loading or unloading a model
    int64_t max_message_bytes = int64_t{40} << 20;
    int64_t max_image_bytes = int64_t{16} << 20;  // larger files are refused before they are read
    RetryPolicy retry = {};
    // PEM texts. With `tls_ca`, the certificates of who signs servers', the connection is TLS and the server must show
    // a certificate for the address's host; without it the connection is plain.
    std::string tls_ca = {};
    std::string tls_certificate = {};  // of this client, with its chain, where the server wants one
    std::string tls_key = {};          // of tls_certificate
    std::string api_key = {};          // sent with every call; empty: none
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
  // Which patches of two images match.
  absl::StatusOr<v1::ExplainResponse> Explain(const MatchOptions& match);
  absl::StatusOr<v1::ExplainResponse> Explain(const v1::ExplainRequest& request);

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
  // Changes the settings that the request's mask names.
  absl::StatusOr<v1::Collection> UpdateCollection(const v1::UpdateCollectionRequest& request);
  // Lets `alias` stand for the collection, or moves it there.
  absl::StatusOr<v1::Collection> SetAlias(const std::string& alias, const std::string& collection);
  absl::Status DeleteAlias(const std::string& alias);
  // Returns how many images went with it.
  absl::StatusOr<int64_t> DeleteCollection(const std::string& name);
  // Starts the work and returns at once; GetOperation follows it.
  absl::StatusOr<v1::Operation> OptimizeCollection(const v1::OptimizeCollectionRequest& request);
  // The same; the operation's result is a ReembedCollectionResult.
  absl::StatusOr<v1::Operation> ReembedCollection(const v1::ReembedCollectionRequest& request);
  absl::Status DropOtherSpace(const std::string& collection);
  // Start the work and return at once. The operations' results are a FindDuplicatesResult and a ConfidenceModel.
  absl::StatusOr<v1::Operation> FindDuplicates(const v1::FindDuplicatesRequest& request);
  absl::StatusOr<v1::Operation> FitConfidence(const v1::FitConfidenceRequest& request);
  absl::StatusOr<v1::ListAttributeValuesResponse> ListAttributeValues(const v1::ListAttributeValuesRequest& request);

  // Models, for operators. Loading returns when the model is ready.
  absl::StatusOr<std::vector<v1::Model>> ListModels();
  absl::StatusOr<v1::Model> GetModel(const std::string& name);
  absl::StatusOr<v1::Model> LoadModel(const std::string& name);
  // Returns the collections that take no images any more.
  absl::StatusOr<std::vector<std::string>> UnloadModel(const std::string& name);

  // Long work.
  absl::StatusOr<v1::Operation> GetOperation(const std::string& name);
  absl::StatusOr<v1::ListOperationsResponse> ListOperations(const v1::ListOperationsRequest& request);
  // Returns at once; the operation's state says when it has stopped.
  absl::StatusOr<v1::Operation> CancelOperation(const std::string& name);

  // Snapshots. What takes long is an operation: follow it with WaitForOperation.
  absl::StatusOr<v1::Operation> CreateSnapshot(const std::string& collection);
  // All pages, newest first. Empty `collection`: of all.
  absl::StatusOr<std::vector<v1::Snapshot>> ListSnapshots(const std::string& collection = "");
  absl::StatusOr<v1::Operation> RestoreSnapshot(const std::string& snapshot, const std::string& collection);
  absl::Status DeleteSnapshot(const std::string& name);
  // Gives the snapshot's bytes from `offset` on, in order; an error of `on_piece` ends the download.
  absl::Status DownloadSnapshot(const std::string& name, int64_t offset,
                                const std::function<absl::Status(const v1::DownloadSnapshotResponse&)>& on_piece);
  // `next_piece` gives at most 1 MiB at a time, and nothing at the end; an error of it ends the upload. `sha256` is
  // that of the snapshot's manifest.
  absl::StatusOr<v1::Snapshot> UploadSnapshot(const std::string& sha256,
                                              const std::function<absl::StatusOr<std::string>()>& next_piece);

  // Asks until it has ended, and tells `on_progress` (which may be empty) each time. The error of an operation that
  // failed or was cancelled.
  absl::StatusOr<v1::Operation> WaitForOperation(const std::string& name,
                                                 const std::function<void(const v1::Operation&)>& on_progress);

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
