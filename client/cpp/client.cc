#include "client/cpp/client.h"

#include <utility>

#include "base/status.h"
#include "client/cpp/call.h"
#include "client/cpp/connection.h"
#include "client/cpp/health.h"
#include "client/cpp/impl.h"
#include "client/cpp/index_stream.h"

namespace sightline::client {
namespace {

grpc::ChannelArguments ArgumentsFor(const Client::Options& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options.max_message_bytes));
  arguments.SetMaxSendMessageSize(static_cast<int>(options.max_message_bytes));
  arguments.SetUserAgentPrefix("sightline-cpp");
  // A server that restarts is found again within a second or two, not after gRPC's default of up to two minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // How long one attempt may take: over a slow way, or to a server whose machine is busy, the first answer takes
  // seconds.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  // Two clients of one process do not share a connection, and so not its backoff either.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A proxy from the environment cannot reach this machine's own loopback.
  if (IsLoopback(options.address)) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return arguments;
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsFor(const Client::Options& options) {
  if (options.tls_ca.empty()) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({.pem_root_certs = options.tls_ca,
                               .pem_private_key = options.tls_key,
                               .pem_cert_chain = options.tls_certificate});
}

// A search that carries an image takes as long as an upload.
bool CarriesImage(const v1::Query& query) {
  for (const auto& part : query.parts()) {
    if (part.has_image()) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(Options options) {
  SIGHTLINE_RETURN_IF_ERROR(CheckConnection(options));
  auto impl = std::make_unique<Impl>();
  impl->channel = grpc::CreateCustomChannel(options.address, CredentialsFor(options), ArgumentsFor(options));
  impl->search = v1::SearchService::NewStub(impl->channel);
  impl->index = v1::IndexService::NewStub(impl->channel);
  impl->collections = v1::CollectionService::NewStub(impl->channel);
  impl->models = v1::ModelService::NewStub(impl->channel);
  impl->operations = v1::OperationService::NewStub(impl->channel);
  impl->server = v1::ServerService::NewStub(impl->channel);
  impl->options = std::move(options);
  return std::unique_ptr<Client>(new Client(std::move(impl)));
}

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

const Client::Options& Client::options() const { return impl_->options; }

absl::StatusOr<v1::SearchResponse> Client::Search(const SearchOptions& search) {
  v1::SearchRequest request;
  SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_query(), search.query.Build(impl_->options.max_image_bytes));
  request.set_collection(search.collection);
  request.set_top_k(search.top_k);
  request.set_offset(search.offset);
  request.set_filter(search.filter);
  if (search.min_score) request.set_min_score(*search.min_score);
  request.set_group_by(search.group_by);
  request.set_group_size(search.group_size);
  request.set_exact(search.exact);
  if (search.ef_search) request.set_ef_search(*search.ef_search);
  if (search.nprobe) request.set_nprobe(*search.nprobe);
  *request.mutable_expansion() = search.expansion;
  *request.mutable_rerank() = search.rerank;
  *request.mutable_explain() = search.explain;
  request.set_return_attributes(search.return_attributes);
  request.set_request_id(search.request_id);
  return Search(request);
}

absl::StatusOr<v1::SearchResponse> Client::Search(const v1::SearchRequest& request) {
  const auto deadline = CarriesImage(request.query()) ? impl_->options.upload_deadline : impl_->options.deadline;
  return Call(impl_->options, deadline, *impl_->search, &v1::SearchService::Stub::Search, request);
}

absl::StatusOr<v1::EmbedResponse> Client::Embed(const v1::EmbedRequest& request) {
  return Call(impl_->options, impl_->options.upload_deadline, *impl_->search, &v1::SearchService::Stub::Embed, request);
}

absl::StatusOr<v1::ExplainResponse> Client::Explain(const MatchOptions& match) {
  v1::ExplainRequest request;
  request.set_collection(match.collection);
  SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_query(), match.query.BuildExplain(impl_->options.max_image_bytes));
  SIGHTLINE_ASSIGN_OR_RETURN(*request.mutable_result(), match.result.BuildExplain(impl_->options.max_image_bytes));
  *request.mutable_rerank() = match.rerank;
  *request.mutable_options() = match.options;
  return Explain(request);
}

absl::StatusOr<v1::ExplainResponse> Client::Explain(const v1::ExplainRequest& request) {
  const bool uploads = request.query().has_image() || request.result().has_image();
  return Call(impl_->options, uploads ? impl_->options.upload_deadline : impl_->options.deadline, *impl_->search,
              &v1::SearchService::Stub::Explain, request);
}

absl::StatusOr<v1::IndexResponse> Client::Index(const v1::IndexRequest& request) {
  const auto deadline = request.item().has_image() ? impl_->options.upload_deadline : impl_->options.deadline;
  return Call(impl_->options, deadline, *impl_->index, &v1::IndexService::Stub::Index, request);
}

absl::StatusOr<IndexManySummary> Client::IndexMany(const ItemSource& source, const ItemCallback& on_outcome,
                                                   const IndexManyOptions& options) {
  return IndexStream(*impl_->index, impl_->options, source, on_outcome, options).Run();
}

absl::StatusOr<v1::ImageRecord> Client::GetImage(const v1::GetImageRequest& request) {
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->index,
                                                 &v1::IndexService::Stub::GetImage, request));
  return std::move(*response.mutable_image());
}

absl::StatusOr<v1::ListImagesResponse> Client::ListImages(const v1::ListImagesRequest& request) {
  return Call(impl_->options, impl_->options.deadline, *impl_->index, &v1::IndexService::Stub::ListImages, request);
}

