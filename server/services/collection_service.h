// CollectionService without gRPC: messages in, messages out.
//
// Threading: all methods may be called from any thread; they answer on a worker thread. Request and reply live until
// `done` is called. Failure: through `done`.
#ifndef SIGHTLINE_SERVER_SERVICES_COLLECTION_SERVICE_H_
#define SIGHTLINE_SERVER_SERVICES_COLLECTION_SERVICE_H_

#include <functional>

#include "absl/status/status.h"
#include "server/request.h"
#include "server/services/service_context.h"
#include "sightline/v1/collection_service.pb.h"

namespace sightline::server {

class CollectionService {
 public:
  using Done = std::function<void(absl::Status)>;

  explicit CollectionService(const ServiceContext& context) : context_(context) {}

  void Create(const RequestPtr& request, const v1::CreateCollectionRequest& message,
              v1::CreateCollectionResponse* reply, Done done);
  void Get(const RequestPtr& request, const v1::GetCollectionRequest& message, v1::GetCollectionResponse* reply,
           Done done);
  void List(const RequestPtr& request, const v1::ListCollectionsRequest& message, v1::ListCollectionsResponse* reply,
            Done done);
  void Update(const RequestPtr& request, const v1::UpdateCollectionRequest& message,
              v1::UpdateCollectionResponse* reply, Done done);
  void Delete(const RequestPtr& request, const v1::DeleteCollectionRequest& message,
              v1::DeleteCollectionResponse* reply, Done done);
  void Optimize(const RequestPtr& request, const v1::OptimizeCollectionRequest& message,
                v1::OptimizeCollectionResponse* reply, Done done);
  void Reembed(const RequestPtr& request, const v1::ReembedCollectionRequest& message,
               v1::ReembedCollectionResponse* reply, Done done);
  void FindDuplicates(const RequestPtr& request, const v1::FindDuplicatesRequest& message,
                      v1::FindDuplicatesResponse* reply, Done done);
  void FitConfidence(const RequestPtr& request, const v1::FitConfidenceRequest& message,
                     v1::FitConfidenceResponse* reply, Done done);
  void DropOther(const RequestPtr& request, const v1::DropOtherSpaceRequest& message, v1::DropOtherSpaceResponse* reply,
                 Done done);
  void SetAlias(const RequestPtr& request, const v1::SetAliasRequest& message, v1::SetAliasResponse* reply, Done done);
  void DeleteAlias(const RequestPtr& request, const v1::DeleteAliasRequest& message, v1::DeleteAliasResponse* reply,
                   Done done);
  void ListValues(const RequestPtr& request, const v1::ListAttributeValuesRequest& message,
                  v1::ListAttributeValuesResponse* reply, Done done);

 private:
  // As it stands now, with its other space and those of its aliases that the caller may know.
  void Show(const RequestPtr& request, const index::Collection& collection, v1::Collection* out) const;
  // Of the tokens that a collection would keep if it kept any.
  absl::StatusOr<std::string> TokenSpaceOf(const index::CollectionConfig& config) const;
  absl::StatusOr<index::CollectionConfig> Configure(const v1::CreateCollectionRequest& message) const;

  const ServiceContext context_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_SERVICES_COLLECTION_SERVICE_H_
