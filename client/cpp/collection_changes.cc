// Client: what changes a collection that is there, and the names that stand for it.
#include <utility>

#include "base/status.h"
#include "client/cpp/call.h"
#include "client/cpp/client.h"

namespace sightline::client {

absl::StatusOr<v1::Collection> Client::UpdateCollection(const v1::UpdateCollectionRequest& request) {
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::UpdateCollection, request));
  return std::move(*response.mutable_collection());
}

absl::StatusOr<v1::Collection> Client::SetAlias(const std::string& alias, const std::string& collection) {
  v1::SetAliasRequest request;
  request.set_alias(alias);
  request.set_collection(collection);
  SIGHTLINE_ASSIGN_OR_RETURN(auto response, Call(impl_->options, impl_->options.deadline, *impl_->collections,
                                                 &v1::CollectionService::Stub::SetAlias, request));
  return std::move(*response.mutable_collection());
}

absl::Status Client::DeleteAlias(const std::string& alias) {
  v1::DeleteAliasRequest request;
  request.set_alias(alias);
  return Call(impl_->options, impl_->options.deadline, *impl_->collections, &v1::CollectionService::Stub::DeleteAlias,
              request)
      .status();
}

}  // namespace sightline::client