absl::StatusOr<v1::DeleteImagesResponse> Client::DeleteImages(const v1::DeleteImagesRequest& request) {
  return Call(impl_->options, impl_->options.upload_deadline, *impl_->index, &v1::IndexService::Stub::DeleteImages,
              request);
}

absl::StatusOr<v1::ImageRecord> Client::UpdateAttributes(const v1::UpdateAttributesRequest& request) {
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->index,
                                                 &v1::IndexService::Stub::UpdateAttributes, request));
  return std::move(*response.mutable_image());
}

absl::StatusOr<v1::Collection> Client::CreateCollection(const v1::CreateCollectionRequest& request) {
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::CreateCollection, request));
  return std::move(*response.mutable_collection());
}

absl::StatusOr<v1::Collection> Client::GetCollection(const std::string& name) {
  v1::GetCollectionRequest request;
  request.set_name(name);
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::GetCollection, request));
  return std::move(*response.mutable_collection());
}

absl::StatusOr<v1::ListCollectionsResponse> Client::ListCollections(const v1::ListCollectionsRequest& request) {
  return Call(impl_->options, impl_->options.deadline, *impl_->collections,
              &v1::CollectionService::Stub::ListCollections, request);
}

absl::StatusOr<std::vector<v1::Collection>> Client::ListAllCollections() {
  std::vector<v1::Collection> all;
  v1::ListCollectionsRequest request;
  do {
    SIGHTLINE_ASSIGN_OR_RETURN(auto page, ListCollections(request));
    for (auto& collection : *page.mutable_collections()) all.push_back(std::move(collection));
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::StatusOr<int64_t> Client::DeleteCollection(const std::string& name) {
  v1::DeleteCollectionRequest request;
  request.set_name(name);
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.upload_deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::DeleteCollection, request));
  return response.deleted_images();
}

absl::StatusOr<v1::Operation> Client::OptimizeCollection(const v1::OptimizeCollectionRequest& request) {
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::OptimizeCollection, request));
  return std::move(*response.mutable_operation());
}

absl::StatusOr<v1::Operation> Client::ReembedCollection(const v1::ReembedCollectionRequest& request) {
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::ReembedCollection, request));
  return std::move(*response.mutable_operation());
}

absl::Status Client::DropOtherSpace(const std::string& collection) {
  v1::DropOtherSpaceRequest request;
  request.set_name(collection);
  return Call(impl_->options, impl_->options.upload_deadline, *impl_->collections,
              &v1::CollectionService::Stub::DropOtherSpace, request)
      .status();
}

absl::StatusOr<v1::Operation> Client::FindDuplicates(const v1::FindDuplicatesRequest& request) {
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::FindDuplicates, request));
  return std::move(*response.mutable_operation());
}

absl::StatusOr<v1::Operation> Client::FitConfidence(const v1::FitConfidenceRequest& request) {
  // The pairs may be many.
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.upload_deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::FitConfidence, request));
  return std::move(*response.mutable_operation());
}

absl::StatusOr<std::vector<v1::Model>> Client::ListModels() {
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->models,
                                                 &v1::ModelService::Stub::ListModels, v1::ListModelsRequest()));
  return std::vector<v1::Model>(response.models().begin(), response.models().end());
}

absl::StatusOr<v1::Model> Client::GetModel(const std::string& name) {
  v1::GetModelRequest request;
  request.set_name(name);
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->models,
                                                 &v1::ModelService::Stub::GetModel, request));
  return std::move(*response.mutable_model());
}

absl::StatusOr<v1::Model> Client::LoadModel(const std::string& name) {
  v1::LoadModelRequest request;
  request.set_name(name);
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.load_deadline, *impl_->models,
                                                 &v1::ModelService::Stub::LoadModel, request));
  return std::move(*response.mutable_model());
}

absl::StatusOr<std::vector<std::string>> Client::UnloadModel(const std::string& name) {
  v1::UnloadModelRequest request;
  request.set_name(name);
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.load_deadline, *impl_->models,
                                                 &v1::ModelService::Stub::UnloadModel, request));
  return std::vector<std::string>(response.collections().begin(), response.collections().end());
}

absl::StatusOr<v1::ListAttributeValuesResponse> Client::ListAttributeValues(
    const v1::ListAttributeValuesRequest& request) {
  return Call(impl_->options, impl_->options.deadline, *impl_->collections,
              &v1::CollectionService::Stub::ListAttributeValues, request);
}

absl::StatusOr<v1::Operation> Client::GetOperation(const std::string& name) {
  v1::GetOperationRequest request;
  request.set_name(name);
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->operations,
                                                 &v1::OperationService::Stub::GetOperation, request));
  return std::move(*response.mutable_operation());
}

absl::StatusOr<v1::ListOperationsResponse> Client::ListOperations(const v1::ListOperationsRequest& request) {
  return Call(impl_->options, impl_->options.deadline, *impl_->operations, &v1::OperationService::Stub::ListOperations,
              request);
}

absl::StatusOr<v1::Operation> Client::CancelOperation(const std::string& name) {
  v1::CancelOperationRequest request;
  request.set_name(name);
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->operations,
                                                 &v1::OperationService::Stub::CancelOperation, request));
  return std::move(*response.mutable_operation());
}

absl::StatusOr<v1::GetServerInfoResponse> Client::GetServerInfo() {
  return Call(impl_->options, impl_->options.deadline, *impl_->server, &v1::ServerService::Stub::GetServerInfo,
              v1::GetServerInfoRequest());
}

absl::StatusOr<Health> Client::CheckHealth(const std::string& service) {
  return CheckHealthOf(impl_->channel, service, {impl_->options.address, impl_->options.deadline});
}

}  // namespace sightline::client
